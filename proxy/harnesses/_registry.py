"""All harnesses, found at start: every public module of this package exports `HARNESS`."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

import proxy.harnesses
from proxy.harnesses import Harness


@functools.cache
def load_harnesses() -> Mapping[str, Harness]:
    """Name → harness, sorted by module. Raises TypeError for a module without HARNESS: a forgotten export shows at start."""
    found: dict[str, Harness] = {}
    for info in pkgutil.iter_modules(proxy.harnesses.__path__):
        if info.name.startswith("_"):
            continue
        harness = getattr(importlib.import_module(f"{proxy.harnesses.__name__}.{info.name}"), "HARNESS", None)
        if not isinstance(harness, Harness):
            raise TypeError(f"{proxy.harnesses.__name__}.{info.name} must export HARNESS: Harness")
        found[harness.name] = harness
    return found
