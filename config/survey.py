"""Looks around once: what is on this machine, in the environment and in the config, and what all of it would serve.

`donut doctor` and `donut models` show the result. Nothing is started, and nothing beyond this machine is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from config import sources
from config.catalog import ShippedCatalog
from config.environment import EnvironmentProvider, UnusedKey, providers_from_environment, unused_keys
from config.listing import list_models, wants_listing
from config.provider_settings import ProviderSettings
from config.settings import Settings
from config.sources import Source
from providers.local.found import Found
from providers.local.probe import TIMEOUT_S, Endpoint, discover
from providers.loopback import is_loopback
from providers.ports import ProviderKind
from providers.sim.fleet import SCHEME
from routing.types import ModelReplica


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found."""

    local: tuple[Found, ...]
    accounts: tuple[EnvironmentProvider, ...]
    unused: tuple[UnusedKey, ...]
    sources: tuple[Source, ...]
    """Everyone who would serve, in order of precedence."""
    unlisted: tuple[str, ...] = ()
    """Ids of configured providers whose models only they know: a starting server asks them, this survey does not."""

    def replicas(self) -> list[tuple[ModelReplica, Source]]:
        """Each replica once, with the first source that names it."""
        named: dict[str, tuple[ModelReplica, Source]] = {}
        for source in self.sources:
            for replica in source.replicas:
                named.setdefault(replica.id, (replica, source))
        return list(named.values())

    def real_replicas(self) -> list[ModelReplica]:
        """Those whose answers are no placeholders."""
        return [replica for replica, source in self.replicas() if not source.base_url.startswith(f"{SCHEME}:")]


async def survey(
    settings: Settings,
    environ: Mapping[str, str],
    kinds: Mapping[str, ProviderKind],
    catalog: ShippedCatalog,
    ports: Sequence[Endpoint] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
) -> Survey:
    """Look where `settings.discovery` allows. `ports` replaces the usual ones, `timeout_s` how long each may take. A second or so, mostly
    waiting."""
    found = tuple(await discover(ports, timeout_s, environ)) if settings.discovery.local else ()
    wants_keys = settings.discovery.environment
    accounts = tuple(providers_from_environment(environ, kinds, settings.server.port)) if wants_keys else ()
    unlisted: list[str] = []
    declared: list[Source] = []
    known = sources.declared_models(settings, catalog)
    for provider in settings.providers:
        kind = kinds[provider.kind]
        listed: Iterable[str] = ()
        if wants_listing(provider, kind):
            if _is_here(provider, kind):
                listed = await list_models(provider, kind) or ()
            else:
                unlisted.append(provider.id)
        declared.append(sources.from_config(provider, kinds, known, catalog, listed))
    # What a person wrote down comes first; an address is not served twice.
    taken = {source.base_url for source in declared}
    local = [sources.from_discovery(server, kinds, environ, catalog) for server in found if server.base_url not in taken]
    hosted = [sources.from_environment(account, environ, catalog) for account in accounts if account.base_url not in taken]
    return Survey(
        local=found,
        accounts=accounts,
        unused=tuple(unused_keys(environ, kinds, settings.server.port)) if wants_keys else (),
        sources=(*declared, *local, *hosted),
        unlisted=tuple(unlisted),
    )


def _is_here(provider: ProviderSettings, kind: ProviderKind) -> bool:
    return provider.proxy is None and is_loopback(urlsplit(provider.base_url or kind.base_url or "").hostname or "")
