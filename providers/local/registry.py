"""All local backends, found at start: every module of this package that is not part of its machinery exports `BACKEND`."""

from __future__ import annotations

import functools
import importlib
import pkgutil

import providers.local
from providers.local.port import LocalBackend

_MACHINERY = frozenset({"found", "port", "probe", "registry"})


@functools.cache
def load_backends() -> tuple[LocalBackend, ...]:
    """The backends, the most specific fingerprint first.

    Raises TypeError for a module without BACKEND: a forgotten export shows at start, not as a server that is never found.
    """
    backends: list[LocalBackend] = []
    for info in pkgutil.iter_modules(providers.local.__path__):
        if info.name in _MACHINERY:
            continue
        backend = getattr(importlib.import_module(f"{providers.local.__name__}.{info.name}"), "BACKEND", None)
        if not isinstance(backend, LocalBackend):
            raise TypeError(f"{providers.local.__name__}.{info.name} must export BACKEND: LocalBackend")
        backends.append(backend)
    return tuple(sorted(backends, key=lambda backend: (backend.rank, backend.name)))
