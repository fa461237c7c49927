"""The factors and selectors of one router, sorted by when they have to be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from routing.candidates import Candidates, Question
from routing.factors import DemandFactor, DerivedFactor, Factor, LoadFactor, MeasuredFactor
from routing.selectors import PROFILES, Axes, Emphasis, Selector
from routing.types import NO_DEVIATIONS, Objective

NEUTRAL_MERIT = 0.5


def _indifferent(axes: Axes, emphasis: Emphasis) -> list[float]:
    del emphasis
    return [NEUTRAL_MERIT] * len(axes.cost)


INDIFFERENT = Selector("indifferent", _indifferent)
"""For an objective whose selector this router does not have."""


DIGITS = 6
"""Of a factor's value, as it is kept: people are shown four."""


class _ByLoad(dict[int, float]):
    """Attempts in flight → a value, worked out when it is first asked for. As long as the most that ever were in flight at once."""

    def __init__(self, of: Callable[[int], float]) -> None:
        self._of = of

    def __missing__(self, in_flight: int) -> float:
        value = self[in_flight] = self._of(in_flight)
        return value


class Load(NamedTuple):
    """A load factor as tables, which `map` reads without a call of Python."""

    name: str
    value: Callable[[int], float]
    """Of so many attempts in flight."""
    weighted: Callable[[int], float]
    """The same, times the factor's weight."""


def _load(factor: LoadFactor, weight: float) -> Load:
    value = _ByLoad(lambda in_flight: round(factor.of(in_flight), DIGITS)).__getitem__
    return Load(factor.name, value, _ByLoad(lambda in_flight: weight * value(in_flight)).__getitem__)


Asked = Sequence[tuple[str, Callable[[Candidates, Question], Mapping[int, float]]]]


class Scoring:
    def __init__(
        self,
        factors: Sequence[Factor],
        weights: Mapping[str, float] | None = None,
        selectors: Sequence[Selector] = (),
        profile: str = "balanced",
    ) -> None:
        """`weights` overrides the factors' own by name. Raises KeyError for an unknown profile or a derived factor without its source."""
        self.weights = {factor.name: (weights or {}).get(factor.name, factor.weight) for factor in factors}
        self.emphasis = PROFILES[profile]
        self._selectors = {selector.name: selector for selector in selectors}
        measured = [factor for factor in factors if isinstance(factor, MeasuredFactor)]
        self.fixed = [factor for factor in measured if not factor.moves]
        self.learned = [factor for factor in measured if factor.moves]
        self.loads = [_load(factor, self.weights[factor.name]) for factor in factors if isinstance(factor, LoadFactor)]
        self.derived = [factor for factor in factors if isinstance(factor, DerivedFactor)]
        self.sources = list(dict.fromkeys(source for factor in self.derived for source in factor.sources))
        """Of all the derived ones."""
        self._per_demand = [factor for factor in factors if isinstance(factor, DemandFactor)]
        self._asked: dict[int, Asked] = {}
        """Occasions → who has anything to say then."""
        self.neutrals = {factor.name: factor.neutral for factor in self._per_demand}
        self.neutral_total = sum(self.weights[factor.name] * factor.neutral for factor in self._per_demand)
        for factor in self.derived:
            if missing := set(factor.sources) - {each.name for each in measured}:
                raise KeyError(f"factor {factor.name} is made of {', '.join(sorted(missing))}, which is no measured factor here")

    def selector(self, objective: Objective) -> Selector:
        return self._selectors.get(objective.value, INDIFFERENT)

    def deviations(self, candidates: Candidates, question: Question, occasions: int) -> Mapping[str, Mapping[int, float]]:
        """What this one request adds to the ranking: factor → position → value. `occasions`: `candidates.occasions_of`."""
        asked = self._asked.get(occasions)
        if asked is None:
            asked = self._asked[occasions] = [(each.name, each.deviations) for each in self._per_demand if each.occasions & occasions]
        found = NO_DEVIATIONS
        for name, deviations in asked:
            if deviating := deviations(candidates, question):
                found = {**found, name: deviating} if found else {name: deviating}
        return found
