"""The ranking of one stage's candidates for one kind of demand, kept from request to request.

Two parts of it move at two speeds. What is learned from answers is taken in as often as it is worth it: then there are other figures, and
all decisions until the next one share it. What is in flight every decision changes: those figures are looked up, for all candidates at
once. What is left per request is that, a maximum, and what the request itself adds.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import add, attrgetter
from typing import NamedTuple, Protocol

from routing.candidates import Candidates, Task
from routing.columns import Change, Column
from routing.factors import MeasuredFactor
from routing.fleet import Belief, Reading
from routing.scaling import Scale
from routing.scoring import Load, Scoring
from routing.types import Figures, Ranking

IN_FLIGHT = attrgetter("in_flight")

new = tuple.__new__
"""Makes a NamedTuple of a tuple without a call of Python: one is made for every decision."""


class Changing(Protocol):
    """The part of the fleet that tells whether somebody's state changed: `ReplicaState` says whose."""

    changes: int


DERIVED_KEPT = 16
"""Per sole candidate: the shipped sources have two values each."""


LOOKS = 8
LOOK_PERIOD_S = 0.05
"""So many times in such a time a ranking takes in what was learned: at once while decisions are few, and 50 ms late at the most while they
are many, where it was most of what a decision cost. What is in flight it always knows, or a burst would go to one replica."""


class Looks:
    """How often somebody has looked already."""

    __slots__ = ("_left", "_until_s")

    def __init__(self) -> None:
        self._left, self._until_s = LOOKS, -math.inf

    def is_worth_it(self, now_s: float) -> bool:
        """May one more be taken now? Then it is."""
        if now_s >= self._until_s:
            self._left, self._until_s = LOOKS, now_s + LOOK_PERIOD_S
        elif not self._left:
            return False
        self._left -= 1
        return True


class Board:
    """After any history, with all taken in, its ranking is that of a new board to the last bit: every total is the same sum in the same
    order."""

    __slots__ = (
        "_base",
        "_derived",
        "_figures",
        "_fleet",
        "_in_flight",
        "_learned",
        "_loads",
        "_looks",
        "_ranking",
        "_rows",
        "_scoring",
        "_seen",
        "_states",
        "_task",
    )

    def __init__(self, candidates: Candidates, task: Task, scoring: Scoring, fleet: Changing) -> None:
        self._task = task
        self._scoring = scoring
        self._fleet = fleet
        self._seen = fleet.changes
        self._looks = Looks()
        self._states = candidates.states
        self._rows = list(zip(candidates.replicas, candidates.models, candidates.states, strict=True))
        weights = scoring.weights
        fixed = {factor.name: Column(factor, weights[factor.name], self._rows, task) for factor in scoring.fixed}
        neutral = [scoring.neutral_total] * len(self._rows)
        self._base: list[float] = list(map(sum, zip(neutral, *(column.weighted for column in fixed.values()), strict=True)))
        """The part of the totals that never changes."""
        self._learned = {factor.name: Column(factor, weights[factor.name], self._rows, task) for factor in scoring.learned}
        self._loads = scoring.loads
        values: dict[str, Sequence[float]] = {name: column.values for name, column in (fixed | self._learned).items()}
        self._derived: dict[str, list[float]] = {}
        """Weighted."""
        self._derive(values)
        ids, model_ids = [each.id for each in candidates.replicas], [each.logical_model_id for each in candidates.replicas]
        self._figures = Figures(ids, model_ids, values, scoring.neutrals, self._totals(), weights)
        self._in_flight: list[int] = [*map(IN_FLIGHT, self._states)]
        self._ranking = ranking_of(self._figures, self._loads, self._in_flight)

    def ranked(self, now_s: float) -> Ranking:
        """As of now. Whoever got one before keeps what it saw."""
        is_another = self._seen != self._fleet.changes and self._looks.is_worth_it(now_s) and self._look()
        in_flight = [*map(IN_FLIGHT, self._states)]
        if is_another or in_flight != self._in_flight:
            self._in_flight = in_flight
            self._ranking = ranking_of(self._figures, self._loads, in_flight)
        return self._ranking

    def _look(self) -> bool:
        """Take in what was learned. Are there other figures?"""
        seen, self._seen = self._seen, self._fleet.changes
        changed = [i for i, state in enumerate(self._states) if state.changed > seen]
        return bool(changed) and self._take_in(changed)

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
        figures = self._figures
        values = {**figures.columns, **touched}
        if any(source in touched for factor in self._scoring.derived for source in factor.sources):
            self._derive(values)
            work = Change.ALL
        totals = self._totals() if work is Change.ALL else self._totals_at(changed)
        self._figures = replace(figures, columns=values, totals=totals)
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
        totals = list(self._figures.totals)
        columns: list[list[float]] = [self._base, *(column.weighted for column in self._learned.values()), *self._derived.values()]
        for i in positions:
            totals[i] = sum([column[i] for column in columns])
        return totals


