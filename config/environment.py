"""Providers that the environment already knows: keys in the usual variables, and addresses beside them.

Keys are looked at, never kept: what comes out names the variable, and whoever sends a request reads it there.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from providers.loopback import is_loopback
from providers.ports import ProviderKind

OWN_PORT = 8317


@dataclass(frozen=True, slots=True)
class EnvironmentProvider:
    """An account that the environment has a key for. Its provider id is the kind's name."""

    kind: ProviderKind
    key_variable: str
    """Where the key is. The key itself is not here, so that it cannot be printed by accident."""
    base_url: str
    base_url_variable: str | None = None
    """Where the address came from; None when it is the kind's own."""

    @property
    def provider_id(self) -> str:
        return self.kind.name

    @property
    def is_vendor(self) -> bool:
        """Is this the vendor itself? At another address neither the catalog's models nor its prices hold."""
        return self.base_url == self.kind.base_url


@dataclass(frozen=True, slots=True)
class UnusedKey:
    """A key, or an address, that was seen and cannot be used as it is."""

    variable: str
    title: str
    reason: str
    """What would have to change, in one line."""


def providers_from_environment(
    environ: Mapping[str, str], kinds: Mapping[str, ProviderKind], own_port: int = OWN_PORT
) -> list[EnvironmentProvider]:
    """The accounts that can be used, in the order of `kinds`. Local kinds are discovery's business; their keys are no accounts."""
    found: list[EnvironmentProvider] = []
    for kind in kinds.values():
        key = _first_set(kind.key_env, environ)
        if key is None or kind.is_local or kind.owner_names_models:
            continue
        url = _address(kind, environ, own_port)
        if url is not None:
            found.append(EnvironmentProvider(kind, key, *url))
    return found


def unused_keys(environ: Mapping[str, str], kinds: Mapping[str, ProviderKind], own_port: int = OWN_PORT) -> list[UnusedKey]:
    """What `providers_from_environment` passes over although it is there, each with the reason."""
    unused: list[UnusedKey] = []
    for kind in kinds.values():
        key = _first_set(kind.key_env, environ)
        if key is not None and kind.owner_names_models and not kind.is_local:
            unused.append(UnusedKey(key, kind.title, _config_line(kind, key)))
        unused += [
            UnusedKey(variable, kind.title, "points at donut itself and is ignored; donut asks the vendor directly")
            for variable in kind.base_url_env
            if _is_own(environ.get(variable, "").strip(), own_port)
        ]
    return unused


def _config_line(kind: ProviderKind, key: str) -> str:
    """The config that names what no list has: an account whose owner names the models."""
    where = f"${{{kind.base_url_env[0]}}}" if kind.base_url_env else "https://…"
    entry = f"{{id: {kind.name}, kind: {kind.name}, base_url: {where}, api_key: ${{{key}}}, models: [{{upstream: NAME, model: MODEL}}]}}"
    return f"its models have names of your own; add to the config: providers: [{entry}]"


def _first_set(variables: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """The first of `variables` that holds something a header can carry."""
    return next((name for name in variables if _is_key(environ.get(name, ""))), None)


def _is_key(value: str) -> bool:
    return bool(value) and all("!" <= char <= "~" for char in value)


def _address(kind: ProviderKind, environ: Mapping[str, str], own_port: int) -> tuple[str, str | None] | None:
    """(base URL, the variable it came from). An address that is donut's own is what harnesses were told, not where the vendor is."""
    for url, variable in _stated_addresses(kind, environ):
        if not _is_own(url, own_port):
            return url.rstrip("/"), variable
    return (kind.base_url, None) if kind.base_url is not None else None


def _stated_addresses(kind: ProviderKind, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable in kind.base_url_env:
        url = environ.get(variable, "").strip()
        if _host_and_port(url) is not None:
            yield url, variable


def _is_own(url: str, own_port: int) -> bool:
    """Does `url` lead back to this donut?"""
    place = _host_and_port(url)
    if place is None:
        return False
    host, port = place
    return (is_loopback(host) or host in ("0.0.0.0", "::")) and port == own_port  # noqa: S104 - a name to recognise, not to bind


def _host_and_port(url: str) -> tuple[str, int | None] | None:
    """Of an http(s) URL; None for anything else."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port) if parts.scheme in ("http", "https") and host else None
