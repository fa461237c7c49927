"""A window that the request fills almost is a worse place for it: the estimate may be short, and the conversation will grow."""

from __future__ import annotations

from collections.abc import Mapping

from routing.candidates import ALMOST, Candidates, Occasion, Question
from routing.factors import DemandFactor

PENALTY = 0.35
"""From the design (issue 3, item 3). Beyond the window there is a gate."""

ROOMY: Mapping[int, float] = {}


def deviations(candidates: Candidates, question: Question) -> Mapping[int, float]:
    tokens = question.demand.tokens_estimated
    if tokens <= ALMOST * candidates.smallest_window:
        return ROOMY
    return {
        i: 1.0 - PENALTY
        for i, replica in enumerate(candidates.replicas)
        if replica.context_window is not None and tokens > ALMOST * replica.context_window
    }


FACTOR = DemandFactor("context", 1.0, neutral=1.0, deviations=deviations, occasions=Occasion.LONG)
