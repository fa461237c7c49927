"""KooshaPari's harness benchmarks: heliosBench result files, helioscope's harness and SLA benchmarks.

heliosBench measures a program and does not know which model was behind it: config (or the importer) says what a `binary`, or
`binary:profile`, stands for. A figure of a model driven by a harness has the harness in its subject (`codex|gpt-5.6`): how often Codex
solves a task with it is no property of the model alone.

helioscope writes zero for what it did not measure, so a zero is nothing here. Its tokens are a quarter of the characters and its costs
come from a table of three models: neither is taken, and tokens per second count little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from statistics import median
from typing import Any, NamedTuple

from providers.adapters import Adapter, FileFormat, Found
from providers.adapters._fields import count, epoch, iso, mapping, number, objects, positive, text
from routing.ledger.readings import Reading, harness_key

SOURCE = "helios"
ESTIMATED_TRUST = 0.4
"""Of a speed that was counted in characters."""
RUNS_MOST = 10_000
HOURS = 24 * 3600.0

SLA: Mapping[str, str] = {
    "ttft": "ttft_s",
    "time_to_first_token": "ttft_s",
    "tokens_per_second": "speed_tps",
    "throughput": "speed_tps",
    "total_time": "end_to_end_s",
    "latency": "end_to_end_s",
    "success_rate": "helios_success",
}
"""Name of a result of the SLA benchmark → the ledger's metric."""
_TIMES: Mapping[str, float] = {"ms": 0.001, "s": 1.0, "seconds": 1.0}
UNITS: Mapping[str, Mapping[str, float]] = {
    "ttft_s": _TIMES,
    "end_to_end_s": _TIMES,
    "speed_tps": {"tok/s": 1.0, "tokens/s": 1.0},
    "helios_success": {"percent": 1.0, "%": 1.0},
}
"""Metric → unit → factor. A result in any other unit is left out: a factor of a thousand is easily guessed wrong."""


class Runner(NamedTuple):
    """What a result is about."""

    harness: str
    model: str

    @property
    def subject(self) -> str:
        return harness_key(self.harness, self.model) if self.harness else self.model


def read_bench(document: object, names: Mapping[str, str]) -> Found:
    """One heliosBench result, or a list of them."""
    found: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    newest: dict[tuple[str, str], str] = {}
    problems: list[str] = []
    for result in _results(document):
        runner = _runner(result, names)
        if runner is None:
            problems.append(_nameless(result))
            continue
        runs = list(_runs(result))
        if not runs:
            problems.append(f"{text(result.get('task_id')) or 'a task'} of {text(result.get('binary'))} has no usable runs")
        found.setdefault(runner, []).extend(runs)
        newest[runner] = max(newest.get(runner, ""), _date(result))
    readings = [reading for key, runs in found.items() if runs for reading in _bench_readings(Runner(*key), runs, newest[key])]
    return Found(tuple(readings), tuple(dict.fromkeys(problems)))


def _bench_readings(runner: Runner, runs: Sequence[tuple[float, bool]], date: str) -> Iterable[Reading]:
    plain = Reading(runner.subject, "helios_success", 0.0, SOURCE, "", date, samples=len(runs))
    yield plain._replace(value=100.0 * sum(solved for _, solved in runs) / len(runs))
    times = [elapsed for elapsed, solved in runs if solved]
    if times:
        # A failed run is quick or endless, and says nothing of how long the task takes.
        yield plain._replace(metric="task_s", value=median(times), samples=len(times))


def _results(document: object) -> list[Mapping[str, Any]]:
    if isinstance(document, list):
        return objects(document)
    data = mapping(document)
    return objects(data.get("results")) or [data]


def _runs(result: Mapping[str, Any]) -> Iterable[tuple[float, bool]]:
    """(seconds, was it solved?) per run."""
    for run in objects(result.get("run_results"))[:RUNS_MOST]:
        elapsed_s, solved = number(run.get("elapsed_seconds"), 0.0, HOURS), run.get("success")
        if elapsed_s is not None and isinstance(solved, bool):
            yield elapsed_s, solved


