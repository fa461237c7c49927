"""The ranking of one stage's candidates for one kind of demand, kept from request to request.

A decision changes one replica's state, so the next one measures that replica again and nobody else. What is left per request is a look at
the log of changes, a maximum, and what the request itself adds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from routing.candidates import Candidates, Task
from routing.changes import ChangeLog
from routing.columns import Change, Column
from routing.factors import MeasuredFactor
from routing.fleet import Belief, Reading
from routing.scaling import Scale
from routing.scoring import Scoring
from routing.types import Ranking

DERIVED_KEPT = 16
"""Per sole candidate: the shipped sources have two values each."""


class Board:
    """After any history its ranking is that of a new board, to the last bit: every total is the same sum in the same order."""

    __slots__ = ("_base", "_candidates", "_changes", "_columns", "_derived", "_ranking", "_rows", "_scoring", "_task", "_version")

    def __init__(self, candidates: Candidates, task: Task, scoring: Scoring, changes: ChangeLog) -> None:
        self._candidates = candidates
        self._task = task
        self._scoring = scoring
        self._changes = changes
        self._version = changes.version
        self._rows = list(zip(candidates.replicas, candidates.models, candidates.states, strict=True))
        weights = scoring.weights
        fixed = {factor.name: Column(factor, weights[factor.name], self._rows, task) for factor in scoring.fixed}
        neutral = [scoring.neutral_total] * len(self._rows)
        self._base: list[float] = list(map(sum, zip(neutral, *(column.weighted for column in fixed.values()), strict=True)))
        """The part of the totals that never changes."""
        self._columns = {factor.name: Column(factor, weights[factor.name], self._rows, task) for factor in scoring.moving}
        values: dict[str, Sequence[float]] = {name: column.values for name, column in (fixed | self._columns).items()}
        self._derived: dict[str, list[float]] = {}
        """Weighted."""
        self._derive(values)
        self._ranking = Ranking(
            [replica.id for replica in candidates.replicas],
            [replica.logical_model_id for replica in candidates.replicas],
            values,
            scoring.neutrals,
            self._totals(),
        )

    def ranked(self) -> Ranking:
        """As of now. Whoever got one before keeps what it saw."""
        if self._version != self._changes.version:
            changed = self._changes.since(self._version, self._candidates.positions)
            self._version = self._changes.version
            if changed:
                self._update(changed)
        return self._ranking

    def _update(self, changed: Collection[int]) -> None:
        rows, task = self._rows, self._task
        work = Change.NONE
        touched: dict[str, list[float]] = {}
        for name, column in self._columns.items():
            if change := column.update(changed, rows, task):
                touched[name] = column.values
                work = max(work, change)
        if not touched:
            return
        values = {**self._ranking.columns, **touched}
        if any(source in touched for factor in self._scoring.derived for source in factor.sources):
            self._derive(values)
            work = Change.ALL
        totals = self._totals() if work is Change.ALL else self._totals_at(changed)
        self._ranking = self._ranking._replace(columns=values, totals=totals)

    def _derive(self, values: dict[str, Sequence[float]]) -> None:
        """Add the derived columns to `values`."""
        scoring = self._scoring
        selector = scoring.selector(self._task.objective)
        for factor in scoring.derived:
            column = factor.derive([values[source] for source in factor.sources], selector, scoring.emphasis)
            values[factor.name] = column
            weight = scoring.weights[factor.name]
            self._derived[factor.name] = [weight * value for value in column]

    def _totals(self) -> list[float]:
        moving = (column.weighted for column in self._columns.values())
        return list(map(sum, zip(self._base, *moving, *self._derived.values(), strict=True)))

    def _totals_at(self, positions: Collection[int]) -> list[float]:
        """The ranking's totals with those at `positions` summed anew."""
        totals = list(self._ranking.totals)
        columns: list[list[float]] = [self._base, *(column.weighted for column in self._columns.values()), *self._derived.values()]
        for i in positions:
            totals[i] = sum([column[i] for column in columns])
        return totals


class SoleBoard:
    """The same for one candidate, which needs no ranking to be chosen: its figures are worked out when somebody reads them.

    The usual case of a model that is named and served in one place, and the hot path.
    """

    __slots__ = ("_base", "_derived", "_fixed", "_moving", "_scoring", "_selector", "_state", "_task", "_who")

    def __init__(self, candidates: Candidates, task: Task, scoring: Scoring) -> None:
        self._who = candidates.replicas[0], candidates.models[0]
        self._state = candidates.states[0]
        self._task = task
        self._scoring = scoring
        self._selector = scoring.selector(task.objective)
        self._fixed: dict[str, Sequence[float]] = {factor.name: (self._value(factor, self._state),) for factor in scoring.fixed}
        self._base = sum([scoring.neutral_total, *(scoring.weights[name] * value for name, (value,) in self._fixed.items())])
        self._moving = [(each.name, scoring.weights[each.name], each) for each in scoring.moving]
        self._derived: dict[tuple[float, ...], dict[str, Sequence[float]]] = {}
        """The sources' values → the derived columns. One candidate is the best of all there are, so there are few different ones."""

    def ranked(self) -> Sole:
        return Sole(self, self._state.reading())

    def ranking_of(self, reading: Reading) -> Ranking:
        """What a Board would say of one candidate."""
        replica, model = self._who
        scoring, weights, task = self._scoring, self._scoring.weights, self._task
        columns = dict(self._fixed)
        sums = [self._base]
        for name, weight, factor in self._moving:
            value = factor.measure(replica, model, reading, task)
            if value is None:
                value = factor.neutral
            elif factor.scale is not Scale.AS_IS:
                value = 1.0
            columns[name] = (value,)
            sums.append(weight * value)
        for derived_name, column in self._derive(columns).items():
            columns[derived_name] = column
            sums.append(weights[derived_name] * column[0])
        return Ranking((replica.id,), (replica.logical_model_id,), columns, scoring.neutrals, (sum(sums),))

    def _derive(self, columns: Mapping[str, Sequence[float]]) -> Mapping[str, Sequence[float]]:
        scoring = self._scoring
        key = tuple([columns[source][0] for source in scoring.sources])
        found = self._derived.get(key)
        if found is None:
            found = {
                each.name: each.derive([columns[source] for source in each.sources], self._selector, scoring.emphasis)
                for each in scoring.derived
            }
            if len(self._derived) < DERIVED_KEPT:
                self._derived[key] = found
        return found

    def _value(self, factor: MeasuredFactor, belief: Belief) -> float:
        value = factor.measure(*self._who, belief, self._task)
        if value is None:
            return factor.neutral
        return value if factor.scale is Scale.AS_IS else 1.0


class Sole(NamedTuple):
    """The one candidate as it was when it was chosen."""

    board: SoleBoard
    reading: Reading

    @property
    def size(self) -> int:
        return 1

    def ranking(self) -> Ranking:
        return self.board.ranking_of(self.reading)


def board_of(candidates: Candidates, task: Task, scoring: Scoring, changes: ChangeLog) -> Board | SoleBoard:
    if len(candidates.replicas) == 1:
        return SoleBoard(candidates, task, scoring)
    return Board(candidates, task, scoring, changes)
