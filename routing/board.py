"""The ranking of one stage's candidates for one kind of demand, kept from request to request.

A decision changes what one replica has in flight, so the next one asks that replica again and nobody else. What is learned from answers is
taken in as often as it is worth it. What is left per request is a look at who changed, a maximum, and what the request itself adds.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from routing.candidates import Candidates, Task
from routing.columns import Change, Column
from routing.factors import MeasuredFactor
from routing.fleet import Belief, Reading
from routing.scaling import Scale
from routing.scoring import Scoring
from routing.types import Ranking


class Changing(Protocol):
    """The part of the fleet that tells whether somebody's state changed: `ReplicaState` says whose."""

    changes: int
    loads: int


DERIVED_KEPT = 16
"""Per sole candidate: the shipped sources have two values each."""


LOOKS = 8
LOOK_PERIOD_S = 0.05
"""So many times in such a time a ranking takes in what was learned: at once while decisions are few, and 50 ms late at the most while they
are many, where it was most of what a decision cost. What is in flight it always knows, or a burst would go to one replica."""


class Board:
    """After any history, with all taken in, its ranking is that of a new board to the last bit: every total is the same sum in the same
    order."""

    __slots__ = (
        "_base",
        "_derived",
        "_fleet",
        "_learned",
        "_loaded",
        "_loads_seen",
        "_look_until_s",
        "_looks_left",
        "_ranking",
        "_rows",
        "_scoring",
        "_seen",
        "_standing",
        "_states",
        "_task",
    )

    def __init__(self, candidates: Candidates, task: Task, scoring: Scoring, fleet: Changing) -> None:
        self._task = task
        self._scoring = scoring
        self._fleet = fleet
        self._seen, self._loads_seen = fleet.changes, fleet.loads
        self._looks_left, self._look_until_s = LOOKS, -math.inf
        self._states = candidates.states
        self._rows = list(zip(candidates.replicas, candidates.models, candidates.states, strict=True))
        weights = scoring.weights
        fixed = {factor.name: Column(factor, weights[factor.name], self._rows, task) for factor in scoring.fixed}
        neutral = [scoring.neutral_total] * len(self._rows)
        self._base: list[float] = list(map(sum, zip(neutral, *(column.weighted for column in fixed.values()), strict=True)))
        """The part of the totals that never changes."""
        self._learned = {factor.name: Column(factor, weights[factor.name], self._rows, task) for factor in scoring.learned}
        self._loaded = [(factor, weights[factor.name]) for factor in scoring.loaded]
        values: dict[str, Sequence[float]] = {name: column.values for name, column in (fixed | self._learned).items()}
        self._derived: dict[str, list[float]] = {}
        """Weighted."""
        self._derive(values)
        self._standing = self._totals()
        """The totals without what is in flight."""
        ids, model_ids = [each.id for each in candidates.replicas], [each.logical_model_id for each in candidates.replicas]
        values |= {factor.name: [factor.neutral] * len(ids) for factor, _ in self._loaded}
        self._ranking = Ranking(ids, model_ids, values, scoring.neutrals, self._standing)
        self._weigh_loads(range(len(ids)))

    def ranked(self, now_s: float) -> Ranking:
        """As of now. Whoever got one before keeps what it saw."""
        fleet = self._fleet
        if self._seen != fleet.changes and self._may_look(now_s):
            seen, self._seen = self._seen, fleet.changes
            changed = [i for i, state in enumerate(self._states) if state.changed > seen]
            if changed and self._take_in(changed):
                self._loads_seen = fleet.loads
                self._weigh_loads(range(len(self._rows)))
        if self._loads_seen != fleet.loads:
            seen, self._loads_seen = self._loads_seen, fleet.loads
            changed = [i for i, state in enumerate(self._states) if state.loaded > seen]
            if changed:
                self._weigh_loads(changed)
        return self._ranking

    def _may_look(self, now_s: float) -> bool:
        if now_s >= self._look_until_s:
            self._look_until_s = now_s + LOOK_PERIOD_S
            self._looks_left = LOOKS
        self._looks_left -= 1
        return self._looks_left >= 0

    def _weigh_loads(self, positions: Collection[int]) -> None:
        """Ask those at `positions` again how much they have to do."""
        ranking, rows, task, standing = self._ranking, self._rows, self._task, self._standing
        columns = {**ranking.columns}
        totals = [*ranking.totals]
        for i in positions:
            totals[i] = standing[i]
        for factor, weight in self._loaded:
            columns[factor.name] = values = [*columns[factor.name]]
            for i in positions:
                replica, model, state = rows[i]
                value = factor.measure(replica, model, state, task)
                values[i] = value = factor.neutral if value is None else value
                totals[i] += weight * value
        # Not by a call of Python: one is made for every decision.
        self._ranking = tuple.__new__(Ranking, (ranking.ids, ranking.logical_model_ids, columns, ranking.neutrals, totals))

    def _take_in(self, changed: Collection[int]) -> bool:
        """Measure those that learned something again. Did anything come of it?"""
        rows, task = self._rows, self._task
        work = Change.NONE
        touched: dict[str, list[float]] = {}
        for name, column in self._learned.items():
            if change := column.update(changed, rows, task):
                touched[name] = column.values
                work = max(work, change)
        if not touched:
            return False
        values = {**self._ranking.columns, **touched}
        if any(source in touched for factor in self._scoring.derived for source in factor.sources):
            self._derive(values)
            work = Change.ALL
        self._standing = self._totals() if work is Change.ALL else self._totals_at(changed)
        self._ranking = self._ranking._replace(columns=values)
        return True

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
        learned = (column.weighted for column in self._learned.values())
        return list(map(sum, zip(self._base, *learned, *self._derived.values(), strict=True)))

    def _totals_at(self, positions: Collection[int]) -> list[float]:
        """The standing totals with those at `positions` summed anew."""
        totals = list(self._standing)
        columns: list[list[float]] = [self._base, *(column.weighted for column in self._learned.values()), *self._derived.values()]
        for i in positions:
            totals[i] = sum([column[i] for column in columns])
        return totals


