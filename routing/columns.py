"""One measured factor over all candidates: what was measured, and what it counts for. Kept up to date one candidate at a time."""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.scaling import Scale, extremes, normalised, normalised_one
from routing.types import LogicalModel, ModelReplica

Row = tuple[ModelReplica, LogicalModel, Belief]


class Change(enum.IntEnum):
    """What an update did to a column, in order of the work that follows."""

    NONE = 0
    SOME = 1
    """The values of those candidates that were looked at, if any."""
    ALL = 2
    """The extremes moved, and so did everybody's value."""


class Column:
    """After any history of updates it is what a new one would be, to the last bit: nothing is added up, everything is set."""

    __slots__ = ("_extremes", "_factor", "_raw", "_weight", "values", "weighted")

    def __init__(self, factor: MeasuredFactor, weight: float, rows: Sequence[Row], task: Task) -> None:
        self._factor = factor
        self._weight = weight
        self._raw = [factor.measure(*row, task) for row in rows]
        self.values: list[float] = []
        """Normalised. Decisions keep it as evidence: replaced, never changed."""
        self.weighted: list[float] = []
        """For nobody else's eyes, so changed in place."""
        self._normalise()

    def update(self, positions: Collection[int], rows: Sequence[Row], task: Task) -> Change:
        """Measure those at `positions` again."""
        measure, raw = self._factor.measure, self._raw
        moved = []
        for i in positions:
            replica, model, state = rows[i]
            value = measure(replica, model, state, task)
            if value != raw[i]:
                moved.append((i, raw[i]))
                raw[i] = value
        if not moved:
            return Change.NONE
        if self._factor.scale is not Scale.AS_IS and self._extremes_may_move(moved) and extremes(raw) != self._extremes:
            self._normalise()
            return Change.ALL
        self._set(moved)
        return Change.SOME

    def _extremes_may_move(self, moved: Sequence[tuple[int, float | None]]) -> bool:
        if self._extremes is None:
            return True
        low, high = self._extremes
        for i, before in moved:
            now = self._raw[i]
            if before is None or now is None or before in (low, high) or not low <= now <= high:
                return True
        return False

    def _set(self, moved: Sequence[tuple[int, float | None]]) -> None:
        factor, values = self._factor, self.values.copy()
        for i, _ in moved:
            value = normalised_one(self._raw[i], factor.scale, self._extremes, factor.noise, factor.neutral)
            values[i] = value
            self.weighted[i] = self._weight * value
        self.values = values

    def _normalise(self) -> None:
        factor, weight = self._factor, self._weight
        self._extremes = extremes(self._raw)
        self.values = normalised(self._raw, factor.scale, self._extremes, factor.noise, factor.neutral)
        self.weighted = [weight * value for value in self.values]
