"""The fewer attempts a replica has in flight, the better: spreads equal replicas, and steers around one that hangs."""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.factors import Factor


def score(candidates: Candidates, question: Question) -> list[float]:
    del question
    return [1.0 / (1 + state.in_flight) for state in candidates.states]


FACTOR = Factor(name="load", weight=0.25, score=score)
