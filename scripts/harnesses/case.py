"""One case: a harness, a donut, and a far end that speaks one dialect; did the task get done?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.harnesses.far_end.faults import Fault
from scripts.harnesses.far_end.script import DONE, EXPECTED, PROMPT
from scripts.harnesses.far_end.server import SPEECHES, Exchange, FarEnd
from scripts.harnesses.harness import KEY, MODEL, Harness
from scripts.harnesses.install import version_of
from scripts.harnesses.real_server import RealServer
from scripts.harnesses.run import Finished, run
from scripts.harnesses.tap import Tap
from tests.processes import DonutProcess

_KINDS = {"chat": ("openai", "/v1"), "responses": ("openai", "/v1"), "messages": ("anthropic", "/v1"), "gemini": ("gemini", "/v1beta")}
"""Upstream dialect → the provider kind that speaks it, and its version path."""
DIRECT = "direct"
"""No donut in between."""
REAL = "llama.cpp"
"""A real server as the upstream, in whatever dialects its kind speaks."""
_MODEL_NAME = re.compile(rb'"model"\s*:\s*"[^"]*"')


@dataclass(frozen=True, slots=True)
class Case:
    harness: Harness
    upstream: str
    """The dialect of the far end, DIRECT or REAL."""
    fault: Fault | None = None
    fault_name: str = ""
    limit_s: float = 240

    @property
    def is_real(self) -> bool:
        return self.upstream == REAL

    @property
    def name(self) -> str:
        return ".".join(filter(None, (self.harness.name, self.upstream, self.fault_name)))


@dataclass(frozen=True, slots=True)
class Outcome:
    case: Case
    finished: Finished
    requests: int
    """That reached the far end and wanted an answer."""
    is_identical: bool | None
    """Same dialect on both sides: were all bodies the same bytes? None: translated, or direct."""
    objections: Sequence[str]
    """What the vendor would have refused in donut's requests."""
    errors: Sequence[str]
    """Error answers that the harness got from donut."""
    strays: Sequence[str]
    """Requests to paths that the upstream does not have."""

    @property
    def is_done(self) -> bool:
        """Did the harness do the task, seeing every tool's output?"""
        return self.finished.exit_code == 0 and (EXPECTED if self.case.fault is None else DONE) in self.finished.last_word

    @property
    def is_green(self) -> bool:
        if self.case.is_real:  # its words are random, so the task is never done: that its answers were taken is what counts
            return self.finished.exit_code == 0 and self.requests > 0 and not self.errors
        return self.is_done and not self.objections and self.is_identical is not False

    def as_json(self) -> Mapping[str, Any]:
        return {
            "harness": self.case.harness.name,
            "version": version_of(self.case.harness),
            "downstream": self.case.harness.dialect,
            "upstream": self.case.upstream,
            "fault": self.case.fault_name or None,
            "green": self.is_green,
            "done": self.is_done,
            "exit_code": self.finished.exit_code,
            "seconds": round(self.finished.seconds, 1),
            "requests": self.requests,
            "identical": self.is_identical,
            "objections": list(self.objections),
            "errors": list(self.errors),
            "strays": list(self.strays),
            "last_word": self.finished.last_word.strip()[-400:],
        }


def donut_config(far_url: str, dialect: str) -> str:
    """A donut whose only provider is the far end. Whatever name a harness uses for its chores, it is this one model. JSON is YAML."""
    kind, path = _KINDS.get(dialect, ("llamacpp", "/v1"))
    model = {"upstream": MODEL, "model": MODEL, "context_window": 400_000, "capabilities": ["tools", "json", "vision", "reasoning"]}
    provider = {"id": "far", "kind": kind, "base_url": far_url + path, "api_key": KEY, "models": [model]}
    if dialect != REAL:
        provider["dialects"] = [dialect]
    return json.dumps(
        {
            "discovery": {"local": False, "environment": False},
            "providers": [provider],
            "routing": {"rewrites": {"*": MODEL}},
        }
    )


async def play(case: Case, folder: Path) -> Outcome:
    """Everything of the case is below `folder`, which must not exist."""
    (folder / "donut").mkdir(parents=True)
    async with AsyncExitStack() as stack:
        far: FarEnd | RealServer
        if case.is_real:
            far = await stack.enter_async_context(RealServer(folder))
        else:
            far = await stack.enter_async_context(FarEnd(None if case.upstream == DIRECT else case.upstream, case.fault))
        if case.upstream == DIRECT:
            return _outcome(case, await run(case.harness, far.url, folder / "run", PROMPT, case.limit_s), far, None, folder)
        donut = DonutProcess(folder / "donut", donut_config(far.url, case.upstream))
        try:
            await stack.enter_async_context(donut)
        except (AssertionError, ValueError):  # it ended, or said something that is no log line: a traceback
            said = b"".join(donut.stderr).decode(errors="replace")
            return _outcome(case, Finished(None, 0.0, f"donut did not start: {said[-400:]}"), far, None, folder)
        tap = await stack.enter_async_context(Tap(donut.port))
        finished = await run(case.harness, f"http://127.0.0.1:{tap.port}", folder / "run", PROMPT, case.limit_s)
        (folder / "donut" / "stderr.txt").write_bytes(b"".join(donut.stderr))
        return _outcome(case, finished, far, tap, folder)


def _outcome(case: Case, finished: Finished, far: FarEnd | RealServer, tap: Tap | None, folder: Path) -> Outcome:
    exchanges = far.exchanges if isinstance(far, FarEnd) else []
    answers = [exchange for exchange in exchanges if exchange.dialect in SPEECHES]
    _save(exchanges, folder / "far")
    is_identical = None
    if tap is not None:
        tap.save(folder / "tap")
        if case.fault is None and case.upstream == case.harness.dialect:
            is_identical = _are_identical(answers, tap)
    outcome = Outcome(
        case,
        finished,
        len(tap.asked_bodies()) if tap is not None and case.is_real else len(answers),
        is_identical,
        sorted({objection for exchange in answers for objection in exchange.objections}),
        tap.errors() if tap is not None else [],
        sorted({exchange.target for exchange in exchanges if exchange.dialect == "stray"}),
    )
    (folder / "outcome.json").write_text(json.dumps(outcome.as_json(), indent=1))
    return outcome


def _are_identical(answers: Sequence[Exchange], tap: Tap) -> bool:
    """Does every body that the far end read or wrote stand, byte for byte, on the harness's side too? Only the model's name may differ."""
    asked = {_MODEL_NAME.sub(b"", body) for body in tap.asked_bodies()}
    said = set(tap.said_bodies())
    return all(_MODEL_NAME.sub(b"", exchange.body) in asked and exchange.said in said for exchange in answers)


def _save(exchanges: Sequence[Exchange], folder: Path) -> None:
    folder.mkdir()
    for number, exchange in enumerate(exchanges, 1):
        stem = f"{number:02}-{exchange.dialect}"
        (folder / f"{stem}-asked.http").write_bytes(exchange.head + exchange.body)
        (folder / f"{stem}-said-{exchange.status}-{exchange.ended}.txt").write_bytes(exchange.said)
