"""heliosBench and helioscope: results become figures of the model that config says was behind the program."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from providers.adapters import Found, read_file
from providers.adapters.helios import ADAPTER
from tests.adapter_samples import BENCH, HARNESS, SLA


def figures(found: Found) -> dict[tuple[str, str], float]:
    return {(reading.subject, reading.metric): reading.value for reading in found.readings}


def read(document: Any, names: dict[str, str] | None = None) -> Found:
    return read_file(orjson.dumps(document), ADAPTER.formats, names)


def test_a_benchmark_becomes_a_success_rate_and_a_time() -> None:
    found = read(BENCH, {"codex": "gpt-5.6"})
    assert figures(found) == {("codex|gpt-5.6", "helios_success"): 75.0, ("codex|gpt-5.6", "task_s"): 20.0}
    assert [(reading.samples, reading.updated_at) for reading in found.readings] == [
        (4, "2026-11-20T10:30:00.000Z"),
        (3, "2026-11-20T10:30:00.000Z"),
    ]


@pytest.mark.parametrize("name", ["/opt/bin/codex:fast", "codex:fast", "fast", "/opt/bin/codex", "codex"])
def test_a_model_is_named_by_binary_or_profile(name: str) -> None:
    found = read({**BENCH, "profile": "fast"}, {name: "gpt-5.6"})
    assert {reading.subject for reading in found.readings} == {"codex|gpt-5.6"}


def test_the_most_exact_name_counts() -> None:
    names = {"codex": "gpt-5.6", "codex:fast": "gpt-5.6-mini"}
    assert {reading.subject for reading in read({**BENCH, "profile": "fast"}, names).readings} == {"codex|gpt-5.6-mini"}


def test_a_program_that_nobody_named_is_said_once_and_left_out() -> None:
    found = read([BENCH, BENCH], {"goose": "gpt-5.6"})
    assert found.readings == ()
    assert found.problems == ("nobody says which model is behind codex: name it, as in codex=gpt-5.6",)


def test_several_tasks_of_one_program_are_one_figure() -> None:
    other = {
        **BENCH,
        "task_id": "other",
        "run_results": [{"elapsed_seconds": 50.0, "success": True}] * 4,
        "timestamp": "2026-11-21T00:00:00",
    }
    found = read({"results": [BENCH, other]}, {"codex": "gpt-5.6"})
    assert figures(found) == {("codex|gpt-5.6", "helios_success"): 87.5, ("codex|gpt-5.6", "task_s"): 50.0}
    assert {reading.updated_at for reading in found.readings} == {"2026-11-21T00:00:00.000Z"}


def test_runs_that_make_no_sense_do_not_count() -> None:
    bench = copy.deepcopy(BENCH)
    bench["run_results"] += [
        {"elapsed_seconds": -1, "success": True},
        {"elapsed_seconds": 1e30, "success": True},
        {"elapsed_seconds": 1.0, "success": "yes"},
        {"success": True},
        None,
    ]
    assert figures(read(bench, {"codex": "gpt-5.6"})) == figures(read(BENCH, {"codex": "gpt-5.6"}))


def test_a_benchmark_in_which_nothing_worked_has_no_time() -> None:
    bench = {**BENCH, "run_results": [{"elapsed_seconds": 1.0, "success": False}] * 2}
    assert figures(read(bench, {"codex": "gpt-5.6"})) == {("codex|gpt-5.6", "helios_success"): 0.0}


def test_a_harness_benchmark_gives_what_it_measured() -> None:
    found = read(HARNESS)
    subject = "cliproxy|MiniMax-M2.5"
    assert figures(found) == {
        (subject, "ttft_s"): 0.75,
        (subject, "end_to_end_s"): 3.5,
        (subject, "end_to_end_p95_s"): 6.25,
        (subject, "speed_tps"): 80.0,
        (subject, "helios_success"): pytest.approx(100 * 5 / 6),
    }
    # Its tokens are a quarter of the characters.
    assert {reading.metric: reading.confidence for reading in found.readings}["speed_tps"] == 0.4


def test_a_zero_means_that_nobody_measured() -> None:
    unmeasured = {**HARNESS, "llm": dict.fromkeys(HARNESS["llm"], 0.0), "sla_p50": 0.0, "sla_p95": 0}
    assert set(figures(read(unmeasured))) == {("cliproxy|MiniMax-M2.5", "helios_success")}


def test_a_comparison_of_harnesses_gives_each_its_own_figures() -> None:
    found = read({"a": HARNESS, "b": {**HARNESS, "harness_name": "codex-built"}, "c": {**HARNESS, "model": ""}})
    assert {reading.subject for reading in found.readings} == {"cliproxy|MiniMax-M2.5", "codex-built|MiniMax-M2.5"}
    assert found.problems == ("cliproxy names no model",)


def test_an_sla_benchmark_is_read_in_the_units_it_says() -> None:
    found = read(SLA)
    assert figures(found) == {("codex|gpt-5.6", "ttft_s"): pytest.approx(0.42), ("gpt-5.6", "speed_tps"): 91.0}
    assert found.problems == ("1 results have no model tag, or a name or unit that the ledger does not know",)


def test_a_result_in_an_unknown_unit_is_left_out() -> None:
    """1000 times off is worse than nothing."""
    sla = copy.deepcopy(SLA)
    sla["results"][0]["unit"] = "us"
    assert set(figures(read(sla))) == {("gpt-5.6", "speed_tps")}