class SoleBoard:
    """The same for one candidate, which needs no ranking to be chosen: its figures are worked out when somebody reads them.

    The usual case of a model that is named and served in one place, and the hot path.
    """

    __slots__ = ("_base", "_derived", "_fixed", "_learned", "_loaded", "_scoring", "_selector", "_state", "_task", "_who")

    def __init__(self, candidates: Candidates, task: Task, scoring: Scoring) -> None:
        self._who = candidates.replicas[0], candidates.models[0]
        self._state = candidates.states[0]
        self._task = task
        self._scoring = scoring
        self._selector = scoring.selector(task.objective)
        self._fixed: dict[str, Sequence[float]] = {factor.name: (self._value(factor, self._state),) for factor in scoring.fixed}
        self._base = sum([scoring.neutral_total, *(scoring.weights[name] * value for name, (value,) in self._fixed.items())])
        self._learned = [(each.name, scoring.weights[each.name], each) for each in scoring.learned]
        self._loaded = [(each.name, scoring.weights[each.name], each) for each in scoring.loaded]
        self._derived: dict[tuple[float, ...], dict[str, Sequence[float]]] = {}
        """The sources' values → the derived columns. One candidate is the best of all there are, so there are few different ones."""

    def ranked(self, now_s: float) -> Sole:
        del now_s  # what is worked out later is of the moment in any case
        return Sole(self, self._state.reading())

    def ranking_of(self, reading: Reading) -> Ranking:
        """What a Board would say of one candidate."""
        replica = self._who[0]
        scoring, weights = self._scoring, self._scoring.weights
        columns = dict(self._fixed)
        sums = [self._base]
        for name, weight, factor in self._learned:
            value = self._value(factor, reading)
            columns[name] = (value,)
            sums.append(weight * value)
        for derived_name, column in self._derive(columns).items():
            columns[derived_name] = column
            sums.append(weights[derived_name] * column[0])
        total = sum(sums)
        for name, weight, factor in self._loaded:
            value = self._value(factor, reading)
            columns[name] = (value,)
            total += weight * value
        return Ranking((replica.id,), (replica.logical_model_id,), columns, scoring.neutrals, (total,))

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


def board_of(candidates: Candidates, task: Task, scoring: Scoring, fleet: Changing) -> Board | SoleBoard:
    if len(candidates.replicas) == 1:
        return SoleBoard(candidates, task, scoring)
    return Board(candidates, task, scoring, fleet)
