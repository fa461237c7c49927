"""Local replicas first, the more so the smaller the tier: a frontier question is not answered worse for being nearer.

Bonus per tier from the design: micro 100, small 80, mid 20, frontier 0, scaled to [0, 1].
"""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.factors import Factor
from routing.types import LocalPreference, ModelTier

BONUS = {ModelTier.MICRO: 1.0, ModelTier.SMALL: 0.8, ModelTier.MID: 0.2, ModelTier.FRONTIER: 0.0}


def score(candidates: Candidates, question: Question) -> list[float]:
    if question.demand.local_preference is LocalPreference.DISABLED:
        return [0.0] * len(candidates.replicas)
    return [BONUS[replica.tier] if replica.is_local else 0.0 for replica in candidates.replicas]


FACTOR = Factor(name="local", weight=1.0, score=score)
