"""Every name that the ledger's logical models are known under: their own, the catalog's aliases, and what providers call them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from routing.ledger.names import NameIndex
from routing.ledger.resolver import Entry


def name_index(entries: Mapping[str, Entry], aliases: Mapping[str, str], models: Mapping[str, object]) -> NameIndex:
    """`aliases`: other name → logical id. An alias that is a model of its own (`gpt-4o` → its successor) means itself here: the ledger is
    asked what something costs, not what should answer in its place."""
    return NameIndex(_pairs(entries, aliases, models))


def _pairs(entries: Mapping[str, Entry], aliases: Mapping[str, str], models: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for model in dict.fromkeys([*models, *(entry.model for entry in entries.values())]):
        yield model, model
    for alias, model in aliases.items():
        if alias not in models:
            yield alias, model
    for entry in entries.values():
        yield entry.upstream, entry.model
