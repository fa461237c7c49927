"""A conversation stays where it is: there its prompt is cached, its reasoning can be read, and its tone is the same."""

from __future__ import annotations

from collections.abc import Mapping

from routing.candidates import Candidates, Occasion, Question
from routing.factors import DemandFactor

NOT_BOUND: Mapping[int, float] = {}


def deviations(candidates: Candidates, question: Question) -> Mapping[int, float]:
    position = candidates.positions.get(question.bound_replica_id) if question.bound_replica_id is not None else None
    return NOT_BOUND if position is None else {position: 1.0}


FACTOR = DemandFactor("affinity", 0.6, neutral=0.0, deviations=deviations, occasions=Occasion.BOUND)
