"""Refreshing the ledger from its feeds: by command, and by a server's `schedule.py`. What a feed said last stays until it says better."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx

import providers.feeds
from config.catalog import shipped_book
from config.discovery import discover, load_one
from config.ledger.store import Kept, read_one, write
from config.ledger.subjects import KnownPrices, KnownSubjects
from config.ledger_settings import SourceSettings
from providers.feeds import Feed, FeedError
from providers.feeds._guard import ShrunkError, judge
from providers.feeds._poll import Asked, Errand, ask
from routing.ledger.book import Book


def all_feeds() -> dict[str, Feed]:
    """Source name → feed."""
    return discover(providers.feeds, "FEED", Feed)


def feeds_named(names: Iterable[str]) -> dict[str, Feed]:
    """Only these, and only their modules are imported: one of them needs an HTML parser."""
    return {name: load_one(providers.feeds, name, "FEED", Feed) for name in names}


@dataclass(frozen=True, slots=True)
class Asking:
    """Everything that a refresh needs."""

    settings: Mapping[str, SourceSettings]
    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    subjects: KnownSubjects
    feeds: Mapping[str, Feed] = field(default_factory=all_feeds)
    wall: Callable[[], float] = time.time

    def key(self, feed: Feed) -> str | None:
        said = self.settings.get(feed.name)
        if said is not None and said.api_key is not None:
            return said.api_key.get_secret_value()
        return self.environ.get(feed.key_variable or "") or None

    def url(self, feed: Feed) -> str | None:
        said = self.settings.get(feed.name)
        return said.url if said is not None else None

    def interval_s(self, feed: Feed) -> float:
        said = self.settings.get(feed.name)
        hours = said.interval_hours if said is not None else None
        return feed.interval_s if hours is None else hours * 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the refresh of one feed went."""

    feed: str
    words: str
    failed: bool = False
    skipped: bool = False
    figures: int = 0
    warnings: Sequence[str] = ()

    @property
    def mark(self) -> str:
        return "✗" if self.failed else "–" if self.skipped else "✓"

    def told(self) -> dict[str, Any]:
        state = "failed" if self.failed else "skipped" if self.skipped else "ok"
        return {"feed": self.feed, "state": state, "words": self.words, "figures": self.figures, "warnings": list(self.warnings)}


def refresh_all(asking: Asking, names: Sequence[str], progress: Callable[[Outcome], None]) -> list[Outcome]:
    """Ask the named feeds, or all; one after the other, so that progress can be watched. Raises ClickException on an unknown name."""
    unknown = [name for name in names if name not in asking.feeds]
    if unknown:
        raise click.ClickException(f"no feed `{unknown[0]}`; there are {', '.join(asking.feeds)}")

    async def run() -> list[Outcome]:
        outcomes = []
        async with httpx.AsyncClient() as client:
            for name in names or asking.feeds:
                outcome = await refresh(asking, asking.feeds[name], client, named=bool(names))
                progress(outcome)
                outcomes.append(outcome)
        return outcomes

    return asyncio.run(run())


async def refresh(asking: Asking, feed: Feed, client: httpx.AsyncClient, *, named: bool = True) -> Outcome:
    """Ask one feed and keep what is believed of its answer. Never raises for what the feed or the disk does."""
    said = asking.settings.get(feed.name)
    if not named and said is not None and not said.enabled:
        return Outcome(feed.name, "switched off in the config", skipped=True)
    key = asking.key(feed)
    if feed.needs_key and key is None:
        return Outcome(feed.name, f"wants a key: sources.{feed.name}.api_key, or {feed.key_variable} in the environment", skipped=True)
    last = await asyncio.to_thread(last_state, asking.folder, feed.name)
    now = dt.datetime.fromtimestamp(asking.wall(), dt.UTC)
    errand = Errand(feed, asking.subjects, now.date().isoformat(), key, asking.url(feed), Asked(last.etag, last.last_modified))
    try:
        news = await ask(errand, client)
        if not news.is_new:
            again = Kept(feed.name, last.sheets, _iso(now), last.etag, last.last_modified, last.warnings)
            await asyncio.to_thread(write, asking.folder, again)
            return Outcome(feed.name, "nothing new", figures=_size(last))
        known = KnownPrices(_known(last), asking.subjects)
        judged = await asyncio.to_thread(judge, news.readings, news.terms, known, last.sheets)
        kept = Kept(feed.name, judged.sheets, _iso(now), news.etag, news.last_modified, tuple(judged.warnings[:100]))
        if not _size(kept):
            raise FeedError("no figure in its answer that the ledger can use")
        await asyncio.to_thread(write, asking.folder, kept)
    except (FeedError, ShrunkError, OSError) as error:
        if feed.local is not None and not last.sheets:
            return Outcome(feed.name, str(error), skipped=not named, failed=named)
        kept_words = f"; kept what it said on {last.fetched_at[:10]}" if last.sheets else ""
        # Some far ends repeat the key that they refuse.
        words = str(error) if key is None else str(error).replace(key, "[the key]")
        return Outcome(feed.name, words + kept_words, failed=True, figures=_size(last))
    return Outcome(feed.name, f"{_size(kept):,} figures", figures=_size(kept), warnings=judged.warnings)


def last_state(folder: Path, name: str) -> Kept:
    """The last good state; an empty one when there is none or it can not be read, which must not stop a refresh."""
    try:
        return read_one(folder / f"{name}.json")
    except (OSError, ValueError):
        return Kept(name)


def _known(last: Kept) -> Book:
    """What a new figure is held against: what this feed said last, and what was shipped."""
    return Book([*last.sheets, *shipped_book().sheets])


def _size(kept: Kept) -> int:
    return sum(sheet.size for sheet in kept.sheets)


def _iso(now: dt.datetime) -> str:
    return now.isoformat(timespec="seconds")
