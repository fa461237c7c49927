"""One unattended run of a harness, in a home of its own and with none of the user's environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.harnesses.harness import Harness, Place
from scripts.harnesses.install import ROOT, search_path


@dataclass(frozen=True, slots=True)
class Finished:
    exit_code: int | None
    """None: it was still running at the time limit, and was ended."""
    seconds: float
    last_word: str


async def run(harness: Harness, url: str, folder: Path, prompt: str, limit_s: float) -> Finished:
    """Start it, wait for its end or for `limit_s`; its output is in `folder`. `url` is without /v1."""
    place = Place(url, folder / "home", folder / "work")
    place.home.mkdir(parents=True)
    place.work.mkdir()
    (place.work / "README.txt").write_text("Nothing to see here.\n")
    launch = harness.prepare(place, prompt)
    command = harness.package.command if harness.package is not None else sys.executable
    environ = {
        "PATH": search_path(harness.package) if harness.package is not None else os.environ["PATH"],
        "HOME": str(place.home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        **launch.environ,
    }
    if harness.package is None:
        environ["PYTHONPATH"] = str(ROOT)
    began_s = time.monotonic()
    with (folder / "stdout.txt").open("wb") as out, (folder / "stderr.txt").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            _found(command, environ["PATH"]),
            *launch.arguments,
            cwd=place.work,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        exit_code = await _ended(process, limit_s)
    seconds = time.monotonic() - began_s
    return Finished(exit_code, seconds, harness.last_word((folder / "stdout.txt").read_text(errors="replace"), place.home))


def _found(command: str, path: str) -> str:
    """Its full path: the search is along the harness's PATH, not along ours."""
    for folder in path.split(os.pathsep):
        candidate = Path(folder) / command
        if os.access(candidate, os.X_OK):
            return str(candidate)
    return command


async def _ended(process: asyncio.subprocess.Process, limit_s: float) -> int | None:
    """Its exit code, or None when the time was up. The whole session is ended: harnesses leave tools and servers behind."""
    try:
        return await asyncio.wait_for(process.wait(), limit_s)
    except TimeoutError:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
