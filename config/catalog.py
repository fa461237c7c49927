"""The shipped catalog: logical models, their other names, and who sells them at which price. Data in, values out; built by
`scripts/build-catalog` and read once per process.

Prices are list prices of the plain lane. A price that depends on the prompt's length or the hour is shipped as its base figure. A
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

from routing.naming import index_names
from routing.types import LogicalModel, ModelTier, Price, UseCase

_PRIMARY, _RETIRED = 1, 2


@dataclass(frozen=True, slots=True)
class Offering:
    """One provider's offering of a logical model, under the name the provider knows."""

    upstream_model: str
    logical_model_id: str
    context_window: int | None
    price: Price | None
    """None when no source has one."""
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
    _prices: Mapping[tuple[str, str], Price]

    def offerings(self, catalog_provider_id: str) -> list[Offering]:
        """What the provider sells today, one name per model, curated models first. Empty for a provider the catalog lacks."""
        return list(self._offered.get(catalog_provider_id, ()))

    def price(self, catalog_provider_id: str, upstream_model: str) -> Price | None:
        """The price of any name of the provider, retired ones and special lanes included; None when unknown, which is not free."""
        return self._prices.get((catalog_provider_id, upstream_model))


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
    prices: dict[tuple[str, str], Price] = {}
    for provider, rows in data["offerings"].items():
        current: list[Offering] = []
        for upstream, model_id, flags, window, *figures in rows:
            price = _price(figures, f"catalog:{version}")
            if price is not None:
                prices[provider, upstream] = price
            if flags & _PRIMARY and not flags & _RETIRED:
                current.append(Offering(upstream, model_id, window, price, model_id in curated))
        offered[provider] = tuple(sorted(current, key=lambda offering: not offering.curated))
    return ShippedCatalog(
        version=version,
        quality_version=str(data["quality"]),
        models=MappingProxyType(models),
        curated=curated,
        aliases=MappingProxyType(dict(data["aliases"])),
        local_names=MappingProxyType(index_names((name, model_id) for name, model_id in data["local_names"])),
        _offered=MappingProxyType(offered),
        _prices=MappingProxyType(prices),
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


def _price(figures: list[float | None], version: str) -> Price | None:
    """`figures` are input, output, cache read, cache write; trailing ones may be missing."""
    if all(figure is None for figure in figures):
        return None
    padded: list[float | None] = [*figures, None, None, None, None]
    return Price(padded[0], padded[1], padded[2], padded[3], version)
