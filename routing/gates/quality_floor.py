"""A tier is a promise of quality: a model that is known to be below its floor does not answer for it, however cheap it is.

Only where a tier was asked for, and only for models that somebody has measured: an unknown quality is no bad one.
"""

from __future__ import annotations

from collections.abc import Mapping

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import ModelTier, Reject, RejectReason

FLOORS: Mapping[ModelTier, float] = {ModelTier.MICRO: 0.0, ModelTier.SMALL: 0.0, ModelTier.MID: 0.54, ModelTier.FRONTIER: 0.64}
"""What half of the tier below reaches: the medians of small and mid in the shipped catalog of 2026-11-20. Nobody has measured micro models,
so small has no floor. Config overrides each (`routing.quality_floor`)."""


def check(candidates: Candidates, question: Question) -> list[Reject]:
    tier = question.tier
    if tier is None:
        return []
    floor = FLOORS[tier] if question.quality_floors is None else question.quality_floors.get(tier, FLOORS[tier])
    return [
        Reject(replica.id, RejectReason.LOW_QUALITY, f"quality {model.quality:.2f}, the floor of {tier.value} is {floor:.2f}")
        for replica, model in zip(candidates.replicas, candidates.models, strict=True)
        if model.quality is not None and model.quality < floor
    ]


GATE = Gate(name="quality_floor", order=45, check=check, standing=True, advisory=True)
