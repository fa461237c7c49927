"""The ledger's snapshot in the package: 2,184 entries with prices, and the benchmark scores that may be passed on. Built by
`scripts/build-ledger`; offline, donut knows this much.

Read in one pass into columns; who agreed, who lost and which conditions hold is decoded for an entry when it is asked for.
"""

from __future__ import annotations

import functools
import importlib.resources
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from routing.ledger.plain import sheets_from_plain, terms_from_plain
from routing.ledger.readings import SHIPPED, Reading, source_named
from routing.ledger.resolver import Entry
from routing.ledger.sheet import NAN, Sheet
from routing.ledger.terms import Terms

PRIMARY, RETIRED, NOT_CHAT = 1, 2, 4
LIMITS = ("context_window", "max_input", "max_output")
PRICES = ("price_input", "price_output", "price_cache_read", "price_cache_write", "price_cache_write_1h")
_LIMITS_AT, _PRICES_AT, _AGREEMENT_AT, _TERMS_AT, _LOSERS_AT = 3, 4, 5, 6, 7
"""Positions in an entry's row, as `scripts/ledger_build.py` writes it; the end is cut off where it is empty."""

AGREED, LOST = 0.8, 0.6
"""Confidence of a price that two sources or more have, and of one that a single source has."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    version: str
    """The day of the facts, `2026-11-20`."""
    entries: Mapping[str, Entry]
    """By key, `provider/upstream`."""
    sheets: Sequence[Sheet]
    price_sources: Mapping[str, Mapping[str, str]]
    """Name → how it was read, as of when, under which licence."""


@functools.cache
def load_snapshot() -> Snapshot:
    """The snapshot in the package."""
    raw = importlib.resources.files("config").joinpath("data", "ledger.json").read_bytes()
    return parse_snapshot(orjson.loads(raw))


def parse_snapshot(data: Mapping[str, Any]) -> Snapshot:
    """The snapshot in `data`, the JSON value that `scripts/build-ledger` writes. Raises KeyError or ValueError on any other."""
    version = str(data["version"])
    entries: dict[str, Entry] = {}
    rows: list[Sequence[Any]] = []
    billing = data["providers"]
    for provider, group in data["entries"].items():
        for row in group:
            upstream, model, flags = row[:3]
            entry = Entry(provider, upstream, model, bool(flags & PRIMARY), bool(flags & RETIRED), billing[provider])
            entries[f"{provider}/{upstream}"] = entry
            rows.append(row)
    sheets = [_entry_sheet(version, list(entries), rows, data["price_sources"]), *_quality(data["quality"])]
    for sheet in data["sheets"]:
        sheets += sheets_from_plain(sheet)
    return Snapshot(version, entries, sheets, data["price_sources"])


def _entry_sheet(version: str, subjects: Sequence[str], rows: Sequence[Sequence[Any]], sources: Mapping[str, Mapping[str, str]]) -> Sheet:
    columns = {name: array("d", [NAN]) * len(rows) for name in (*LIMITS, *PRICES)}
    for names, at in ((LIMITS, _LIMITS_AT), (PRICES, _PRICES_AT)):
        targets = [columns[name] for name in names]
        for position, row in enumerate(rows):
            if len(row) > at:
                for target, value in zip(targets, row[at], strict=False):
                    if value is not None:
                        target[position] = value
    by_subject = dict(zip(subjects, rows, strict=True))
    told = _Told(version, tuple(sources), sources)
    return Sheet(
        SHIPPED,
        subjects,
        columns,
        version,
        version,
        "MIT",
        AGREED,
        details=_Decoded(by_subject, _AGREEMENT_AT, told.details),
        asides=_Decoded(by_subject, _LOSERS_AT, told.asides),
        terms=_Decoded(by_subject, _TERMS_AT, told.terms),
    )


class _Decoded(Mapping[str, T]):
    """Subject → what `decode` makes of its row, worked out when asked. Holds those subjects whose row reaches as far as `at`."""

    def __init__(self, rows: Mapping[str, Sequence[Any]], at: int, decode: Callable[[str, Sequence[Any]], T]) -> None:
        self._rows = rows
        self._at = at
        self._decode = decode

    def __getitem__(self, subject: str) -> T:
        row = self._rows[subject]
        if len(row) <= self._at or not row[self._at]:
            raise KeyError(subject)
        return self._decode(subject, row)

    def __iter__(self) -> Iterator[str]:
        return (subject for subject, row in self._rows.items() if len(row) > self._at and row[self._at])

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class _Told:
    """What an entry's row says in short, in full."""

    version: str
    names: Sequence[str]
    """Of the price sources, in the order of their bits."""
    about: Mapping[str, Mapping[str, str]]

    def details(self, subject: str, row: Sequence[Any]) -> Mapping[str, Mapping[str, Any]]:
        """Who has the winning price."""
        del subject
        found: dict[str, Mapping[str, Any]] = {}
        for metric, bits in zip(PRICES, row[_AGREEMENT_AT], strict=False):
            agreeing = tuple(name for position, name in enumerate(self.names) if bits & 1 << position)
            if agreeing:
                found[metric] = {"agreeing": agreeing, "confidence": AGREED if len(agreeing) > 1 else LOST}
        return found

    def asides(self, subject: str, row: Sequence[Any]) -> Sequence[Reading]:
        """Prices that lost when the snapshot was built."""
        return [self._loser(subject, row, *item) for item in row[_LOSERS_AT]]

    def _loser(self, subject: str, row: Sequence[Any], position: int, source: int, value: float) -> Reading:
        bits = row[_AGREEMENT_AT][position]
        winners = [name for place, name in enumerate(self.names) if bits & 1 << place]
        has = "has" if len(winners) == 1 else "have"
        rule = "most say so" if len(winners) > 1 else f"the first of {', '.join(self.names)} counts where there is no majority"
        name = self.names[source]
        why = f"{' and '.join(winners)} {has} {row[_PRICES_AT][position]:g}: {rule}"
        key = name.replace("-", "_").replace(".", "_")
        updated_at = str(self.about[name]["as_of"]).lstrip(">=")[:10].strip()
        common = source_named(key)
        return Reading(
            subject,
            PRICES[position],
            value,
            key,
            self.version,
            updated_at,
            common.confidence,
            common.licence,
            where=self.about[name]["via"],
            refused=why,
        )

    def terms(self, subject: str, row: Sequence[Any]) -> Terms:
        del subject
        return terms_from_plain(row[_TERMS_AT])


def _quality(data: Mapping[str, Any]) -> list[Sheet]:
    figures = {subject: {"quality": value} for subject, value in data["figures"].items()}
    licence = "derived by donut from CC-BY-4.0 and MIT sources"
    return sheets_from_plain({"source": SHIPPED, "version": data["version"], "licence": licence, "figures": figures})
