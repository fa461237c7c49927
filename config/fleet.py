"""Turns what a provider serves into logical models and replicas. Pure: finding out was somebody else's work.

`replicas_for` is the one place where a name at an upstream becomes a replica with tier, price, window and capabilities, whether
discovery found it (`local_fleet`), the catalog lists it (`offered_fleet`) or a person declared it (`sources.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from config.catalog import ShippedCatalog
from config.environment import EnvironmentProvider
from providers.local.found import Found
from providers.ports import ProviderKind
from routing.naming import cousin_of, is_embedding_name, match_logical, parameters_from_name, tier_from_name
from routing.types import Capability, LogicalModel, ModelReplica, ModelTier, Price, UseCase

FREE = Price(0.0, 0.0, 0.0, 0.0, version="local")
"""A model on this machine costs no money per token. Electricity is not in the journal."""

NAME_LENGTH = 512
"""Characters. A llama-server without an alias calls its model by the file's path, and those are long."""

Fleet = tuple[list[LogicalModel], list[ModelReplica]]
"""The logical models that are served, each once, and the replicas that serve them."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who serves, as far as its models are concerned."""

    provider_id: str
    kind: ProviderKind
    is_local: bool
    dialects: tuple[str, ...] = ()
    """What it speaks, best first; empty = the kind's own."""
    catalog_id: str | None = None
    """Whose prices and names hold; None for an address that is not the vendor's."""
    declared: bool = False
    """Did a person write it down? What they left out follows the logical model then, instead of staying unknown."""


@dataclass(frozen=True, slots=True)
class Served:
    """One model at an upstream. None means: not said here."""

    upstream_model: str
    logical_model_id: str | None = None
    context_window: int | None = None
    capability_bits: int | None = None
    price: Price | None = None
    tier: ModelTier | None = None
    """For a model that nobody has described; None = judged by family and size."""
    parameters_b: float | None = None
    """Billions of weights."""
    is_remote: bool = False
    """Passed on by a local server to somewhere else."""


def local_fleet(found: Found, kinds: Mapping[str, ProviderKind], catalog: ShippedCatalog) -> Fleet:
    """The models of a discovered server; none for a locked or unknown one. Raises KeyError if its kind is not among `kinds`."""
    served = [
        Served(
            model.name,
            context_window=model.context_window,
            capability_bits=model.capability_bits,
            parameters_b=model.parameters_b,
            is_remote=model.is_remote,
        )
        for model in found.models
    ]
    return replicas_for(Account(found.provider_id, kinds[found.kind], is_local=True), served, catalog)


def offered_fleet(provider: EnvironmentProvider, catalog: ShippedCatalog) -> Fleet:
    """What the catalog says that the account sells; nothing when its address is not the vendor's."""
    catalog_id = provider.kind.catalog_id if provider.is_vendor else None
    account = Account(provider.provider_id, provider.kind, is_local=False, catalog_id=catalog_id)
    offerings = catalog.offerings(catalog_id) if catalog_id is not None else []
    return replicas_for(account, [Served(item.upstream_model, item.logical_model_id, item.context_window) for item in offerings], catalog)


def is_name(name: str) -> bool:
    """Can `name` be shown and asked for? Servers make up their own: control characters, lone surrogates and novels are no names."""
    return name.isprintable() and name.strip() == name != "" and len(name) <= NAME_LENGTH


def replicas_for(
    account: Account,
    served: Iterable[Served],
    catalog: ShippedCatalog,
    known: Mapping[str, LogicalModel] | None = None,
) -> Fleet:
    """The replicas of `account`. `known` are the logical models to go by, the catalog's unless config adds to them.

    A model whose purpose the account has no dialect for (embeddings at a chat server) is left out, and so is a repeated name, and
    one that no client could write into a request.
    """
    described = catalog.models if known is None else known
    models: dict[str, LogicalModel] = {}
    replicas: dict[str, ModelReplica] = {}
    for item in served:
        model = _logical(account, item, catalog, described)
        replica = _replica(account, item, model, catalog)
        if replica.dialects and replica.id not in replicas and is_name(item.upstream_model):
            models.setdefault(model.id, model)
            replicas[replica.id] = replica
    return list(models.values()), list(replicas.values())


