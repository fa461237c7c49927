"""Where figures about models come from, one file per source; each exports `FEED`. Asking is `_poll.py`'s work, judging `_guard.py`'s.

A feed says what to ask and reads the answer, and does nothing else: no sockets, no clock, no files. It is strict about the answer's shape
(`FeedError`: the last good state stays) and lenient about single rows, which may be wrong without costing the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import orjson

from routing.ledger.readings import Reading
from routing.ledger.terms import Terms

HOUR_S = 3600.0
DAY_S = 86_400.0


class FeedError(Exception):
    """The answer is not what this feed understands, in words."""


class Subjects(Protocol):
    """Names → what the ledger calls them."""

    def model(self, name: str) -> str | None:
        """The logical model; None when nothing is sure enough."""

    def entry(self, provider: str, upstream: str) -> str | None:
        """The key of an entry that the ledger has; None when it has none."""

    def upstreams(self, provider: str) -> Sequence[str]:
        """What the provider's entries are called there, the most interesting first: not everybody may be asked about."""


class Page(NamedTuple):
    """One answer of a feed."""

    path: str
    """What was asked, below the feed's base URL."""
    body: bytes
    subjects: Subjects
    today: str
    """ISO date in UTC."""


class Parsed(NamedTuple):
    """What an answer holds. `more` are paths to ask next."""

    readings: Sequence[Reading]
    terms: Mapping[str, Terms] = {}
    """Entry → the conditions of its price."""
    more: Sequence[str] = ()


NOTHING: Sequence[str] = ()


def no_headers(key: str) -> dict[str, str]:
    del key
    return {}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@dataclass(frozen=True, slots=True)
class Feed:
    """A source of figures. Its name is one of `routing.ledger.readings.SOURCES`."""

    name: str
    base_url: str
    paths: Callable[[Subjects, bool], Sequence[str]]
    """What to ask first; the flag says whether there is a key."""
    parse: Callable[[Page], Parsed]
    """Raises FeedError."""
    interval_s: float = DAY_S
    key_variable: str | None = None
    """The usual environment variable of its key."""
    needs_key: bool = False
    """Without a key there is nothing to ask."""
    auth: Callable[[str], Mapping[str, str]] = no_headers
    pause_s: float = 0.0
    """Between two requests: its rate limit."""
    max_requests: int = 10
    """Per refresh."""
    max_bytes: int = 16 * 1024 * 1024
    """Per answer."""
    instead: Mapping[str, str] = field(default_factory=dict)
    """Path without query → what to ask where that is gone (404, 410): an older generation of the same interface."""
    optional: str = ""
    """Paths that end like this may fail: what they add is welcome, what the others say stands without it."""
    local: Callable[[Page], Parsed] | None = None
    """A feed that is a Python package: read instead of asking anybody. Raises FeedError when it is not installed."""


def json_value(page: Page) -> Any:
    """Raises FeedError."""
    try:
        return orjson.loads(page.body)
    except orjson.JSONDecodeError as error:
        raise FeedError(f"{page.path}: not JSON: {error.msg}") from error


def mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FeedError(f"{what} is no object but {type(value).__name__}")
    return value


def rows(value: object, what: str) -> list[Mapping[str, Any]]:
    """The objects of a list; other items are passed over."""
    if not isinstance(value, list):
        raise FeedError(f"{what} is no list but {type(value).__name__}")
    return [item for item in value if isinstance(item, Mapping)]


def number(value: object) -> float | None:
    """A figure, also one that is written as text, as OpenRouter's prices are; None for anything else. NaN and infinity are figures: the
    guard names them."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e308 or math.isinf(value) else None
    if isinstance(value, str) and len(value) <= 32:
        try:
            return float(value)
        except ValueError:
            return None
    return None


def text(value: object) -> str:
    """A name; empty for what is none. A name that is cut would be another one's."""
    return value if isinstance(value, str) and len(value) <= 200 else ""


def words(value: object) -> str:
    """What a far end says to people, cut to a line."""
    return value[:200] if isinstance(value, str) else ""


def priced(entry: str, figures: Mapping[str, float | None], source: str, date: str) -> Iterator[Reading]:
    """The readings of one entry's prices. Zero for prompt and answer is a gap, unless the lane says that it is free."""
    if not figures.get("price_input") and not figures.get("price_output") and not entry.endswith(":free"):
        return
    for metric, value in figures.items():
        if value is not None:
            yield Reading(entry, metric, value, source, updated_at=date)
