"""Counters of decisions: what was decided, refused, spilled and left, as Prometheus reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from proxy.metrics import TTFT_BUCKETS_S, Metrics
from routing.types import Usage
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


def test_times_that_are_observed_at_once_are_told_as_if_one_by_one() -> None:
    times = [0.0, 0.001, 0.0011, 0.25, 0.3, 0.3, 60.0, 61.0]
    registry = CollectorRegistry()
    expected = Histogram("donut_ttft_seconds", "Time to the first content byte.", ["replica"], buckets=TTFT_BUCKETS_S, registry=registry)
    for time_s in times:
        expected.labels("box/up").observe(time_s)
    metrics = Metrics()
    metrics.count([exchange(n, decision=DISPATCH, attempts=[attempt(ttft_s=time_s)]) for n, time_s in enumerate(times)])
    metrics.count([exchange(99, decision=DISPATCH, attempts=[attempt(ttft_s=None)])])

    def told(page: bytes) -> list[str]:
        return re.findall(r"^donut_ttft_seconds_(?:bucket|sum|count).*$", page.decode(), re.MULTILINE)

    assert told(metrics.page()) == told(generate_latest(registry))


def test_tokens_and_costs_are_added_up_by_where_they_come_from() -> None:
    metrics = Metrics()
    known = attempt(usage=Usage(5, 0, 0, 7), cost_usd=0.5)
    guessed = attempt(usage=Usage(1, 2, 0, 3, reported=False), cost_usd=None)
    metrics.count([exchange(n, decision=DISPATCH, attempts=[each]) for n, each in enumerate((known, known, guessed, attempt(usage=None)))])
    page = metrics.page()
    assert samples(page, "donut_tokens") == {
        'replica="box/up",source="reported",type="input"': 10.0,
        'replica="box/up",source="reported",type="output"': 14.0,
        'replica="box/up",source="estimated",type="input"': 1.0,
        'replica="box/up",source="estimated",type="cache_read"': 2.0,
        'replica="box/up",source="estimated",type="output"': 3.0,
    }
    assert samples(page, "donut_cost_usd") == {'replica="box/up"': 1.0}
    assert samples(page, "donut_unpriced_requests") == {'replica="box/up"': 1.0}


async def test_a_scrape_after_a_request(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        await donut.client.post("/v1/chat/completions", json={"model": "small", "messages": [{"role": "user", "content": "hi"}]})
        await donut.wait_for_rows(1)
        page = (await donut.client.get("/metrics")).content
        (labels,) = samples(page, "donut_decisions")
        assert 'tier="small"' in labels
