"""thegent: its queue is counted, its harvests are read and written, its benchmarks reach the ledger."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters import read_file
from providers.adapters._jsonl import Tail, append
from providers.adapters.thegent import (
    ADAPTER,
    PREFERRED_MOST,
    Costs,
    Harvest,
    Queue,
    Tally,
    benchmarks_document,
    harvest_line,
    quality_index,
    read_harvest,
    read_queue,
)
from tests.adapter_samples import THEGENT

NOW_S = 1795284000.0
LEASED = "2026-11-21T18:05:00Z"
OVER = "2026-11-21T17:55:00Z"

COUNTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 10**6)).map(Counter)
USD = st.floats(0, 1e6)
TALLIES = st.builds(
    Tally, st.integers(0, 10**9), COUNTS, COUNTS, COUNTS, USD, st.integers(0, 10**12), st.integers(0, 99), st.integers(0, 99)
)


def item(**changes: Any) -> dict[str, Any]:
    return {
        "ts": "2026-11-21T17:00:00Z",
        "prompt": "secret plans",
        "preferred_model": None,
        "claimed_by": None,
        "lease_expires_at": None,
    } | changes


def test_a_queue_is_counted_and_its_prompts_are_forgotten() -> None:
    lines = [
        item(preferred_model="big-1"),
        item(preferred_model="big-1"),
        item(),
        item(claimed_by="agent-1", lease_expires_at=LEASED, preferred_model="small-1"),
        item(claimed_by="agent-2", lease_expires_at=OVER, preferred_model="small-1"),
        item(claimed_by="agent-3"),
    ]
    queue = read_queue(lines, NOW_S)
    assert queue == Queue(waiting=4, claimed=2, preferred={"big-1": 2, "small-1": 1}, unreadable=0)
    assert "secret" not in repr(queue)


def test_a_hostile_queue_is_counted_as_far_as_it_is_one() -> None:
    lines: list[Any] = [
        None,
        [],
        3,
        {},
        item(preferred_model="x" * 1000),
        item(preferred_model=["a"]),
        item(claimed_by=0, lease_expires_at={}),
    ]
    assert read_queue(lines, NOW_S) == Queue(waiting=2, claimed=1, preferred={}, unreadable=4)
    many = read_queue([item(preferred_model=f"m{number}") for number in range(1000)], NOW_S)
    assert (many.waiting, len(many.preferred)) == (1000, PREFERRED_MOST)


def test_a_harvest_as_thegent_writes_it() -> None:
    tally = Tally(3, Counter({"big-1": 3}), Counter({"anthropic": 3}), Counter({"complex": 3}), 0.25, 4200, 1, 1)
    assert harvest_line(tally, Costs(12.5, 0.25), NOW_S) == {
        "type": "routing_harvest",
        "ts": "2026-11-21T18:00:00.000Z",
        "stats": {
            "total_requests": 3,
            "requests_by_model": {"big-1": 3},
            "requests_by_provider": {"anthropic": 3},
            "requests_by_category": {"complex": 3},
            "total_cost_usd": 0.25,
            "total_tokens": 4200,
            "errors": 1,
            "fallback_count": 1,
        },
        "cost": {"mtd_total": 12.5, "daily_total": 0.25},
    }


@given(st.lists(st.tuples(TALLIES, st.builds(Costs, USD, USD), st.integers(0, 4 * 10**9).map(float)), max_size=3))
def test_harvests_come_back_as_they_went(harvests: list[tuple[Tally, Costs, float]]) -> None:
    lines = [orjson.loads(orjson.dumps(harvest_line(*harvest))) for harvest in harvests]
    assert read_harvest(lines) == [Harvest(at_s, tally, costs) for tally, costs, at_s in harvests]


def test_harvests_go_through_the_file_beside_thegents_own(tmp_path: Path) -> None:
    path = tmp_path / "routing_harvest.jsonl"
    path.write_text(
        '{"type": "routing_harvest", "ts": "2026-11-20T10:00:00+00:00", "stats": {"total_requests": 7}, "cost": {}}\n{"type": "rou'
    )
    append(path, [harvest_line(Tally(total_requests=5), Costs(), NOW_S)])
    lines = Tail(path).read()
    assert ([harvest.tally.total_requests for harvest in read_harvest(lines.values)], lines.skipped) == ([7, 5], 1)


def test_lines_that_are_no_harvest_are_nothing() -> None:
    good = harvest_line(Tally(), Costs(), NOW_S)
    lines: list[Any] = [None, 3, {**good, "type": "prompt"}, {**good, "ts": None}, {**good, "stats": [], "cost": {"mtd_total": "1e9"}}]
    assert read_harvest(lines) == [Harvest(NOW_S, Tally(), Costs())]


def test_benchmarks_reach_the_ledger() -> None:
    found = read_file(orjson.dumps(THEGENT), ADAPTER.formats, {"small-1": "claude-small-1"})
    figures = {(reading.subject, reading.metric): reading.value for reading in found.readings}
    assert figures == {
        ("big-1", "terminal_bench_2"): 62.9,  # the table counts before the copy by task type
        ("claude-small-1", "terminal_bench_2"): 28.3,
        ("other", "terminal_bench_2"): 50.0,
        ("big-1", "swe_bench_verified"): 80.8,
        ("big-1", "aime"): 85.0,
        ("big-1", "gpqa"): 91.3,
        ("big-1", "gdpval_elo"): 1606.0,  # LiveCodeBench Pro's Elo is no percentage, and is not taken for one
    }
    assert {(reading.updated_at, reading.source) for reading in found.readings} == {("2026-02-19", "imported")}


def test_benchmarks_go_out_in_its_schema_and_come_back() -> None:
    scores = {"terminal_bench_2": {"big-1": 60.0}, "swe_bench_verified": {"big-1": 70.0, "small-1": 40.0}, "gpqa": {"big-1": 90.0}}
    document = benchmarks_document(scores, "donut", "2026-11-21")
    assert (document["version"], document["aime"]) == (2, {})
    back = read_file(orjson.dumps(document), ADAPTER.formats)
    assert {(reading.metric, reading.subject): reading.value for reading in back.readings} == {
        ("terminal_bench_2", "big-1"): 60.0,
        ("swe_bench_verified", "big-1"): 70.0,
        ("swe_bench_verified", "small-1"): 40.0,
    }


@pytest.mark.parametrize(
    ("scores", "expected"),
    [({}, 0.5), ({"terminal_bench_2_0": 60.0, "swe_bench": 70.0, "aime": 80.0}, 0.64), ({"terminal_bench_2_0": 100.0}, 0.85)],
)
def test_its_quality_index(scores: dict[str, float], expected: float) -> None:
    assert quality_index(scores) == pytest.approx(expected)
