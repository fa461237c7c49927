"""The table: one row per contestant, ready to be pasted into the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

QUIET_SHARE = 0.05
"""Of one core: more than this from other programs during a round and its figures are not to be trusted or compared."""

Figures = Mapping[str, float | int | None]


@dataclass(slots=True)
class Result:
    """What was measured of one contestant, by workload name: `figures` are the medians of `rounds`, `broken` says why there are none."""

    name: str
    version: str
    start_s: float | None = None
    figures: dict[str, Figures] = field(default_factory=dict)
    rounds: dict[str, list[Figures]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


BUDGET_US = {"2kb": 120, "64kb": 300, "burst": 150, "paced": 20}
"""DESIGN.md §6, "donut with everything on". 400 KB has no budget of its own."""
PEER = "switchyard"
PEER_US = {"2kb": 120, "64kb": 275, "burst": 350, "paced": 26}
"""What the fastest peer took where the budgets were written (DESIGN.md §6: ratios hold, absolute times do not)."""
HEADER = ("", "2 KB body", "64 KB body", "400 KB body", "20-chunk burst", "per chunk, 5 ms apart", "added p50", "added p99", "RSS", "start")
CPU_COLUMNS = ("2kb", "64kb", "400kb", "burst", "paced")


def markdown(results: Sequence[Result], skipped: Mapping[str, str]) -> str:
    """CPU per request or chunk, added latency against `direct`, memory, start time; then who is missing and what is broken, and why."""
    direct = next((result for result in results if result.name == "direct"), None)
    rows = [HEADER, ("---",) + ("--:",) * (len(HEADER) - 1)]
    rows += [_row(result, direct) for result in results if result is not direct]
    rows.append(("*donut's budget*", *_budgets(BUDGET_US), "", "", "≤ 80 MB", "≤ 1 s"))
    peer = next((result for result in results if result.name == PEER), None)
    if peer is not None:
        rows.append((f"*in proportion to {PEER} here*", *_budgets(in_proportion(peer)), "", "", "", ""))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if direct is not None:
        latency = direct.figures["latency"]
        lines += ["", f"Direct to the mock upstream: p50 {_ms(latency['p50_ms'])}, p99 {_ms(latency['p99_ms'])}."]
    lines += _noise(results)
    lines += [f"Skipped: {name}: {reason}" for name, reason in skipped.items()]
    lines += [f"Broken: {result.name}, {workload}: {why}" for result in results for workload, why in result.broken.items()]
    return "\n".join(lines)


def as_json(results: Sequence[Result], skipped: Mapping[str, str], machine: Mapping[str, Any]) -> dict[str, Any]:
    return {"machine": dict(machine), "results": [asdict(result) for result in results], "skipped": dict(skipped)}


def in_proportion(peer: Result) -> dict[str, float]:
    """The budgets, had they been written on this machine in this run: as large a part of what the peer takes."""
    measured = {name: cpu_us for name in PEER_US if (cpu_us := peer.figures.get(name, {}).get("cpu_us")) and name not in peer.broken}
    return {name: BUDGET_US[name] * cpu_us / PEER_US[name] for name, cpu_us in measured.items()}


def _budgets(budgets_us: Mapping[str, float]) -> list[str]:
    return [f"≤ {_us(budgets_us[name], False)}" if name in budgets_us else "" for name in CPU_COLUMNS]


def _noise(results: Sequence[Result]) -> list[str]:
    """Who was measured while other programs were running, worst first; empty on a quiet machine."""
    spread = []
    for result in results:
        for workload, rounds in result.rounds.items():
            foreign = max(figures["foreign_share"] or 0 for figures in rounds)
            cpu = [value for figures in rounds if (value := figures["cpu_us"]) is not None]
            if foreign > QUIET_SHARE:
                between = f", rounds {_us(min(cpu), False)} to {_us(max(cpu), False)}" if cpu else ""
                spread.append((foreign, f"{result.name} {workload} ({foreign:.0%} of a core{between})"))
    if not spread:
        return []
    names = "; ".join(text for _, text in sorted(spread, reverse=True))
    return ["", f"**Not a quiet machine.** Other programs ran during these measurements, repeat them before comparing: {names}."]


def _row(result: Result, direct: Result | None) -> tuple[str, ...]:
    cpu = [_us(result.figures.get(name, {}).get("cpu_us"), name in result.broken) for name in CPU_COLUMNS]
    added = [_added(result, direct, quantile) for quantile in ("p50_ms", "p99_ms")]
    rss = max((figures.get("rss_mb") or 0 for figures in result.figures.values()), default=0)
    start = f"{result.start_s:.2f} s" if result.start_s is not None else "–"
    return (f"{result.name} {result.version}", *cpu, *added, f"{rss:.0f} MB", start)


def _added(result: Result, direct: Result | None, quantile: str) -> str:
    mine = result.figures.get("latency", {}).get(quantile)
    theirs = direct.figures.get("latency", {}).get(quantile) if direct is not None else None
    return _ms(mine - theirs) if mine is not None and theirs is not None else "–"


def _us(value: float | None, is_broken: bool) -> str:
    if is_broken:
        return "broken"
    if value is None:
        return "–"
    return f"{value:.1f} µs" if value < 100 else f"{value:.0f} µs"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} ms"
