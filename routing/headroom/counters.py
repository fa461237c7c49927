"""One count of use, and the limits that stand on it.

A counter is what a store shares: `key` × unit × window. Several limits may stand on one (an alert at half of it, a refusal at the whole).
"""

from __future__ import annotations

from typing import NamedTuple

from routing.headroom.limits import SLOT, Limit, OnExceed, counted, worded
from routing.headroom.meters import Meter
from routing.headroom.types import Confidence, Unit, Window

ESTIMATED_ABOVE = 0.2
"""A count of which more than a fifth was estimated says so."""

HELD_FREES_S = 2.0
"""When nothing but open attempts holds what is needed, this is when asking again may help. Nobody knows when they end."""


STEP = 8
"""What is left is looked at again when it is an eighth more or less. Relative, so that an account of 300 replicas is looked at five times
on its way from whole to half, and closely near its end."""

NEVER = 1 << 62


def is_step(noted: int, left: int) -> bool:
    left = max(0, left)
    return not noted * (STEP - 1) <= left * STEP <= noted * (STEP + 1)


def surely_left(noted: int) -> int:
    """The least that can be left without having been a step since."""
    return noted * (STEP - 1) // STEP


class CounterKey(NamedTuple):
    key: str
    """`limits.key_of`."""
    unit: Unit
    window: Window
    calendar: bool = False


class Counter:
    """`held` is what open attempts may use, `others` what other processes used and hold of the same counter."""

    __slots__ = ("ceilings", "estimated", "held", "high", "id", "is_alerting", "low", "meter", "others", "place_ids", "settled", "slot")

    def __init__(self, id_: CounterKey, meter: Meter) -> None:
        self.id = id_
        self.meter = meter
        self.slot = SLOT[id_.unit]
        self.held = 0
        self.others = 0
        self.ceilings: list[Ceiling] = []
        self.is_alerting = False
        """Has any of them thresholds to tell of?"""
        self.place_ids: list[str] = []
        """The replicas that it binds, where it is about who answers."""
        self.low, self.high = 0, -1
        """While between so much and so much is taken, nobody need look again. At first somebody has to."""
        self.settled = 0
        self.estimated = 0
        """The part of `settled` that donut estimated."""

    def taken(self, now_s: float) -> int:
        """Used and held, by everybody."""
        return self.meter.used(now_s) + self.held + self.others

    def settle(self, held: int, used: int, now_s: float, *, is_estimated: bool) -> None:
        """`held` is given back, `used` is counted."""
        self.held -= held
        assert self.held >= 0, f"{self.id} gave back more than it held"
        if used:
            self.meter.add(used, now_s)
            self.settled += used
            if is_estimated:
                self.estimated += used

    @property
    def confidence(self) -> Confidence:
        return Confidence.ESTIMATED if self.estimated > ESTIMATED_ABOVE * self.settled else Confidence.COUNTED

    @property
    def may_have_stepped(self) -> bool:
        """Was enough taken since the last look for `has_stepped` to say so? Quick, and it sees nothing that time gave back."""
        return self.meter.total + self.held + self.others > self.high

    def has_stepped(self, now_s: float) -> bool:
        """Did what is left of a limit change enough for rankings and gates to look again?"""
        taken = self.taken(now_s)
        if self.low <= taken <= self.high:
            return False
        self.low, self.high = -NEVER, NEVER
        for ceiling in self.ceilings:
            if ceiling.stops and self.place_ids:
                ceiling.noted = noted = max(0, ceiling.most - taken)
                self.low = max(self.low, ceiling.most - noted * (STEP + 1) // STEP)
                self.high = min(self.high, ceiling.most - surely_left(noted)) if taken < ceiling.most else self.high
        return True


class Ceiling:
    """One limit on one counter."""

    __slots__ = ("alerted", "counter", "is_counted", "is_soft", "limit", "most", "noted", "slot", "source", "stops")

    def __init__(self, limit: Limit, counter: Counter, *, is_soft: bool = False) -> None:
        """`is_soft`: asked for only while somebody else can answer (pacing)."""
        self.limit = limit
        self.counter = counter
        self.most = max(1, counted(limit.unit, limit.most * (1.0 - limit.spare)))
        """Counted; without what is spared."""
        self.slot = counter.slot
        self.source = limit.source
        self.is_soft = is_soft
        self.is_counted = limit.window is not Window.REQUEST
        self.stops = limit.on_exceed is not OnExceed.ALERT
        self.noted = -1
        """What was left when rankings last looked."""
        self.alerted = 0.0
        """The highest of `limit.alert_at` that has been told of what is used now."""
        counter.ceilings.append(self)
        counter.is_alerting = counter.is_alerting or bool(limit.alert_at)

    def left(self, now_s: float) -> int:
        """Counted; below zero when more was used than estimated."""
        return self.most - self.counter.taken(now_s) if self.is_counted else self.most

    def frees_at_s(self, needed: int, now_s: float) -> float | None:
        """When `needed` will fit, as far as it is known; None when it never will."""
        if needed > self.most:
            return None
        missing = needed - self.left(now_s)
        if missing <= 0:
            return now_s
        found = self.counter.meter.frees_at_s(missing, now_s)
        return found if found is not None else now_s + HELD_FREES_S

    def refusal(self, needed: int, left: int) -> str:
        """Which limit, what is left of it and what was needed."""
        unit, window = self.limit.unit, self.limit.window
        return (
            f"{self.source}: {worded(unit, self.most)} per {window} for {self.counter.id.key}, "
            f"{worded(unit, max(0, left))} left, {worded(unit, needed)} needed"
        )
