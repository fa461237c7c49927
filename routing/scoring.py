"""The factors and selectors of one router, sorted by when they have to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from routing.candidates import Candidates, Question
from routing.factors import DemandFactor, DerivedFactor, Factor, MeasuredFactor
from routing.selectors import PROFILES, Axes, Emphasis, Selector
from routing.types import NO_DEVIATIONS, Objective

NEUTRAL_MERIT = 0.5


def _indifferent(axes: Axes, emphasis: Emphasis) -> list[float]:
    del emphasis
    return [NEUTRAL_MERIT] * len(axes.cost)


INDIFFERENT = Selector("indifferent", _indifferent)
"""For an objective whose selector this router does not have."""


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
        self.learned = [factor for factor in measured if factor.moves and not factor.by_load]
        self.loaded = [factor for factor in measured if factor.by_load]
        self.derived = [factor for factor in factors if isinstance(factor, DerivedFactor)]
        self.sources = list(dict.fromkeys(source for factor in self.derived for source in factor.sources))
        """Of all the derived ones."""
        self._per_demand = [factor for factor in factors if isinstance(factor, DemandFactor)]
        self.neutrals = {factor.name: factor.neutral for factor in self._per_demand}
        self.neutral_total = sum(self.weights[factor.name] * factor.neutral for factor in self._per_demand)
        for factor in self.derived:
            if missing := set(factor.sources) - {each.name for each in measured}:
                raise KeyError(f"factor {factor.name} is made of {', '.join(sorted(missing))}, which is no measured factor here")

    def selector(self, objective: Objective) -> Selector:
        return self._selectors.get(objective.value, INDIFFERENT)

    def deviations(self, candidates: Candidates, question: Question, occasions: int) -> Mapping[str, Mapping[int, float]]:
        """What this one request adds to the ranking: factor → position → value. `occasions`: `candidates.occasions_of`."""
        found = NO_DEVIATIONS
        for factor in self._per_demand:
            if factor.occasions & occasions and (deviating := factor.deviations(candidates, question)):
                found = {**found, factor.name: deviating}
        return found
