"""What ties a conversation to one account: reasoning in it that nobody else can read. It goes before every other rule of affinity."""

from __future__ import annotations

from typing import NamedTuple

from providers.dialects import Ask, BadRequestError
from proxy.serving import Serving
from routing.types import Catalog, Target, TargetKind


class Tie(NamedTuple):
    made_by: str | None = None
    """The provider that made the reasoning and serves what is asked for. None when there is no such reasoning or nobody knows whose."""
    replica_id: str | None = None
    """The replica that the conversation was with last."""
    is_stripped: bool = False
    """The reasoning is to be taken out."""
    notes: tuple[str, ...] = ()


UNTIED = Tie()


def tie_of(ask: Ask, target: Target, keys: tuple[str, ...], serving: Serving, now_s: float) -> Tie:
    """The conversation's tie. Whose the reasoning is, its binding says: unknown after an hour's rest, and then the upstream judges.

    Raises BadRequestError when the account is gone and config does not say that donut may go on without the reasoning.
    """
    if not ask.has_sealed_reasoning or not keys:
        return UNTIED
    if serving.memory.stripped.get(keys[0], now_s):
        return Tie(is_stripped=True, notes=("reasoning of an account that is gone was taken out of the conversation again",))
    replica_id = serving.router.fleet.affinity.replica_of(keys, now_s)
    if replica_id is None:
        return UNTIED
    provider_id = replica_id.partition("/")[0]
    if _serves(provider_id, target, serving.router.catalog):
        return Tie(provider_id, replica_id)
    if serving.strips_foreign_reasoning:
        return Tie(
            is_stripped=True, notes=(f"reasoning that only {provider_id} could read was taken out: it does not serve this any more",)
        )
    raise BadRequestError(
        f"This conversation holds encrypted reasoning of {provider_id}, which does not serve {target.id} here (any more), and nobody else "
        "can read it. Begin a new conversation, or set routing.foreign_reasoning: strip to go on without that reasoning.",
        "messages",
        "foreign_reasoning",
    )


def _serves(provider_id: str, target: Target, catalog: Catalog) -> bool:
    """Could the provider answer? For an open target, with any of its models."""
    if target.kind is TargetKind.REPLICA:
        return catalog.replicas[target.id].provider_id == provider_id
    if target.kind is TargetKind.MODEL:
        return any(replica.provider_id == provider_id for replica in catalog.replicas_by_model[target.id])
    return any(replica.provider_id == provider_id for replica in catalog.replicas.values())
