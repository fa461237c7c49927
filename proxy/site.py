"""What a page is and what it may look at. Each file in `proxy/pages/` is a group of pages and exports `PAGES`.

A handler takes the site and the request, and returns the answer or raises PageError. App has guarded the request before: no page
refuses for want of a key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from providers.adapters.routellm import Opinion, Question
from providers.dialects import Dialect, ErrorReply
from proxy.body import BodyError, ClientDisconnectedError, read_body
from proxy.dry_run import Moment
from proxy.events import EventHub
from proxy.gateway import Gateway
from proxy.journal.port import JournalStore
from proxy.metrics import Metrics
from routing.ledger.book import Book
from routing.ledger.names import NameIndex
from routing.ledger.resolver import Resolver
from routing.selectors import Selector


def empty_ledger() -> Resolver:
    """That of a site in a test, which knows nothing."""
    return Resolver(Book(()), {}, NameIndex(()))


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that pages show, as it is in this process. `gateway.serving` changes; the rest stays."""

    gateway: Gateway
    metrics: Metrics
    journal: JournalStore
    pending: Callable[[], int]
    """How many finished exchanges have not reached the journal yet."""
    events: EventHub
    dialects: Mapping[str, Dialect]
    is_ready: Callable[[], str | None]
    """None, or what is not ready."""
    error_body: Callable[[ErrorReply], bytes]
    put_policy: Callable[[Mapping[str, Any]], str]
    """Put a policy into force, until the process ends; returns what has to stand in the config file for it to last. Raises ValueError
    with words."""
    selectors: Mapping[str, Selector] = field(default_factory=dict)
    """By the objective that chooses them."""
    profile: Callable[[], str] = lambda: "balanced"
    """`routing.profile` of the configuration in force."""
    version: str = "unknown"
    adapters: Callable[[], list[dict[str, Any]]] = list
    """How the connections to outside systems are doing."""
    opinion: Callable[[Question], Awaitable[Opinion]] | None = None
    """Asks an external router, within its limit; raises NoOpinionError."""
    ledger: Callable[[], Resolver] = empty_ledger
    """What is known about models; the first call after a change may take some ten milliseconds."""
    config_name: str | None = None
    """The config file's name, without its folder: `/health` is answered without a key."""

    def now(self) -> float:
        return self.gateway.now()

    def moment(self) -> Moment:
        return Moment(self.gateway.now(), self.gateway.wall())


Handler = Callable[[Site, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    methods: tuple[str, ...]
    path: str
    """As Starlette reads it: `/v1/models/{name:path}`."""
    handler: Handler


@dataclass(frozen=True, slots=True)
class Pages:
    """A group of pages."""

    pages: tuple[Page, ...] = field(default_factory=tuple)


class PageError(Exception):
    """Ends a page with an error in OpenAI's shape."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


def get(path: str, handler: Handler) -> Page:
    return Page(("GET",), path, handler)


def post(path: str, handler: Handler) -> Page:
    return Page(("POST",), path, handler)


def as_json(value: object, status: int = 200) -> Response:
    """Answers about the fleet or the past are never to be cached: the next moment makes them wrong."""
    return Response(orjson.dumps(value, default=str), status, {"cache-control": "no-store"}, "application/json")


def wrong(message: str, param: str | None = None, code: str = "invalid_value") -> PageError:
    """The request's own fault: raise it."""
    return PageError(ErrorReply(400, code, message, param))


async def json_body(site: Site, request: Request) -> tuple[dict[str, Any], int]:
    """The body as an object, and its size in bytes. Raises PageError; the limit is the one of every request."""
    body = await raw_body(site, request)
    return parsed(body), len(body)


async def raw_body(site: Site, request: Request) -> bytes:
    """Raises PageError."""
    limit = site.gateway.serving.limits.body_bytes
    try:
        headers = dict(request.scope["headers"])
        return await read_body(request.receive, headers.get(b"content-length"), headers.get(b"content-encoding"), limit)
    except BodyError as error:
        code = "request_too_large" if error.status == 413 else "invalid_request"
        raise PageError(ErrorReply(error.status, code, str(error))) from error
    except ClientDisconnectedError as error:
        raise ClientDisconnect from error


def parsed(body: bytes) -> dict[str, Any]:
    """The object that `body` is. Raises PageError."""
    try:
        data = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise wrong(
            f"the body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}", None, "invalid_json"
        ) from error
    if not isinstance(data, dict):
        raise wrong("the body must be a JSON object", None, "invalid_json")
    return data