def _logical(account: Account, item: Served, catalog: ShippedCatalog, described: Mapping[str, LogicalModel]) -> LogicalModel:
    model_id = item.logical_model_id or _logical_id(account, item, catalog, described)
    known = described.get(model_id)
    if known is not None:
        return known
    embeds = _embeds(item)
    bits = item.capability_bits
    if bits is None:
        bits = int(Capability.EMBEDDINGS) if embeds else int(Capability.TOOLS | Capability.JSON)
    seeing = (UseCase.VISION,) if bits & Capability.VISION else ()
    return LogicalModel(
        id=model_id,
        tier=item.tier or _guessed_tier(item, model_id, catalog),
        use_cases=(UseCase.EMBED,) if embeds else (UseCase.CHAT, UseCase.CODE, *seeing),
        capability_bits=bits,
        context_window=item.context_window,
    )


def _guessed_tier(item: Served, model_id: str, catalog: ShippedCatalog) -> ModelTier:
    """From the family, where the catalog knows a model of the same size, else from the size; whichever name tells it."""
    name = item.upstream_model if parameters_from_name(item.upstream_model) is not None else model_id
    cousin = cousin_of(name, catalog.local_names, item.parameters_b)
    return catalog.models[cousin].tier if cousin is not None else tier_from_name(name, item.parameters_b)


def _logical_id(account: Account, item: Served, catalog: ShippedCatalog, described: Mapping[str, LogicalModel]) -> str:
    """The logical model behind a name that nobody has explained."""
    name = item.upstream_model
    if account.is_local:
        matched = match_logical(name, catalog.local_names, item.parameters_b)
        if matched is not None:
            return matched
        # A llama-server without an alias calls its model by the file's path.
        plain = PurePosixPath(name).stem if name.lower().endswith(".gguf") else name
        # LocalAI ships small models under names such as gpt-4o. Whoever asks for that one means the original.
        return f"{account.provider_id}/{name}" if plain in described or plain in catalog.aliases else plain
    if name in described:
        return name
    return catalog.aliases.get(name, name)


def _replica(account: Account, item: Served, model: LogicalModel, catalog: ShippedCatalog) -> ModelReplica:
    is_local = account.is_local and not item.is_remote
    bits = item.capability_bits if item.capability_bits is not None else model.capability_bits
    price = item.price
    if price is None and is_local:
        price = FREE
    elif price is None and account.catalog_id is not None:
        price = catalog.price(account.catalog_id, item.upstream_model)
    # A discovered server runs a model with the window it likes; the model's own would be a promise that truncates prompts.
    window = item.context_window
    if window is None and (account.declared or not account.is_local):
        window = model.context_window
    return ModelReplica(
        id=f"{account.provider_id}/{item.upstream_model}",
        provider_id=account.provider_id,
        upstream_model=item.upstream_model,
        logical_model_id=model.id,
        tier=model.tier,
        is_local=is_local,
        dialects=_dialects(account, bits),
        capability_bits=bits,
        context_window=window,
        price=price,
        declared=account.declared,
    )


def _embeds(item: Served) -> bool:
    if item.capability_bits is not None:
        return item.capability_bits == Capability.EMBEDDINGS
    return is_embedding_name(item.upstream_model)


def _dialects(account: Account, bits: int) -> tuple[str, ...]:
    """A model that can only embed speaks embeddings, one that can not speaks the rest; one that nobody described speaks all."""
    spoken = account.dialects or account.kind.dialects
    return tuple(
        dialect for dialect in spoken if (bits & Capability.EMBEDDINGS if dialect == "embeddings" else bits != Capability.EMBEDDINGS)
    )
