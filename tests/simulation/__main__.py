"""`scripts/simulate`: run a scenario, or all of them, over one seed or many, and say what came of it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from tests.simulation.report import Report, page
from tests.simulation.scenarios import SCENARIOS, simulated
from tests.simulation.world import BrokenRunError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="A day of agent traffic through the production router, in virtual time. The same seed is the same day.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="scenarios:\n" + "\n".join(f"  {name:<13}{(arrange.__doc__ or '').splitlines()[0]}" for name, arrange in SCENARIOS.items()),
    )
    parser.add_argument("--scenario", default="calm", choices=[*SCENARIOS, "all"], help="which trouble; default: calm")
    parser.add_argument("--seed", type=int, default=1, help="the chance of the run; default: 1")
    parser.add_argument("--seeds", metavar="A-B", help="many runs, one line each")
    parser.add_argument("--hours", type=float, default=24.0, help="virtual hours, centred at noon; default: 24")
    parser.add_argument("--load", type=float, default=1.0, help="times the usual number of people; default: 1")
    parser.add_argument("--json", action="store_true", help="one JSON object per run instead of the page")
    return parser


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _line(report: Report, seconds: float) -> str:
    return (
        f"{report.scenario:<12} seed {report.seed:<5} {report.trace}  {report.requests:>6} requests  {report.open_success:8.3%} answered  "
        f"USD {report.tally.cost_usd:8.2f}  {seconds:5.1f} s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 when every run held, 1 when one broke an invariant, 2 for arguments that make no sense."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        seeds = _seeds(options.seeds) if options.seeds else range(options.seed, options.seed + 1)
    except ValueError:
        parser.error(f"--seeds wants two numbers such as 1-20, not {options.seeds!r}")
    if options.hours <= 0 or options.load <= 0:
        parser.error("--hours and --load must be positive")
    names = list(SCENARIOS) if options.scenario == "all" else [options.scenario]
    is_single = len(names) * len(seeds) == 1
    broken = 0
    for name in names:
        for seed in seeds:
            began_s = time.perf_counter()
            try:
                report = simulated(name, seed, options.hours, options.load).run()
            except BrokenRunError as error:
                print(error, file=sys.stderr)
                broken += 1
                continue
            took_s = time.perf_counter() - began_s
            print(json.dumps(report.as_dict()) if options.json else page(report) if is_single else _line(report, took_s), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
