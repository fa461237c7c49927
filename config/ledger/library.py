"""The ledger of one process: the snapshot, what feeds brought and what a person overrides, joined; and the catalog as it says.

Made anew when one of the three changes. What only a person's question needs (the names of all entries, the resolver) is made on first use:
a start without such a question pays for the book alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from config.catalog import ShippedCatalog, load_catalog
from config.ledger.names import name_index
from config.ledger.overrides import override_sheets
from config.ledger.snapshot import load_snapshot
from config.ledger.store import Kept, read_all
from routing.ledger.book import Book
from routing.ledger.names import Match, NameIndex, bare
from routing.ledger.quality import Qualities
from routing.ledger.readings import LIVE, MANUAL, PRIORITY, SHIPPED
from routing.ledger.resolver import Entry, Resolver
from routing.ledger.sheet import Sheet
from routing.types import LogicalModel, ModelReplica

HARNESS_BAR = "|"
SAID_OF_PRICES = ("price_input", "price_output", "price_cache_read", "price_cache_write")


@dataclass(frozen=True, slots=True)
class Given:
    """What a library is made of, besides the package."""

    overrides: Mapping[str, Mapping[str, float]]
    priority: tuple[str, ...] = PRIORITY
    kept: tuple[Kept, ...] = ()
    live: tuple[Sheet, ...] = ()
    """What donut measured itself."""
    where: str = ""
    """The file that has the overrides."""


class Library:
    def __init__(self, given: Given) -> None:
        self.given = given
        self.snapshot = load_snapshot()
        self.shipped = load_catalog()
        sheets = [*self.snapshot.sheets, *(sheet for kept in given.kept for sheet in kept.sheets), *given.live]
        if given.overrides:
            sheets += override_sheets(given.overrides, self.known, self.match, given.where)
        self.book = Book(sheets, given.priority)
        self._qualities = Qualities(self.book)

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """The package's entries, and those that only the feeds know: what a provider has begun to sell since."""
        found = (subject for kept in self.given.kept for sheet in kept.sheets for subject in sheet.subjects if HARNESS_BAR not in subject)
        newer = [subject for subject in dict.fromkeys(found) if "/" in subject and subject not in self.snapshot.entries]
        if not newer:
            return self.snapshot.entries
        shipped_names = name_index(self.snapshot.entries, self.shipped.aliases, self.shipped.models)
        return {**self.snapshot.entries, **new_entries(newer, self.snapshot.entries, shipped_names)}

    @cached_property
    def known(self) -> frozenset[str]:
        """Subjects that need no matching: entries and logical models."""
        return frozenset({*self.entries, *self.shipped.models, *(entry.model for entry in self.entries.values())})

    @cached_property
    def names(self) -> NameIndex:
        return name_index(self.entries, self.shipped.aliases, self.shipped.models)

    def match(self, name: str) -> Match:
        return self.names.match(name)

    @cached_property
    def resolver(self) -> Resolver:
        return Resolver(self.book, self.entries, self.names)

    @cached_property
    def catalog(self) -> ShippedCatalog:
        """The shipped catalog with the ledger's figures in the place of its own."""
        models = {name: self.informed(model) for name, model in self.shipped.models.items()}
        return replace(self.shipped, models=models, _book=self.book)

    def informed(self, model: LogicalModel) -> LogicalModel:
        """The model with what the ledger believes of it."""
        rated = self._qualities.of(model.id)
        speed = self.book.value(model.id, "speed_tps")
        window, longest = self.book.value(model.id, "context_window"), self.book.value(model.id, "max_output")
        return replace(
            model,
            quality=model.quality if rated is None else rated.value,
            output_tokens_per_s=speed or model.output_tokens_per_s,
            context_window=int(window) if window else model.context_window,
            max_output=int(longest) if longest else model.max_output,
        )

    def notes_on(self, replica: ModelReplica) -> tuple[str, ...]:
        """What the ledger knows of a replica that the package did not, for its decisions: `speed_tps 65 of manual`."""
        return tuple(self._notes(replica))

    def _notes(self, replica: ModelReplica) -> Iterable[str]:
        rated = self._qualities.of(replica.logical_model_id)
        if rated is not None and rated.source != SHIPPED:
            yield rated.basis if rated.basis.startswith("quality ") else f"quality {rated.value:g} by {rated.basis}"
        about = (replica.logical_model_id, ("speed_tps", "context_window", *SAID_OF_PRICES)), (replica.id, SAID_OF_PRICES)
        for subject, metrics in about:
            for metric in metrics:
                winner = self.book.figure(subject, metric).winner if self.book.value(subject, metric) is not None else None
                # A model's own price is somebody's average; only a person's is what donut counts with.
                is_average = metric in SAID_OF_PRICES and subject != replica.id
                if winner is not None and winner.source not in (SHIPPED, LIVE) and (winner.source == MANUAL or not is_average):
                    yield f"{metric} {winner.value:g} of {winner.source}"


def new_entries(keys: Iterable[str], shipped: Mapping[str, Entry], names: NameIndex) -> dict[str, Entry]:
    """Entries that the package lacks, of providers that it knows. Each is of the logical model that its name means, else of a new one."""
    billing = {entry.provider: entry.billing for entry in shipped.values()}
    sold = {(entry.provider, entry.model) for entry in shipped.values() if entry.is_primary}
    found: dict[str, Entry] = {}
    for key in keys:
        provider, _, upstream = key.partition("/")
        if provider in billing and upstream:
            model = names.match(upstream).id or bare(upstream)
            found[key] = Entry(provider, upstream, model, (provider, model) not in sold, billing=billing[provider])
            sold.add((provider, model))
    return found


def open_library(
    overrides: Mapping[str, Mapping[str, float]], priority: tuple[str, ...], folder: Path | None, where: str = ""
) -> tuple[Library, list[str]]:
    """The library over what is in `folder`, and what could not be read there, in words."""
    kept, problems = read_all(folder) if folder is not None else ([], [])
    return Library(Given(overrides, priority, tuple(kept), where=where)), problems
