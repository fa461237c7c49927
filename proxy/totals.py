"""Rows of the journal's `usage`, summed: for the last line of `donut usage` and for `GET /api/routing/costs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COUNTS = (
    "exchanges", "ok", "client_gone", "errors", "attempts", "retried",
    "reported_input", "reported_cache_read", "reported_cache_write", "reported_output", "reported_reasoning",
    "estimated_input", "estimated_output", "cost_usd_estimated", "unpriced", "ttft_count",
)  # fmt: skip


def totals(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The columns of `rows` summed. The cost is None only when no row knows one; the average weighs every attempt alike."""
    sums: dict[str, Any] = {name: sum(row[name] for row in rows) for name in COUNTS}
    known = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    sums["cost_usd"] = sum(known) if known or not rows else None
    waited = sum(row["ttft_avg_ms"] * row["ttft_count"] for row in rows if row["ttft_count"])
    sums["ttft_avg_ms"] = waited / sums["ttft_count"] if sums["ttft_count"] else None
    return sums
