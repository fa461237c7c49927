"""Asks a feed: conditional requests, time and size limits, its rate limit, some patience with faults. Counterpart: `__init__.py` says what.

Rules: nothing a far end does may hold up or fill the process; an answer is taken whole or not at all; a key goes to the feed's own address
only (redirects to other hosts are not followed).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx

from providers.feeds import Feed, FeedError, Page, Parsed, Subjects
from routing.ledger.readings import Reading
from routing.ledger.terms import Terms

TIMEOUT_S = 20.0
"""To connect, and between two pieces of an answer."""
ANSWER_S = 120.0
"""For a whole answer: a feed that drips a byte a second is broken."""
TRIES = 3
BACKOFF_S = 1.0
"""Doubled with every try, and half of it is chance."""
PATIENCE_S = 30.0
"""The longest `Retry-After` that is waited for; beyond it the next scheduled refresh will do."""
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
GONE = frozenset({404, 410})

Sleep = Callable[[float], Awaitable[None]]


class Asked(NamedTuple):
    """What the last refresh left for the next."""

    etag: str = ""
    last_modified: str = ""


NOTHING_YET = Asked()


@dataclass(slots=True)
class News:
    """What a feed said. `is_new` is False when it said that nothing has changed."""

    readings: list[Reading] = field(default_factory=list)
    terms: dict[str, Terms] = field(default_factory=dict)
    etag: str = ""
    last_modified: str = ""
    is_new: bool = True
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Errand:
    """How one feed is to be asked."""

    feed: Feed
    subjects: Subjects
    today: str
    """ISO date in UTC."""
    key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    """A mirror."""
    before: Asked = NOTHING_YET
    sleep: Sleep = asyncio.sleep
    chance: random.Random = field(default_factory=random.Random)


async def ask(errand: Errand, client: httpx.AsyncClient) -> News:
    """Everything that the feed has to say. Raises FeedError, which has no key in it."""
    feed = errand.feed
    if feed.local is not None:
        parsed = await asyncio.to_thread(feed.local, Page(feed.base_url, b"", errand.subjects, errand.today))
        return News(list(parsed.readings), dict(parsed.terms))
    news = News()
    waiting = list(feed.paths(errand.subjects, errand.key is not None))
    # With several answers one of them may be new and the others not: only a feed of a single file is asked conditionally.
    conditional = len(waiting) == 1 and not feed.instead
    while waiting:
        path = waiting.pop(0)
        if news.requests >= feed.max_requests:
            raise FeedError(f"more than {feed.max_requests} pages: something turns in circles")
        if news.requests and feed.pause_s:
            await errand.sleep(feed.pause_s)
        news.requests += 1
        answer = await _get(errand, client, path, errand.before if conditional and news.requests == 1 else NOTHING_YET)
        if answer.status in GONE and path.partition("?")[0] in feed.instead:
            waiting.insert(0, feed.instead[path.partition("?")[0]])
            continue
        if answer.status == 304 and conditional:
            return News(is_new=False, requests=news.requests, etag=errand.before.etag, last_modified=errand.before.last_modified)
        is_optional = bool(feed.optional) and path.endswith(feed.optional)
        if answer.status != 200 and is_optional:
            continue
        if answer.status != 200:
            raise FeedError(f"{path} answered {answer.status}{_hint(answer.status)}")
        # Beside the loop: a server relays streams on it, and the largest answers take a tenth of a second.
        parsed = await asyncio.to_thread(_parsed, errand, path, answer.body)
        news.readings += parsed.readings
        news.terms |= parsed.terms
        waiting += parsed.more
        if conditional and not parsed.more and news.requests == 1:
            news.etag, news.last_modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    return news


def _parsed(errand: Errand, path: str, body: bytes) -> Parsed:
    try:
        return errand.feed.parse(Page(path, body, errand.subjects, errand.today))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        # A parser is made for honest answers; whatever else it stumbles over is the answer's fault, and the last good state stays.
        raise FeedError(f"{path}: an answer of another shape than this feed knows ({type(error).__name__})") from error


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


async def _get(errand: Errand, client: httpx.AsyncClient, path: str, before: Asked) -> _Answer:
    """One path, with patience. Raises FeedError."""
    why = ""
    for number in range(TRIES):
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await _once(errand, client, path, before)
        except TimeoutError:
            why, wait_s = f"no whole answer within {ANSWER_S:.0f} s", None
        except httpx.InvalidURL:
            raise FeedError(f"{path}: not a URL") from None
        except httpx.HTTPError as error:
            why, wait_s = f"{type(error).__name__}: {error}"[:200], None
        else:
            if answer.status not in AGAIN:
                return answer
            why, wait_s = f"{path} answered {answer.status}{_hint(answer.status)}", _retry_after_s(answer.headers)
        if wait_s is not None and wait_s > PATIENCE_S:
            break
        if number + 1 < TRIES:
            backoff_s = BACKOFF_S * 2**number * (0.5 + errand.chance.random() / 2)
            await errand.sleep(max(backoff_s, wait_s or 0.0))
    raise FeedError(why)


async def _once(errand: Errand, client: httpx.AsyncClient, path: str, before: Asked) -> _Answer:
    headers = {"accept": "application/json, text/csv, text/html;q=0.9, */*;q=0.5"}
    if errand.key is not None:
        headers.update(errand.feed.auth(errand.key))
    if before.etag:
        headers["if-none-match"] = before.etag
    if before.last_modified:
        headers["if-modified-since"] = before.last_modified
    url = (errand.base_url or errand.feed.base_url) + path
    async with client.stream("GET", url, headers=headers, timeout=TIMEOUT_S, follow_redirects=False) as response:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            # Counted after decompression: a small answer may unpack into gigabytes.
            if len(body) > errand.feed.max_bytes:
                raise FeedError(f"{path}: more than {errand.feed.max_bytes // 1024 // 1024} MiB")
        return _Answer(response.status_code, response.headers, bytes(body))


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 9 else None


def _hint(status: int) -> str:
    if status in (401, 403):
        return ": it wants a key, or another one"
    if status == 429:
        return ": too many requests"
    return " (moved: set sources.NAME.url)" if 300 <= status < 400 else ""
