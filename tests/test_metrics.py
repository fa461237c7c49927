"""Counters of decisions: what was decided, refused, spilled and left, as Prometheus reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from proxy.metrics import Metrics
from tests.journal_samples import attempt, exchange, refused
from tests.serving import Donut

DISPATCH: dict[str, Any] = {"kind": "dispatch", "spilled_from": None, "rejected_candidates": [], "demand": {"role": "main"}}


def samples(page: bytes, name: str) -> dict[str, float]:
    """Labels → value of one counter."""
    return {labels: float(value) for labels, value in re.findall(rf"^{name}_total{{(.*)}} (\S+)$", page.decode(), re.MULTILINE)}


def test_decisions_by_tier_use_case_and_role() -> None:
    metrics = Metrics()
    metrics.count([exchange(1, decision=DISPATCH), exchange(2, decision=DISPATCH), exchange(3, decision={**DISPATCH, "demand": None})])
    assert samples(metrics.page(), "donut_decisions") == {
        'role="main",tier="mid",use_case="code"': 2.0,
        'role="none",tier="mid",use_case="code"': 1.0,
    }


def test_refusals_by_reason() -> None:
    metrics = Metrics()
    refusal: dict[str, Any] = {"kind": "refusal", "reason": "rate_limited", "spilled_from": None, "rejected_candidates": []}
    nobody = refused(2)
    metrics.count([exchange(1, decision=refusal, tier=None, attempts=[]), nobody])
    page = metrics.page()
    assert samples(page, "donut_refusals") == {'reason="rate_limited"': 1.0}
    assert samples(page, "donut_decisions") == {}


def test_spillovers_say_from_where_to_where() -> None:
    metrics = Metrics()
    metrics.count([exchange(1, decision={**DISPATCH, "spilled_from": "small"})])
    assert samples(metrics.page(), "donut_spillovers") == {'source="small",target="mid"': 1.0}


def test_failovers_count_who_was_left_and_why() -> None:
    metrics = Metrics()
    tries = [attempt(1, failure_kind="connect"), attempt(2, replica_id="b/up", failure_kind="cut"), attempt(3, replica_id="c/up")]
    metrics.count([exchange(1, decision=DISPATCH, attempts=tries)])
    expected = {'failure="connect",replica="box/up"': 1.0, 'failure="cut",replica="b/up"': 1.0}
    assert samples(metrics.page(), "donut_failovers") == expected


async def test_a_scrape_after_a_request(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        await donut.client.post("/v1/chat/completions", json={"model": "small", "messages": [{"role": "user", "content": "hi"}]})
        await donut.wait_for_rows(1)
        page = (await donut.client.get("/metrics")).content
        (labels,) = samples(page, "donut_decisions")
        assert 'tier="small"' in labels