def ranking_of(figures: Figures, loads: Iterable[Load], in_flight: Sequence[int]) -> Ranking:
    """`in_flight`: attempts of each candidate. Without a line of Python per candidate: their figures are looked up (`Scoring.loads`)."""
    columns, totals = {}, figures.totals
    for name, value, weighted in loads:
        columns[name] = [*map(value, in_flight)]
        totals = [*map(add, totals, map(weighted, in_flight))]
    return new(Ranking, (figures, columns, totals))


class SoleBoard:
    """The same for one candidate, which needs no ranking to be chosen: its figures are worked out when somebody reads them.

    The usual case of a model that is named and served in one place, and the hot path.
    """

    __slots__ = (
        "_base",
        "_derived",
        "_figures",
        "_figures_of",
        "_fixed",
        "_ids",
        "_learned",
        "_looks",
        "_reading",
        "_scoring",
        "_seen",
        "_selector",
        "_state",
        "_task",
        "_who",
    )

    def __init__(self, candidates: Candidates, task: Task, scoring: Scoring) -> None:
        self._who = candidates.replicas[0], candidates.models[0]
        self._ids = (candidates.replicas[0].id,), (candidates.replicas[0].logical_model_id,)
        self._state = candidates.states[0]
        self._looks = Looks()
        self._seen, self._reading = self._state.changed, self._state.reading()
        self._figures: Figures | None = None
        self._figures_of: Reading | None = None
        self._task = task
        self._scoring = scoring
        self._selector = scoring.selector(task.objective)
        self._fixed: dict[str, Sequence[float]] = {factor.name: (self._value(factor, self._state),) for factor in scoring.fixed}
        self._base = sum([scoring.neutral_total, *(scoring.weights[name] * value for name, (value,) in self._fixed.items())])
        self._learned = [(each.name, scoring.weights[each.name], each) for each in scoring.learned]
        self._derived: dict[tuple[float, ...], dict[str, Sequence[float]]] = {}
        """The sources' values → the derived columns. One candidate is the best of all there are, so there are few different ones."""

    def ranked(self, now_s: float) -> Sole:
        state = self._state
        if state.changed != self._seen and self._looks.is_worth_it(now_s):
            self._seen, self._reading = state.changed, state.reading()
        return new(Sole, (self, self._reading, state.in_flight))

    def ranking_of(self, reading: Reading, in_flight: int) -> Ranking:
        """What a Board would say of one candidate."""
        if reading is not self._figures_of or self._figures is None:
            self._figures_of, self._figures = reading, self._figures_at(reading)
        return ranking_of(self._figures, self._scoring.loads, (in_flight,))

    def _figures_at(self, reading: Reading) -> Figures:
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
        return Figures(*self._ids, columns, scoring.neutrals, (sum(sums),), weights)

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
    """Shared by the decisions until the next look."""
    in_flight: int

    @property
    def size(self) -> int:
        return 1

    def ranking(self) -> Ranking:
        return self.board.ranking_of(self.reading, self.in_flight)


def board_of(candidates: Candidates, task: Task, scoring: Scoring, fleet: Changing) -> Board | SoleBoard:
    if len(candidates.replicas) == 1:
        return SoleBoard(candidates, task, scoring)
    return Board(candidates, task, scoring, fleet)
