"""Finds extensions: every public module of a package exports one typed constant, and nobody else needs to name the module."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def module_names(package: ModuleType) -> list[str]:
    """The public modules of `package`, sorted; nothing is imported. Sub-packages and names that begin with `_` do not count."""
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg and not info.name.startswith("_"))


def load_one(package: ModuleType, name: str, constant: str, kind: type[T]) -> T:
    """The `constant` of the module `name` of `package`. Raises TypeError, naming the module, when it is missing or no `kind`."""
    module = importlib.import_module(f"{package.__name__}.{name}")
    missing = object()
    value = getattr(module, constant, missing)
    if value is missing:
        raise TypeError(f"{module.__name__} must export {constant}: {kind.__name__}")
    if not isinstance(value, kind):
        raise TypeError(f"{module.__name__} must export {constant}: {kind.__name__}, not {type(value).__name__}")
    return value


def discover(package: ModuleType, constant: str, kind: type[T]) -> dict[str, T]:
    """Module name → its `constant`, for every public module of `package`, sorted by name. Raises TypeError as `load_one`."""
    return {name: load_one(package, name, constant, kind) for name in module_names(package)}
