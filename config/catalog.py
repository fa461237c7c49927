"""The shipped catalog: logical models, their other names, and who sells them. Data in, values out; built by `scripts/build-catalog` and
read once per process.

Prices are the ledger's (`config/ledger/snapshot.py`), which is read when the first one is asked for: a fleet of local models needs none. A
model's quality is derived from published benchmarks (`scripts/catalog_quality.py` says how) and absent where there are none; speeds
are not shipped, since no source with a licence for it has them.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from config.ledger.snapshot import load_snapshot
from routing.ledger.book import Book
from routing.ledger.readings import entry_key
from routing.naming import index_names
from routing.types import LogicalModel, ModelTier, Price, UseCase

_PRIMARY, _RETIRED = 1, 2


@dataclass(frozen=True, slots=True)
class Offering:
    """One provider's offering of a logical model, under the name the provider knows."""

    upstream_model: str
    logical_model_id: str
    context_window: int | None
    curated: bool
    """Does the catalog vouch for the model's tier? Otherwise size or price suggested it: good for being named, poor for being chosen."""


@dataclass(frozen=True, slots=True)
class ShippedCatalog:
    """What donut knows about models before it has asked anyone."""

    version: str
    """The day of the facts, `2026-11-20`."""
    quality_version: str
    """Method and day of the models' quality, `1:2026-11-20`. Figures of two versions must not be compared."""
    models: Mapping[str, LogicalModel]
    curated: frozenset[str]
    """Ids of the models whose tier is a judgement of capability rather than a guess."""
    aliases: Mapping[str, str]
    """Another name → logical id. Some keys are models too: old ones, to be replaced when nobody serves them."""
    local_names: Mapping[str, str]
    """Normalised local name → logical id, as `routing.naming.match_logical` takes it. Open models only."""
    _offered: Mapping[str, tuple[Offering, ...]]
    _book: Book | None = None
    """The ledger to ask for prices; None = the shipped one."""

    def offerings(self, catalog_provider_id: str) -> list[Offering]:
        """What the provider sells today, one name per model, curated models first. Empty for a provider the catalog lacks."""
        return list(self._offered.get(catalog_provider_id, ()))

    def price(self, catalog_provider_id: str, upstream_model: str) -> Price | None:
        """The price of any name of the provider, retired ones and special lanes included; None when unknown, which is not free."""
        book = self._book if self._book is not None else shipped_book()
        return book.price(entry_key(catalog_provider_id, upstream_model))


@functools.cache
def shipped_book() -> Book:
    """The ledger of the package alone. About 15 ms the first time, nothing afterwards."""
    return Book(load_snapshot().sheets)


@functools.cache
def load_catalog() -> ShippedCatalog:
    """The catalog in the package. About 10 ms the first time, nothing afterwards."""
    raw = importlib.resources.files("config").joinpath("data", "catalog.json").read_bytes()
    return parse_catalog(orjson.loads(raw))


def shipped_models() -> Mapping[str, LogicalModel]:
    """Logical id → model, of the shipped catalog."""
    return load_catalog().models


def parse_catalog(data: Mapping[str, Any]) -> ShippedCatalog:
    """The catalog in `data`, the JSON value that `scripts/build-catalog` writes. Raises KeyError or ValueError on any other."""
    version = str(data["version"])
    models = {model_id: _model(model_id, row) for model_id, row in data["models"].items()}
    curated = frozenset(model_id for model_id, row in data["models"].items() if row.get("curated"))
    offered: dict[str, tuple[Offering, ...]] = {}
    for provider, rows in data["offerings"].items():
        current: list[Offering] = []
        for upstream, model_id, flags, window in rows:
            if flags & _PRIMARY and not flags & _RETIRED:
                current.append(Offering(upstream, model_id, window, model_id in curated))
        offered[provider] = tuple(sorted(current, key=lambda offering: not offering.curated))
    return ShippedCatalog(
        version=version,
        quality_version=str(data["quality"]),
        models=MappingProxyType(models),
        curated=curated,
        aliases=MappingProxyType(dict(data["aliases"])),
        local_names=MappingProxyType(index_names((name, model_id) for name, model_id in data["local_names"])),
        _offered=MappingProxyType(offered),
    )


def _model(model_id: str, row: Mapping[str, Any]) -> LogicalModel:
    return LogicalModel(
        id=model_id,
        tier=ModelTier(row["tier"]),
        use_cases=tuple(UseCase(word) for word in row["use_cases"]),
        capability_bits=row["bits"],
        context_window=row.get("window"),
        max_output=row.get("output"),
        quality=row.get("quality"),
    )
