"""The ledger of a running process: read at the start and after every change, and put over what is served.

Where nobody overrides a figure, no feed has spoken and nothing was measured, the package's catalog is served as it is, and the library is
not even made: a start pays only for what it uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from config.catalog import ShippedCatalog, load_catalog
from config.ledger.library import Given, Library
from config.ledger.store import read_all
from config.settings import Settings
from config.sources import Source
from routing.ledger.metrics import OTHER_NAMES, PRICE_FIELDS
from routing.ledger.readings import LIVE, MANUAL, PRIORITY
from routing.ledger.resolver import Resolver
from routing.ledger.sheet import Sheet
from routing.ledger.terms import PLAIN
from routing.types import ModelReplica, Price

log = structlog.get_logger("donut.ledger")


class Shelf:
    def __init__(self, folder: Path, settings: Settings, config_name: str = "") -> None:
        """`folder`: where feeds and imports are kept."""
        self.folder = folder
        self._config_name = config_name
        self._live: tuple[Sheet, ...] = ()
        self._library: Library | None = None
        self._given = Given({})
        self.read(settings)

    def read(self, settings: Settings) -> None:
        """Take over the settings' overrides and what lies in the folder now."""
        kept, problems = read_all(self.folder)
        if self._live:
            kept = [each for each in kept if each.feed != LIVE]
        for problem in problems:
            log.warning("ledger_file_unreadable", why=problem)
        self._given = Given(settings.overrides, settings.ledger.full_priority, tuple(kept), self._live, self._config_name)
        if not self.is_plain:
            self._given = replace(self._given, overrides=said_by_hand(settings))
        self._library = None

    def prepare(self, settings: Settings) -> None:
        """`read`, and make what serving needs: for a thread, so that the loop finds it ready."""
        self.read(settings)
        _ = self.catalog

    def measured(self, sheets: Sequence[Sheet]) -> None:
        """Take over what donut has measured itself, instead of what it had before."""
        self._live = tuple(sheets)
        kept = tuple(each for each in self._given.kept if each.feed != LIVE)
        self._given = replace(self._given, live=self._live, kept=kept)
        self._library = None

    @property
    def is_plain(self) -> bool:
        """Is there nothing but the package, and what was measured? Of that the router has its own, newer belief."""
        given = self._given
        return not given.overrides and not any(kept.feed != LIVE for kept in given.kept) and given.priority == PRIORITY

    @property
    def library(self) -> Library:
        if self._library is None:
            self._library = Library(self._given)
        return self._library

    @property
    def resolver(self) -> Resolver:
        return self.library.resolver

    @property
    def catalog(self) -> ShippedCatalog:
        return load_catalog() if self.is_plain else self.library.catalog

    def over(self, source: Source) -> Source:
        """The source with the ledger's figures and a person's prices."""
        if self.is_plain:
            return source
        models = [self.library.informed(model) for model in source.models]
        return replace(source, models=models, replicas=[self._replica(each) for each in source.replicas])

    def _replica(self, replica: ModelReplica) -> ModelReplica:
        priced = replace(replica, price=self._price(replica))
        return replace(priced, ledger_notes=self.library.notes_on(priced))

    def _price(self, replica: ModelReplica) -> Price | None:
        """A person's price of this very replica, else of its model wherever it costs anything; figure by figure."""
        price = replica.price
        subjects = [replica.id] if replica.is_local else [replica.logical_model_id, replica.id]
        for subject in subjects:
            figures = {field: value for metric, field in PRICE_FIELDS.items() if (value := self._manual(subject, metric)) is not None}
            if figures:
                before = price or Price(None, None)
                # Conditions are relative to the figure that they came with.
                terms = PLAIN if "input" in figures else before.terms
                price = replace(before, version=MANUAL, terms=terms, **figures)
        return price

    def _manual(self, subject: str, metric: str) -> float | None:
        book = self.library.book
        if book.value(subject, metric) is None:
            return None
        winner = book.figure(subject, metric).winner
        return winner.value if winner is not None and winner.source == MANUAL else None


def said_by_hand(settings: Settings) -> dict[str, dict[str, float]]:
    """`overrides:`, and below them what `models:` says in figures: both are a person's word, and no feed comes before it."""
    said: dict[str, dict[str, float]] = {}
    for model in settings.models:
        figures = {
            "quality": model.quality,
            "speed_tps": model.output_tokens_per_s,
            "context_window": model.context_window,
            "max_output": model.max_output,
        }
        said[model.id] = {name: float(value) for name, value in figures.items() if value is not None}
    for subject, given in settings.overrides.items():
        known = {OTHER_NAMES.get(name, (name, 1.0))[0] for name in given}
        below = {name: value for name, value in said.get(subject, {}).items() if name not in known}
        said[subject] = {**below, **given}
    return {subject: figures for subject, figures in said.items() if figures}


async def reread(shelf: Shelf, settings: Settings, changed: Callable[[], None]) -> None:
    """Off the loop: a feed's file may have megabytes."""
    await asyncio.to_thread(shelf.prepare, settings)
    changed()
