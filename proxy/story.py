"""One exchange told whole: its row, its attempts, its decision, what it used, and its events. `GET /api/routing/decisions/ID` and
`donut explain ID --json` are this, and nothing besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from proxy.journal.queries import attempt_dict, exchange_dict
from proxy.journal.records import ExchangeRecord
from proxy.journal.rows import ATTEMPT_NAMES, EXCHANGE_NAMES, named, rows_of
from routing.lifecycle import events_of, told

_TOKENS = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")


def as_journaled(record: ExchangeRecord) -> dict[str, Any]:
    """The record as the journal will give it back: through the same functions, so that the shapes can not drift apart."""
    rows = rows_of(record)
    exchange = exchange_dict(named(EXCHANGE_NAMES, rows.exchange))
    exchange["attempts"] = [attempt_dict(named(ATTEMPT_NAMES, row)) for row in rows.attempts]
    return exchange


def whole(exchange: Mapping[str, Any]) -> dict[str, Any]:
    """`exchange`, as the journal gives it back, with `usage` and `events`."""
    return {**exchange, "usage": _usage(exchange["attempts"]), "events": [told(event) for event in events_of(exchange)]}


def _usage(attempts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Over all attempts. Reported and estimated tokens are never added up; the cost is null when no part of it is known."""
    tried = list(attempts)
    costs = [attempt["cost_usd"] for attempt in tried if attempt["cost_usd"] is not None]
    used = [attempt for attempt in tried if attempt["reported"] or attempt["estimated"]]
    return {
        "reported": _sum(attempt["reported"] for attempt in tried),
        "estimated": _sum(attempt["estimated"] for attempt in tried),
        "cost_usd": sum(costs) if costs else None,
        "unpriced_attempts": sum(attempt["cost_usd"] is None for attempt in used),
    }


def _sum(parts: Iterable[Mapping[str, int] | None]) -> dict[str, int] | None:
    known = [part for part in parts if part]
    return {name: sum(part[name] or 0 for part in known) for name in _TOKENS} if known else None
