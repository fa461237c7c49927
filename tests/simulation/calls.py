"""What clients ask for and what they get, as values, and how scripts of clients are run."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

from routing.types import Demand, ModelTier
from tests.simulation.events import Events


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a client."""

    conversation: str
    demand: Demand
    output_tokens: int
    """How long the answer will be."""
    need: ModelTier | None
    """The tier that would do it well, which only the simulation knows; None where any answer is as good (chores, embeddings)."""
    patience_s: float
    """How long the client waits for the first content before it gives up."""
    leaves_after_s: float | None = None
    """The client cancels then, whatever happens: escape was pressed, or the call was speculative."""
    deadline_s: float = 600.0


class Status(enum.StrEnum):
    OK = "ok"
    REFUSED = "refused"
    """Nothing was tried: the router said no."""
    FAILED = "failed"
    """Everything that was tried failed before its first content."""
    TRUNCATED = "truncated"
    GAVE_UP = "gave_up"
    """Nothing came for longer than the client waits."""
    CANCELLED = "cancelled"
    """The client changed its mind."""


class Outcome(NamedTuple):
    status: Status
    provider_id: str | None
    retry_after_s: float | None = None


class Wait(NamedTuple):
    seconds: float


Step = Call | Wait
Script = Generator[Step, Outcome | None, None]
"""What a client does: it yields a Call and is sent its Outcome, or a Wait and is sent None."""
Asking = Generator[Step, Outcome | None, Outcome]

Send = Callable[[Call, Callable[[Outcome], None]], None]
"""Hand a call to donut; the function is called once, with what became of it."""


class Stage:
    """Runs scripts side by side in virtual time."""

    def __init__(self, events: Events, send: Send) -> None:
        self._events = events
        self._send = send
        self.running = 0

    def start(self, script: Script, delay_s: float = 0.0) -> None:
        self.running += 1
        self._events.after(delay_s, lambda: self._advance(script, None))

    def _advance(self, script: Script, outcome: Outcome | None) -> None:
        try:
            step = script.send(outcome)
        except StopIteration:
            self.running -= 1
            return
        if isinstance(step, Wait):
            self._events.after(step.seconds, lambda: self._advance(script, None))
        else:
            self._send(step, lambda outcome: self._advance(script, outcome))


RETRIES = 3
"""What the SDKs and harnesses of `reference/clients.md` do at least."""


def patiently(call: Call, *, retries: int = RETRIES) -> Asking:
    """Ask, and ask again when donut says that it is worth it: after the time it names, else 1 s, doubling."""
    for again in range(retries + 1):
        outcome = yield call
        assert outcome is not None
        if outcome.status not in (Status.REFUSED, Status.FAILED) or again == retries:
            return outcome
        wait_s = 2.0**again if outcome.retry_after_s is None else outcome.retry_after_s
        if wait_s > 60.0:
            return outcome
        yield Wait(wait_s)
    raise AssertionError("the last try returns")
