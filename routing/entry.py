"""The three entry points: a tier, a logical model, a replica. Each gives the `Demand` that says so; the rest of it is the caller's.

Names in requests, headers and the API all end here, so that a choice made by one way is the same choice as made by another.
"""

from __future__ import annotations

from collections.abc import Mapping

from routing.types import Capability, Demand, ModelTier, Target, TargetKind, UseCase

NAMED = "the caller named it"

_NEEDS: Mapping[UseCase, int] = {UseCase.VISION: int(Capability.VISION), UseCase.EMBED: int(Capability.EMBEDDINGS)}
"""Use cases that a model without the capability can not serve at all."""
_DIALECTS: Mapping[UseCase, str] = {UseCase.EMBED: "embeddings"}
"""Use cases with a wire format of their own; the others are conversations."""


def call_by_tier(tier: ModelTier, use_case: UseCase = UseCase.CHAT, *, dialect: str | None = None, because: str = NAMED) -> Demand:
    """A demand for whichever model of `tier` serves `use_case` best. `dialect` is the client's, by default the use case's usual one."""
    return Demand(
        dialect=dialect or _DIALECTS.get(use_case, "chat"),
        target=Target(TargetKind.TIER, tier.value, because),
        requested_model=tier.value,
        capability_bits=_NEEDS.get(use_case, 0),
        use_case=use_case,
    )


def call_logical_model(model_id: str, *, dialect: str = "chat", because: str = NAMED) -> Demand:
    """A demand for one logical model, on any replica of it."""
    return Demand(dialect=dialect, target=Target(TargetKind.MODEL, model_id, because), requested_model=model_id)


def call_replica(replica_id: str, *, dialect: str = "chat", because: str = NAMED) -> Demand:
    """A demand for one replica (`provider-id/upstream-name`) and no other."""
    return Demand(dialect=dialect, target=Target(TargetKind.REPLICA, replica_id, because), requested_model=replica_id)