def _runner(result: Mapping[str, Any], names: Mapping[str, str]) -> Runner | None:
    """The program, and the model that config says was behind it. `names` may have `codex:fast`, `/opt/codex` or `codex`."""
    binary, profile = text(result.get("binary")), text(result.get("profile")) or text(mapping(result.get("system_info")).get("profile"))
    short = PurePath(binary).name
    for name in (f"{binary}:{profile}", f"{short}:{profile}", profile, binary, short):
        if name and name.strip(":") and name in names:
            return Runner(short, names[name])
    return None


def _nameless(result: Mapping[str, Any]) -> str:
    binary = PurePath(text(result.get("binary"))).name or "a result without a binary"
    return f"nobody says which model is behind {binary}: name it, as in {binary}=gpt-5.6"


def read_harness(document: object, names: Mapping[str, str]) -> Found:
    """helioscope `harness_benchmark --json`: one result, a list, or an object of them by name."""
    readings: list[Reading] = []
    problems: list[str] = []
    for result in _harness_results(document):
        model = text(result.get("model"))
        if not model:
            problems.append(f"{text(result.get('harness_name')) or 'a result'} names no model")
            continue
        readings += _harness_readings(result, Runner(text(result.get("harness_name")), names.get(model, model)))
    return Found(tuple(readings), tuple(problems))


def _harness_results(document: object) -> list[Mapping[str, Any]]:
    data = mapping(document)
    if "harness_name" in data:
        return [data]
    rows = objects(document) or objects(list(data.values()))
    return [row for row in rows if "harness_name" in row]


def _harness_readings(result: Mapping[str, Any], runner: Runner) -> Iterable[Reading]:
    agents = count(result.get("agent_count"))
    plain = Reading(runner.subject, "", 0.0, SOURCE, "", _date(result), samples=agents or None)
    measured = mapping(result.get("llm"))
    figures = (
        ("ttft_s", positive(measured.get("ttft")), 0.0),
        ("end_to_end_s", positive(result.get("sla_p50")), 0.0),
        ("end_to_end_p95_s", positive(result.get("sla_p95")), 0.0),
        ("speed_tps", positive(measured.get("tokens_per_second")), ESTIMATED_TRUST),
    )
    for metric, value, trust in figures:
        if value is not None:
            yield plain._replace(metric=metric, value=value, confidence=trust)
    errors = result.get("errors")
    if agents and isinstance(errors, list):
        yield plain._replace(metric="helios_success", value=100.0 * max(agents - len(errors), 0) / agents)


def read_sla(document: object, names: Mapping[str, str]) -> Found:
    """helioscope `sla_benchmark`: results with a unit each; the model is a tag."""
    readings: list[Reading] = []
    skipped = 0
    for row in objects(mapping(document).get("results")):
        reading = _sla_reading(row, names)
        if reading is None:
            skipped += 1
        else:
            readings.append(reading)
    return Found(
        tuple(readings), (f"{skipped} results have no model tag, or a name or unit that the ledger does not know",) if skipped else ()
    )


def _sla_reading(row: Mapping[str, Any], names: Mapping[str, str]) -> Reading | None:
    metric = SLA.get(text(row.get("name")).lower(), "")
    factor = UNITS.get(metric, {}).get(text(row.get("unit")).lower())
    tags = mapping(row.get("tags"))
    model, value = text(tags.get("model")), positive(row.get("value"))
    if not model or value is None or factor is None:
        return None
    runner = Runner(text(tags.get("harness")), names.get(model, model))
    return Reading(runner.subject, metric, value * factor, SOURCE, "", _date(row))


def _date(result: Mapping[str, Any]) -> str:
    at_s = epoch(result.get("timestamp"))
    return iso(at_s) if at_s is not None else ""


def _is_bench(document: object) -> bool:
    return any("run_results" in result for result in _results(document)[:1])


def _is_sla(document: object) -> bool:
    return isinstance(mapping(document).get("sla_metrics"), list) or any(
        "unit" in row for row in objects(mapping(document).get("results"))[:1]
    )


ADAPTER = Adapter(
    name="helios",
    title="heliosBench and helioscope",
    formats=(
        FileFormat("heliosBench result", _is_bench, read_bench),
        FileFormat("helioscope harness benchmark", lambda document: bool(_harness_results(document)), read_harness),
        FileFormat("helioscope SLA benchmark", _is_sla, read_sla),
    ),
    docs="https://github.com/KooshaPari/heliosBench",
)
