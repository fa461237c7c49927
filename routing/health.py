"""When a replica may be asked. One table of transitions over three states; every number has its reason beside it.

HEALTHY --failures--> EJECTED --time--> PROBATION --success--> HEALTHY
                         ^                  |
                         +----failure-------+

A rate limit is no illness: it only closes the replica until its reset, and one trial finds out whether that was true. Words: never
open/closed (STYLE.md, "Names").
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

from routing.facts import Failure, FailureKind, HealthTold

CONSECUTIVE_FAILURES = 3
"""Failures in a row that eject. One is chance, two may be the same hiccup; envoy's default of five lets five people wait."""

EJECTION_BASE_S = 5.0
EJECTION_CAP_S = 60.0
"""Five seconds, doubling: a restarted local server is back soon; a dead one costs one probe a minute."""

CREDENTIAL_EJECTION_S = 60.0
"""A refused key or an unknown model does not heal in five seconds, but a person may be fixing it right now."""

RATE_LIMIT_BASE_S = 1.0
RATE_LIMIT_CAP_S = 3600.0
"""A hint is believed up to an hour and then probed again: hints of eighteen days have been seen (CLIProxyAPI 5770)."""

PARKED_S = 3600.0
"""An account without money waits for a person: one probe an hour finds out that somebody has paid."""

AT_ONCE: Mapping[FailureKind, float] = {
    FailureKind.UNAUTHORIZED: CREDENTIAL_EJECTION_S,
    FailureKind.NOT_FOUND: CREDENTIAL_EJECTION_S,
    FailureKind.QUOTA_EXHAUSTED: PARKED_S,
}
"""Kinds that eject at the first failure, and for how long at least: trying again with the same key and name can not help."""


class Health(enum.StrEnum):
    HEALTHY = "healthy"
    EJECTED = "ejected"
    PROBATION = "probation"


HEALTHY = Health.HEALTHY
"""A name of the module is found quicker than a member of an enum."""


@dataclass(slots=True)
class HealthState:
    """Belief about one replica's health. Changed by the functions below only."""

    health: Health = Health.HEALTHY
    consecutive_failures: int = 0
    ejections: int = 0
    """Ejections since the last success: the exponent of the back-off."""
    ejected_until_s: float = 0.0
    limited_until_s: float = 0.0
    limit_level: int = 0
    limit_reason: str = ""
    probe: int | None = None
    """The reservation of the one probe that is out. Set when it is sent and cleared when it is settled, by `Fleet` and whatever happens to
    the health meanwhile: a probe that is still under way when the next ejection ends is still the one probe."""
    reason: str = ""
    healed_s: float = -math.inf
    """When it came back from its latest ejection."""

    @property
    def is_spotless(self) -> bool:
        """Is there nothing that a success would have to mend?"""
        has_marks = self.consecutive_failures or self.ejections or self.limited_until_s or self.limit_level
        return not has_marks and self.health is HEALTHY


def advance(state: HealthState, now_s: float) -> None:
    """Let time pass: an ejection that is over becomes probation."""
    if state.health is Health.EJECTED and now_s >= state.ejected_until_s:
        state.health = Health.PROBATION


def needs_probe(state: HealthState) -> bool:
    """Is the next attempt the one that finds out? After an ejection, and after a rate limit: a reset is a promise, not a fact, and whoever
    was turned away meanwhile would all come at once."""
    return state.health is not Health.HEALTHY or state.limited_until_s > 0.0


def began(state: HealthState, now_s: float) -> None:
    """A probe or a trial is being answered, so a rate limit is over before the answer is."""
    if now_s >= state.limited_until_s:
        _lift(state)


def succeeded(state: HealthState, now_s: float, *, was_probe: bool) -> None:
    """One attempt ended well. An answer that began before the trouble proves nothing about now: only what was sent since heals.

    `was_probe`: a probe or sent in panic, while the replica was ejected or on probation.

    A rate limit stays until its time in any case: an old stream that ends well has not raised the limit.
    """
    if state.health is not Health.HEALTHY and not was_probe:
        return
    _heal(state, now_s)
    if now_s >= state.limited_until_s:
        _lift(state)


def _heal(state: HealthState, now_s: float) -> None:
    if state.health is not Health.HEALTHY:
        state.healed_s = now_s
    state.health = Health.HEALTHY
    state.consecutive_failures = 0
    state.ejections = 0
    state.ejected_until_s = 0.0
    state.reason = ""


def _lift(state: HealthState) -> None:
    """Of its rate limit."""
    state.limit_level = 0
    state.limited_until_s = 0.0
    state.limit_reason = ""


def told(state: HealthState, news: HealthTold, now_s: float) -> None:
    """Somebody else believes this. Never shortens a wait that is believed here."""
    if news.ejected_until_s > now_s:
        state.health = Health.EJECTED
        state.ejected_until_s = max(state.ejected_until_s, news.ejected_until_s)
        state.reason = state.reason or news.reason
    if news.limited_until_s > now_s:
        state.limited_until_s = max(state.limited_until_s, news.limited_until_s)
        state.limit_reason = state.limit_reason or news.reason


def reset(state: HealthState, now_s: float) -> None:
    """A person says that it is well. A probe that is out stays the one that is out."""
    _heal(state, now_s)
    _lift(state)


def failed(state: HealthState, failure: Failure, now_s: float, *, was_probe: bool) -> None:
    """One attempt failed. Only kinds that blame the replica move it towards ejection.

    An attempt that began before the ejection ends with the same trouble, not with a second one: ten streams that one restart cut
    would otherwise cost a minute and not five seconds.
    """
    if failure.kind is FailureKind.RATE_LIMITED:
        _limit(state, failure, now_s)
        return
    if not failure.policy.blames_replica:
        return
    at_once = failure.kind in AT_ONCE
    if state.health is not Health.HEALTHY and not was_probe and not at_once:
        if state.health is Health.EJECTED:
            state.ejected_until_s = max(state.ejected_until_s, now_s + _hint(failure))
        return
    state.consecutive_failures += 1
    state.reason = f"{failure.kind}: {failure.message}"
    if at_once or state.health is Health.PROBATION or state.consecutive_failures >= CONSECUTIVE_FAILURES:
        _eject(state, failure, now_s, AT_ONCE.get(failure.kind, 0.0))


def _eject(state: HealthState, failure: Failure, now_s: float, at_least_s: float) -> None:
    wait_s = max(at_least_s, _hint(failure), min(EJECTION_CAP_S, EJECTION_BASE_S * 2.0**state.ejections))
    state.health = Health.EJECTED
    state.ejections = min(state.ejections + 1, 16)
    # The later deadline wins: a fresh, shorter ejection must not let the replica back early (litellm 40130).
    state.ejected_until_s = max(state.ejected_until_s, now_s + wait_s)


def _limit(state: HealthState, failure: Failure, now_s: float) -> None:
    wait_s = _hint(failure)
    if failure.retry_after_s is None:
        if now_s < state.limited_until_s:
            return  # sent before the limit was known: the same news, and no ground for a longer wait
        wait_s = min(RATE_LIMIT_CAP_S, RATE_LIMIT_BASE_S * 2.0**state.limit_level)
        state.limit_level = min(state.limit_level + 1, 12)
    state.limited_until_s = max(state.limited_until_s, now_s + wait_s)
    state.limit_reason = f"{failure.kind}: {failure.message}"


def _hint(failure: Failure) -> float:
    """How long the upstream itself asks to be left alone, as far as it is believed."""
    return min(failure.retry_after_s or 0.0, RATE_LIMIT_CAP_S)
