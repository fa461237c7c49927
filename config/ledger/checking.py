"""What is wrong with a ledger, and what a person should know about it all the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from config.ledger.library import Library
from config.ledger.overrides import unknown_subjects
from config.settings import Settings

OLD_DAYS = 45
"""A month's release of donut and two weeks of patience: prices change about once a month somewhere."""
NAMED = 10
"""Findings of one kind that are spelled out; the others are counted."""


class Finding(NamedTuple):
    words: str
    is_wrong: bool


def check_ledger(library: Library, settings: Settings, unreadable: Sequence[str], now_s: float) -> list[Finding]:
    """`unreadable`: files that could not be read, in words. `now_s`: seconds since 1970."""
    return [
        *(Finding(f"can not be read: {problem}", True) for problem in unreadable),
        *_overrides(library, settings),
        *_quarantined(library),
        *_old(library, now_s),
    ]


def _overrides(library: Library, settings: Settings) -> Iterator[Finding]:
    own = {model.id for model in settings.models}
    for provider in settings.providers:
        for model in provider.models:
            own |= {f"{provider.id}/{model.upstream}", model.model or model.upstream}
    for name, suggestions in unknown_subjects(settings.overrides.keys() - own, library.known, library.match):
        hint = f"; did you mean {', '.join(suggestions)}?" if suggestions else ""
        yield Finding(f"overrides.{name}: the ledger knows no such model{hint} (fine for a model of your own)", bool(suggestions))


def _quarantined(library: Library) -> Iterator[Finding]:
    found = [
        f"{reading.source}: {reading.subject}: {reading.metric} = {reading.value:g}: {reading.refused}"
        for sheet in library.book.sheets
        for readings in sheet.asides.values()
        for reading in readings
        if reading.refused.startswith("quarantined")
    ]
    yield from (Finding(words, False) for words in found[:NAMED])
    if len(found) > NAMED:
        yield Finding(f"{len(found) - NAMED} more quarantined figures", False)


def _old(library: Library, now_s: float) -> Iterator[Finding]:
    today = dt.datetime.fromtimestamp(now_s, dt.UTC).date()
    days = (today - dt.date.fromisoformat(library.snapshot.version)).days
    if days > OLD_DAYS:
        yield Finding(f"the shipped figures are {days} days old: `donut ledger refresh`, or a newer donut", False)
    for kept in library.given.kept:
        if kept.fetched_at:
            age = (today - dt.datetime.fromisoformat(kept.fetched_at).date()).days
            if age > OLD_DAYS:
                yield Finding(f"{kept.feed} was last heard of {age} days ago: `donut ledger refresh --source {kept.feed}`", False)
