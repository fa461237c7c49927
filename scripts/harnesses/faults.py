"""What each harness must do when the upstream fails behind donut.

Measured without donut in between (the clients' reference, issue 4): a failure that may pass is tried again by everybody;
one that will not pass ends the run soon and is shown. donut must keep both, and improve on what a harness takes badly by itself: a stream
that ends without its last event (OpenCode does not notice, Gemini CLI takes half a text for the whole), an integer error code inside a
stream (Qwen gives up).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scripts.harnesses.case import Outcome
from scripts.harnesses.far_end.faults import Failing, Fault


class Reaction(StrEnum):
    FINISHES = "finishes"
    """Tries again and does the task."""
    STOPS = "stops"
    """Ends with an error within the time limit, after few requests."""
    HONEST = "honest"
    """Either of them; what it must not do is end well without the task done, or run on."""


@dataclass(frozen=True, slots=True)
class Trial:
    fault: Fault
    reaction: Reaction
    limit_s: float = 60
    instead: Mapping[str, Reaction] | None = None
    """Harness → its own reaction."""

    def reaction_of(self, harness: str) -> Reaction:
        stem = harness.partition("-")[0]
        return (self.instead or {}).get(stem, self.reaction)


_NO_RETRY = {"openai": Reaction.STOPS, "anthropic": Reaction.STOPS}
"""The SDKs try again before the first byte of a stream only."""

TRIALS: Mapping[str, Trial] = {
    "429": Trial(Fault(Failing.STATUS, 429, retry_after_s=1), Reaction.FINISHES),
    "500": Trial(Fault(Failing.STATUS, 500), Reaction.FINISHES),
    "529": Trial(Fault(Failing.STATUS, 529), Reaction.FINISHES),
    "overloaded-in-200": Trial(Fault(Failing.BROKEN), Reaction.FINISHES),
    # The upstream's own event goes through as it is, so each does what it does with its vendor: Codex stops at `server_is_overloaded`, Qwen
    # Code waits for a minute before it tries again.
    "overloaded-late": Trial(
        Fault(Failing.BROKEN, is_late=True), Reaction.FINISHES, limit_s=150, instead={**_NO_RETRY, "codex": Reaction.HONEST}
    ),
    "cut": Trial(Fault(Failing.CUT), Reaction.FINISHES),
    "cut-late": Trial(Fault(Failing.CUT, is_late=True), Reaction.FINISHES, instead={**_NO_RETRY, "gemini": Reaction.HONEST}),
    "truncated-late": Trial(Fault(Failing.TRUNCATED, is_late=True), Reaction.FINISHES, instead={**_NO_RETRY, "gemini": Reaction.HONEST}),
    "no-model": Trial(Fault(Failing.STATUS, 404, times=None), Reaction.STOPS),
    # OpenCode makes its history shorter and does the task, but then exits with 1.
    "overflow": Trial(
        Fault(Failing.OVERFLOW, after=1),
        Reaction.FINISHES,
        instead={
            "codex": Reaction.STOPS,
            "gemini": Reaction.HONEST,
            "opencode": Reaction.HONEST,
            "openai": Reaction.STOPS,
            "anthropic": Reaction.STOPS,
        },
    ),
}
MOST_REQUESTS = 12
"""A harness that stops does so within this many; loops without end made 44 and more."""


def reacts_as_it_should(outcome: Outcome) -> bool:
    trial = TRIALS[outcome.case.fault_name]
    stopped = outcome.finished.exit_code is not None and outcome.requests <= MOST_REQUESTS and not outcome.is_done
    match trial.reaction_of(outcome.case.harness.name):
        case Reaction.FINISHES:
            return outcome.is_done and not outcome.objections
        case Reaction.STOPS:
            return stopped
    return stopped or outcome.is_done
