"""Thresholds of limits that were passed: noted when usage is counted, told once until the use falls below them again."""

from __future__ import annotations

from typing import NamedTuple

from routing.headroom.counters import Ceiling, Counter
from routing.headroom.limits import Limit, told

ALERTS_KEPT = 256
"""For whoever fetches them; the oldest go first."""


class Alert(NamedTuple):
    """A limit's use passed one of its thresholds."""

    limit: Limit
    key: str
    """Whose use: `limits.key_of`."""
    threshold: float
    """Share of the limit."""
    used: float
    """In the limit's unit."""
    at_s: float
    """`now_s`."""


class Alerts:
    __slots__ = ("_noted",)

    def __init__(self) -> None:
        self._noted: list[Alert] = []

    def take(self) -> list[Alert]:
        """Those since the last call."""
        taken, self._noted = self._noted, []
        return taken

    def look(self, counter: Counter, now_s: float) -> None:
        """After something was counted."""
        for ceiling in counter.ceilings:
            if ceiling.limit.alert_at:
                self._look_at(ceiling, now_s)

    def _look_at(self, ceiling: Ceiling, now_s: float) -> None:
        counter = ceiling.counter
        used = counter.meter.used(now_s) + counter.others
        passed = max((share for share in ceiling.limit.alert_at if used >= share * ceiling.most), default=0.0)
        if passed > ceiling.alerted:
            self._noted.append(Alert(ceiling.limit, counter.id.key, passed, told(ceiling.limit.unit, used), now_s))
            del self._noted[:-ALERTS_KEPT]
        ceiling.alerted = passed
