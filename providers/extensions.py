"""Finds extension files: every module of a package exports one typed constant, and nothing else in the program names it."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType, ModuleType
from typing import TypeVar

import providers.kinds
import providers.local
from providers.local.port import LocalBackend
from providers.ports import ProviderKind

T = TypeVar("T")


def collect(package: ModuleType, constant: str, kind: type[T], helpers: Collection[str] = ()) -> list[T]:
    """The `constant` of every public module of `package`, in the order of module names. `helpers` are modules that extend nothing.

    Raises TypeError for a module without it: a forgotten export shows at start, not as a provider that is silently missing.
    """
    found: list[T] = []
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        if info.name.startswith("_") or info.ispkg or info.name in helpers:
            continue
        value = getattr(importlib.import_module(f"{package.__name__}.{info.name}"), constant, None)
        if not isinstance(value, kind):
            raise TypeError(f"{package.__name__}.{info.name} must export {constant}: {kind.__name__}")
        found.append(value)
    return found


@functools.cache
def load_kinds() -> Mapping[str, ProviderKind]:
    """Kind name → provider kind. Raises TypeError when a file exports no KIND, ValueError when two share a name."""
    return _by_name((kind.name, kind) for kind in collect(providers.kinds, "KIND", ProviderKind))


@functools.cache
def load_backends() -> Mapping[str, LocalBackend]:
    """Backend name → local backend, the most specific fingerprint first. Raises TypeError and ValueError as `load_kinds`."""
    backends = collect(providers.local, "BACKEND", LocalBackend, helpers=("port", "found", "probe"))
    return _by_name((backend.name, backend) for backend in sorted(backends, key=lambda backend: (backend.rank, backend.name)))


def _by_name(pairs: Iterable[tuple[str, T]]) -> Mapping[str, T]:
    named: dict[str, T] = {}
    for name, value in pairs:
        if name in named:
            raise ValueError(f"two extensions are called {name!r}")
        named[name] = value
    return MappingProxyType(named)
