"""Who serves, from every place donut learns it: the config file, the environment, discovery, and the simulated fleet.

A `Source` is one provider with its replicas and with everything that is needed to reach it. `assemble.py` joins sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from config.catalog import ShippedCatalog
from config.environment import EnvironmentProvider
from config.fleet import Account, Served, local_fleet, offered_fleet, replicas_for
from config.price_settings import price_from
from config.provider_settings import ProviderModel, ProviderSettings
from config.settings import ModelSettings, Settings
from providers.local.found import Found
from providers.loopback import is_loopback
from providers.ports import ProviderKind
from providers.sim.fleet import BASE_URL, simulated_models, simulated_replicas
from providers.transport.port import Deadlines, Headers
from proxy.serving import OnDisconnect
from routing.naming import is_embedding_name
from routing.types import Capability, LogicalModel, ModelReplica, ModelTier, UseCase, capability_bits

ALL_CAPABILITIES = int(Capability.TOOLS | Capability.JSON | Capability.VISION | Capability.REASONING | Capability.EMBEDDINGS)
"""Of a model that a person declared and nobody described: donut has no reason to refuse anything on its behalf."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How a provider is reached, apart from its address. Keys live here and are never printed."""

    headers: Headers = field(default_factory=list, repr=False)
    deadlines: Deadlines = field(default_factory=Deadlines)
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    verify: bool = True
    http2: bool = False
    max_connections: int = 2048
    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    drain_s: float = 30.0
    drain_max_concurrent: int = 4


@dataclass(frozen=True, slots=True)
class Source:
    kind: ProviderKind
    base_url: str
    models: Sequence[LogicalModel]
    replicas: Sequence[ModelReplica]
    reach: Reach = field(default_factory=Reach)
    origin: str = "config"
    """Where donut learned of it: `config`, `environment`, `discovery`, `simulated`."""


def declared_models(settings: Settings, catalog: ShippedCatalog) -> Mapping[str, LogicalModel]:
    """The catalog's logical models with config's additions and changes."""
    models = dict(catalog.models)
    for item in settings.models:
        models[item.id] = _described(item, models.get(item.id), settings.routing.default_tier)
    return models


def _described(item: ModelSettings, known: LogicalModel | None, default_tier: ModelTier) -> LogicalModel:
    base = known or LogicalModel(item.id, default_tier, (UseCase.CHAT, UseCase.CODE), ALL_CAPABILITIES)
    return LogicalModel(
        id=item.id,
        tier=item.tier or base.tier,
        use_cases=base.use_cases if item.use_cases is None else item.use_cases,
        capability_bits=base.capability_bits if item.capabilities is None else capability_bits(list(item.capabilities)),
        context_window=item.context_window or base.context_window,
        max_output=item.max_output or base.max_output,
        quality=base.quality if item.quality is None else item.quality,
        output_tokens_per_s=item.output_tokens_per_s or base.output_tokens_per_s,
    )


def from_config(
    provider: ProviderSettings,
    kinds: Mapping[str, ProviderKind],
    known: Mapping[str, LogicalModel],
    catalog: ShippedCatalog,
    listed: Iterable[str] = (),
) -> Source:
    """The source of one `providers:` entry. `listed` are the models that the provider itself names, for an entry without any."""
    kind = kinds[provider.kind]
    base_url = provider.base_url or kind.base_url
    assert base_url is not None, "config.references refuses a provider without an address"
    is_vendor = provider.base_url is None or provider.base_url == kind.base_url
    account = Account(
        provider.id,
        kind,
        is_local=_is_local(provider, kind, base_url),
        dialects=tuple(provider.dialects or ()),
        catalog_id=kind.catalog_id if is_vendor or kind.owner_names_models else None,
        declared=True,
    )
    served = [_served(model, known, catalog) for model in provider.models]
    if not served:
        served = [Served(name) for name in listed]
    if not served and account.catalog_id is not None and not kind.owner_names_models:
        offers = catalog.offerings(account.catalog_id)
        served = [Served(offer.upstream_model, offer.logical_model_id, offer.context_window) for offer in offers]
    models, replicas = replicas_for(account, served, catalog, known)
    return Source(kind, base_url, models, replicas, _reach(provider, kind))


def _is_local(provider: ProviderSettings, kind: ProviderKind, base_url: str) -> bool:
    """What config says; else a local kind at a loopback address. A loopback address alone may be a tunnel to anywhere."""
    if provider.local is not None:
        return provider.local
    host = base_url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return kind.is_local and is_loopback(name)


def _served(model: ProviderModel, known: Mapping[str, LogicalModel], catalog: ShippedCatalog) -> Served:
    logical = model.model or model.upstream
    bits = capability_bits(list(model.capabilities)) if model.capabilities is not None else None
    is_described = logical in known or logical in catalog.aliases or is_embedding_name(model.upstream)
    return Served(
        model.upstream,
        logical,
        context_window=model.context_window,
        capability_bits=ALL_CAPABILITIES if bits is None and not is_described else bits,
        price=price_from(model.price),
    )


def _reach(provider: ProviderSettings, kind: ProviderKind) -> Reach:
    key = provider.api_key.get_secret_value() if provider.api_key is not None else None
    timeouts = provider.timeouts
    return Reach(
        headers=[*(kind.auth(key) if key else []), *((name.lower().encode(), text.encode()) for name, text in provider.headers.items())],
        deadlines=Deadlines(timeouts.connect, timeouts.first_byte, timeouts.idle),
        proxy=provider.proxy,
        ca_file=provider.ca_file,
        verify=provider.verify,
        http2=provider.http2,
        max_connections=provider.max_connections,
        on_disconnect=OnDisconnect(provider.on_disconnect),
        drain_s=provider.drain_seconds,
        drain_max_concurrent=provider.drain_max_concurrent,
    )


def from_environment(provider: EnvironmentProvider, environ: Mapping[str, str], catalog: ShippedCatalog) -> Source:
    models, replicas = offered_fleet(provider, catalog)
    reach = Reach(headers=provider.kind.auth(environ[provider.key_variable]))
    return Source(provider.kind, provider.base_url, models, replicas, reach, "environment")


def from_discovery(found: Found, kinds: Mapping[str, ProviderKind], environ: Mapping[str, str], catalog: ShippedCatalog) -> Source:
    models, replicas = local_fleet(found, kinds, catalog)
    kind = kinds[found.kind]
    key = environ.get(found.key_variable) if found.key_variable else None
    return Source(kind, found.base_url, models, replicas, Reach(headers=kind.auth(key) if key else []), "discovery")


def simulated(kinds: Mapping[str, ProviderKind]) -> Source:
    return Source(kinds["sim"], BASE_URL, simulated_models(), simulated_replicas(), origin="simulated")
