"""What feeds are told of the ledger: whom their names mean, and what is known of a price already."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from config.catalog import shipped_book
from config.ledger.library import HARNESS_BAR
from config.ledger.overrides import SURE
from routing.ledger.book import Book
from routing.ledger.metrics import PRICE_FIELDS
from routing.ledger.names import Match
from routing.ledger.readings import entry_key
from routing.ledger.resolver import Entry

NAME_LENGTH = 200
OFFERS_MIN = 3
"""Offers of a model that make a price usual: two may be wrong together."""


@dataclass(frozen=True)
class KnownSubjects:
    """`providers.feeds.Subjects` over the ledger's entries and names."""

    entries: Mapping[str, Entry]
    match: Callable[[str], Match]

    @functools.cached_property
    def providers(self) -> frozenset[str]:
        return frozenset(entry.provider for entry in self.entries.values())

    def model(self, name: str) -> str | None:
        found = self.match(name) if name else None
        return found.id if found is not None and found.confidence >= SURE - 0.1 else None

    def entry(self, provider: str, upstream: str) -> str | None:
        """Also of a model that the ledger lacks, at a provider that it has: they sell new ones every week."""
        is_name = (
            upstream.isprintable() and upstream.strip() == upstream != "" and len(upstream) <= NAME_LENGTH and HARNESS_BAR not in upstream
        )
        return entry_key(provider, upstream) if provider in self.providers and is_name else None

    def upstreams(self, provider: str) -> Sequence[str]:
        """Those of models whose quality is known, best first."""
        book = shipped_book()
        offers = [entry for entry in self.entries.values() if entry.provider == provider and entry.is_primary and not entry.is_retired]
        rated = [(value, entry.upstream) for entry in offers if (value := book.value(entry.model, "quality")) is not None]
        return [upstream for _, upstream in sorted(rated, reverse=True)]


@dataclass(frozen=True)
class KnownPrices:
    """What a new figure is held against: what is known of its subject, and for a subject without a price the usual one of its model."""

    book: Book
    subjects: KnownSubjects

    def value(self, subject: str, metric: str) -> float | None:
        known = self.book.value(subject, metric)
        if known is not None or metric not in PRICE_FIELDS:
            return known
        entry = self.subjects.entries.get(subject)
        model = entry.model if entry is not None else self.subjects.match(subject.partition("/")[2] or subject).id
        return self._usual(model, metric) if model is not None else None

    def _usual(self, model: str, metric: str) -> float | None:
        """The median over its offers; None when fewer than three have one."""
        figures = [figure for key in self._offers.get(model, ()) if (figure := self.book.value(key, metric))]
        return statistics.median(figures) if len(figures) >= OFFERS_MIN else None

    @functools.cached_property
    def _offers(self) -> Mapping[str, list[str]]:
        offers: dict[str, list[str]] = {}
        for key, entry in self.subjects.entries.items():
            offers.setdefault(entry.model, []).append(key)
        return offers
