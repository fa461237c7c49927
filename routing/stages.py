"""From a target to the stages in which an answer is looked for, one after the other: spillover and escalation are the next stage.

A replica or a model is one stage: what a client names is never replaced. A tier is itself, then the tiers above it where the config lets a
demand escalate, nearest first, then those below: a worse answer is better than none. A policy is its own steps and nothing more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from routing.types import TIER_ORDER, Catalog, Escalation, ModelReplica, ModelTier, Target, TargetKind

NAMED = frozenset({TargetKind.REPLICA, TargetKind.MODEL})
"""Kinds of targets that a client means as it says them."""


@dataclass(frozen=True, slots=True)
class Stage:
    target: Target
    replicas: tuple[ModelReplica, ...]
    spilled_from: ModelTier | None = None
    escalation: Escalation | None = None


def stages_of(target: Target, dialects: Collection[str], catalog: Catalog) -> tuple[Stage, ...]:
    """In order, each replica in the first stage that has it. Stages in which nobody speaks one of `dialects` (the client's own, and those
    that a translation leads to) are left out, unless all are.

    Raises ValueError for AUTO, which whoever makes the demand has to turn into a tier.
    """
    stages = _of_target(target, catalog)
    seen: set[str] = set()
    found: list[Stage] = []
    for stage in stages:
        fresh = tuple(replica for replica in stage.replicas if replica.id not in seen)
        if any(dialect in dialects for replica in fresh for dialect in replica.dialects):
            found.append(replace(stage, replicas=fresh))
            seen.update(replica.id for replica in fresh)
    # Who speaks none of them is rejected in words, and not passed over in silence.
    return tuple(found) or tuple(stage for stage in stages if stage.replicas)[:1]


def _of_target(target: Target, catalog: Catalog) -> list[Stage]:
    match target.kind:
        case TargetKind.TIER:
            return _of_tier(ModelTier(target.id), catalog)
        case TargetKind.POLICY:
            policy = catalog.policies.get(target.id)
            steps = policy.stages if policy is not None else ()
            return [Stage(step, _replicas(step, catalog)) for step in steps] or _of_tier(catalog.default_tier, catalog)
        case TargetKind.AUTO:
            raise ValueError("auto must have become a tier before it is decided on")
        case _:
            return [Stage(target, _replicas(target, catalog))]


def _of_tier(wanted: ModelTier, catalog: Catalog) -> list[Stage]:
    position = TIER_ORDER.index(wanted)
    stages = [Stage(Target(TargetKind.TIER, wanted.value, "it was asked for"), catalog.replicas_by_tier.get(wanted, ()))]
    if catalog.escalate:
        stages += [_beyond(tier, wanted, Escalation.UP, catalog) for tier in TIER_ORDER[position + 1 :]]
    stages += [_beyond(tier, wanted, Escalation.DOWN, catalog) for tier in reversed(TIER_ORDER[:position])]
    return stages


def _beyond(tier: ModelTier, wanted: ModelTier, way: Escalation, catalog: Catalog) -> Stage:
    target = Target(TargetKind.TIER, tier.value, f"nobody in {wanted.value} can answer")
    return Stage(target, catalog.replicas_by_tier.get(tier, ()), wanted, way)


def _replicas(target: Target, catalog: Catalog) -> tuple[ModelReplica, ...]:
    if target.kind is TargetKind.MODEL:
        return catalog.replicas_by_model.get(target.id, ())
    if target.kind is TargetKind.TIER:
        return catalog.replicas_by_tier.get(ModelTier(target.id), ())
    replica = catalog.replicas.get(target.id)
    return (replica,) if replica else ()
