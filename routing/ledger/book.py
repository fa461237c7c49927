"""The ledger as the router reads it: every subject, every figure, merged once and looked up in a fraction of a microsecond."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

from routing.ledger.merge import Figure, Rules, editions_in_force, explain, merged_columns, ranked
from routing.ledger.metrics import METRICS, PRICE_FIELDS
from routing.ledger.readings import PRIORITY, SHIPPED, Reading
from routing.ledger.sheet import Sheet
from routing.ledger.terms import PLAIN, Terms
from routing.types import Price


class Book:
    """Never changed: a refresh or an edited override makes a new one."""

    def __init__(self, sheets: Iterable[Sheet], priority: Sequence[str] = PRIORITY) -> None:
        """`priority`: names of sources, the one that is believed first in front."""
        given = list(sheets)
        self.rules = Rules(tuple(priority), editions_in_force(given))
        self.sheets: tuple[Sheet, ...] = tuple(ranked(given, self.rules))
        self._rows: dict[str, int] = {}
        for sheet in reversed(self.sheets):
            for subject in sheet.subjects:
                self._rows.setdefault(subject, len(self._rows))
        self._columns = merged_columns(self.sheets, self._rows, self.rules)
        self._places: dict[int, dict[str, int]] = {}

    def __contains__(self, subject: object) -> bool:
        return subject in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def subjects(self) -> Sequence[str]:
        return list(self._rows)

    def value(self, subject: str, metric: str) -> float | None:
        """What is believed; None when nothing is."""
        row = self._rows.get(subject)
        column = self._columns.get(metric)
        if row is None or column is None:
            return None
        value = column[row]
        return None if isnan(value) else value

    def first(self, subjects: Iterable[str], metric: str) -> tuple[str, float] | None:
        """The first of `subjects` of which something is believed, and what: the most specific one in front."""
        for subject in subjects:
            value = self.value(subject, metric)
            if value is not None:
                return subject, value
        return None

    def pairs(self, one: str, other: str) -> tuple[list[float], list[float]]:
        """The figures of two metrics, over the subjects that have both."""
        columns = self._columns.get(one), self._columns.get(other)
        if columns[0] is None or columns[1] is None:
            return [], []
        both = [(a, b) for a, b in zip(columns[0], columns[1], strict=True) if not isnan(a) and not isnan(b)]
        return [a for a, _ in both], [b for _, b in both]

    def metrics_of(self, subject: str) -> list[str]:
        """The metrics that anybody has a figure for, in the order of the vocabulary."""
        named = {aside.metric for sheet in self.sheets for aside in sheet.asides.get(subject, ())}
        for sheet in self.sheets:
            row = self._place(sheet, subject)
            if row is not None:
                named |= {name for name, column in sheet.columns.items() if not isnan(column[row])}
        return [name for name in METRICS if name in named]

    def figure(self, subject: str, metric: str) -> Figure:
        """What is believed, by whom, and who else said what."""
        readings: list[Reading] = []
        asides: list[Reading] = []
        for sheet in self.sheets:
            row = self._place(sheet, subject)
            reading = None if row is None else sheet.reading(row, metric)
            if reading is not None:
                readings.append(reading)
            asides += [aside for aside in sheet.asides.get(subject, ()) if aside.metric == metric]
        return explain(subject, metric, readings, asides, self.rules)

    def figures(self, subject: str) -> list[Figure]:
        """Everything about one subject."""
        return [self.figure(subject, metric) for metric in self.metrics_of(subject)]

    def price(self, subject: str) -> Price | None:
        """The whole price of an entry; None when nobody knows any figure of it. Conditions are those of whoever gave the input's
        figure: another source's would be relative to another price."""
        if not any(self.value(subject, metric) is not None for metric in PRICE_FIELDS):
            return None
        figures = {field: self.value(subject, metric) for metric, field in PRICE_FIELDS.items()}
        giver = self.figure(subject, "price_input").winner or self.figure(subject, "price_output").winner
        version = "" if giver is None else _named(giver)
        return Price(**figures, version=version, terms=self._terms(subject, giver))

    def _terms(self, subject: str, giver: Reading | None) -> Terms:
        for sheet in self.sheets:
            if giver is not None and (sheet.source, sheet.version) == (giver.source, giver.version) and subject in sheet.terms:
                return sheet.terms[subject]
        return PLAIN

    def _place(self, sheet: Sheet, subject: str) -> int | None:
        """The subject's row in a sheet. Made on first use: only a person's question needs it."""
        places = self._places.get(id(sheet))
        if places is None:
            places = self._places[id(sheet)] = {name: row for row, name in enumerate(sheet.subjects)}
        return places.get(subject)


def _named(giver: Reading) -> str:
    """For the journal: `manual`, `litellm:2026-11-20`; what was shipped is called `catalog`, as it was before there was a ledger."""
    source = "catalog" if giver.source == SHIPPED else giver.source
    return f"{source}:{giver.version or giver.updated_at}".rstrip(":")
