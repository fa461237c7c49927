"""What can be asked for, before it takes the shape of anybody's list: every name, and what may be expected of who answers to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from routing.resolve import NAMES_THAT_STEER
from routing.types import TIER_ORDER, Capability, Catalog, ModelReplica, ModelTier, UseCase


@dataclass(frozen=True, slots=True)
class Offer:
    name: str
    replicas: tuple[ModelReplica, ...]
    """Who may answer, whatever the request looks like."""
    owner: str
    is_open: bool = False
    """Is it for donut to choose (`auto`, a tier)?"""
    is_replica: bool = False
    max_output: int | None = None
    converses: bool = True
    """False for what only makes embeddings."""

    @property
    def context_window(self) -> int | None:
        """Tokens; the smallest one among those that may answer: a client that fills it is safe wherever it goes. None: nobody knows."""
        return min((replica.context_window for replica in self.replicas if replica.context_window is not None), default=None)

    @property
    def title(self) -> str:
        return f"{self.name} (donut chooses)" if self.is_open else self.name

    def can(self, capability: Capability) -> bool:
        """Can all of them?"""
        return bool(self.replicas) and all(replica.capability_bits & capability for replica in self.replicas)


def offers(catalog: Catalog) -> list[Offer]:
    """What steers, logical models, replicas; nothing where nobody answers."""
    if not catalog.replicas:
        return []
    listed = [_open(name, catalog) for name in NAMES_THAT_STEER]
    listed += [_named(name, replicas, catalog) for name, replicas in sorted(catalog.replicas_by_model.items())]
    listed += [
        _named(replica.id, (replica,), catalog, is_replica=True)
        for replica in catalog.replicas.values()
        if replica.id not in catalog.replicas_by_model
    ]
    return listed


def offer_of(name: str, catalog: Catalog) -> Offer | None:
    return next((offer for offer in offers(catalog) if offer.name == name), None)


def _open(name: str, catalog: Catalog) -> Offer:
    """A prompt too long for one model of a tier goes to another, so what counts is the tier where a person's turn usually goes: a little
    model for titles must not make its harness compact all day."""
    tier = ModelTier(name) if name in TIER_ORDER else catalog.default_tier
    return Offer(name, _in_or_near(tier, catalog), "donut", is_open=True)


def _in_or_near(tier: ModelTier, catalog: Catalog) -> tuple[ModelReplica, ...]:
    """Who answers for a tier that nobody is in: the next tiers upward, then downward, as the router does."""
    at = TIER_ORDER.index(tier)
    upward = TIER_ORDER[at:] if catalog.escalate else TIER_ORDER[at : at + 1]
    for each in (*upward, *reversed(TIER_ORDER[:at])):
        found = tuple(replica for replica in catalog.replicas_by_tier.get(each, ()) if _converses((replica,), catalog))
        if found:
            return found
    return ()


def _named(name: str, replicas: tuple[ModelReplica, ...], catalog: Catalog, *, is_replica: bool = False) -> Offer:
    model = catalog.models.get(replicas[0].logical_model_id)
    return Offer(
        name,
        replicas,
        replicas[0].provider_id,
        is_replica=is_replica,
        max_output=model.max_output if model is not None else None,
        converses=_converses(replicas, catalog),
    )


def _converses(replicas: Sequence[ModelReplica], catalog: Catalog) -> bool:
    model = catalog.models.get(replicas[0].logical_model_id)
    only_embeds = model is not None and bool(model.use_cases) and set(model.use_cases) == {UseCase.EMBED}
    return not only_embeds and any(_is_more_than_embeddings(replica.dialects) for replica in replicas)


def _is_more_than_embeddings(dialects: Iterable[str]) -> bool:
    return any(dialect != "embeddings" for dialect in dialects)
