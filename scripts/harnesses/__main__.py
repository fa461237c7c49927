"""Runs the suite: installs what is missing, plays every case one after the other, prints the table. Exit code 1 if anything is red."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from scripts.harnesses.case import DIRECT, REAL, Case, Outcome, play
from scripts.harnesses.far_end.server import SPEECHES
from scripts.harnesses.faults import TRIALS, reacts_as_it_should
from scripts.harnesses.install import CACHE, CannotInstallError, search_path, version_of
from scripts.harnesses.known import HARNESSES
from scripts.harnesses.real_server import server_binary
from scripts.harnesses.report import mark, table, troubles


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/clients", description=__doc__)
    parser.add_argument("--only", type=_names(HARNESSES), default=list(HARNESSES), metavar="A,B", help=f"of {', '.join(HARNESSES)}")
    upstreams = [*SPEECHES, DIRECT, REAL]
    parser.add_argument(
        "--upstream",
        type=_names(upstreams),
        metavar="A,B",
        help=f"of {', '.join(upstreams)} ({DIRECT}: no donut in between; {REAL}: a real server); default: the four dialects",
    )
    parser.add_argument("--faults", action="store_true", help="play the failures instead; without --upstream, in the harness's own dialect")
    parser.add_argument("--fault", type=_names(TRIALS), default=list(TRIALS), metavar="A,B", help=f"of {', '.join(TRIALS)}")
    parser.add_argument("--keep", action="store_true", help="keep what was recorded on both sides of donut, also of what went well")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--install-only", action="store_true", help="install the harnesses, run nothing")
    return parser.parse_args()


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """A comma-separated option whose names must be known."""
    allowed = list(known)

    def names(text: str) -> list[str]:
        chosen = [name.strip() for name in text.split(",") if name.strip()]
        strange = sorted(set(chosen) - set(allowed))
        if strange or not chosen:
            raise argparse.ArgumentTypeError(f"{', '.join(strange) or 'nothing'} is none of {', '.join(allowed)}")
        return chosen

    return names


def cases(given: argparse.Namespace) -> list[Case]:
    chosen = [HARNESSES[name] for name in given.only]
    if not given.faults:
        return [Case(harness, upstream) for harness in chosen for upstream in given.upstream or SPEECHES]
    return [
        Case(harness, upstream, TRIALS[fault].fault, fault, TRIALS[fault].limit_s)
        for harness in chosen
        for upstream in given.upstream or [harness.dialect]
        for fault in given.fault
    ]


def is_fine(outcome: Outcome) -> bool:
    return reacts_as_it_should(outcome) if outcome.case.fault is not None else outcome.is_green


async def play_all(planned: Sequence[Case], folder: Path, *, keeps: bool) -> list[Outcome]:
    """One after the other: harnesses are heavy, and their seconds are to mean something. SIGTERM ends the harness and donut, too."""
    playing = asyncio.current_task()
    assert playing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    outcomes = []
    for case in planned:
        outcome = await play(case, folder / case.name)
        outcomes.append(outcome)
        print(f"{case.name:44} {mark(outcome):14} {outcome.finished.seconds:6.1f} s {outcome.requests:3} req", file=sys.stderr, flush=True)
        if is_fine(outcome) and not keeps:
            shutil.rmtree(folder / case.name)
    return outcomes


def main() -> int:
    given = arguments()
    try:
        for name in given.only:
            package = HARNESSES[name].package
            if package is not None:
                search_path(package)
        if REAL in (given.upstream or ()):
            server_binary()
    except CannotInstallError as error:
        print(f"clients: {error}", file=sys.stderr)
        return 2
    if given.install_only:
        print("\n".join(f"{name} {version_of(HARNESSES[name])}" for name in given.only), f"\nin {CACHE}")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="donut-clients-"))
    try:
        outcomes = asyncio.run(play_all(cases(given), folder, keeps=given.keep))
    except asyncio.CancelledError:
        print(f"clients: ended early; recordings: {folder}", file=sys.stderr)
        return 143
    bad = [outcome for outcome in outcomes if not is_fine(outcome)]
    if given.json:
        print(json.dumps([{**outcome.as_json(), "fine": is_fine(outcome)} for outcome in outcomes], indent=1))
    else:
        columns = given.fault if given.faults else given.upstream or list(SPEECHES)
        print(table(outcomes, columns, by_fault=given.faults))
        print(*(f"\n{troubles(outcome)}\n  recorded in {folder / outcome.case.name}" for outcome in bad), sep="")
    if given.keep or bad:
        print(f"recordings: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
