"""How many tokens a request would be: `/v1/messages/count_tokens` and `:countTokens`. An estimate says so in `x-donut-estimated: 1`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import Dialect, ErrorReply
from proxy.counting import Counted, count
from proxy.downstream import CLIENT
from proxy.dry_run import Call, NotDecidableError
from proxy.site import PageError, Pages, Site, parsed, post, raw_body

ESTIMATED = "x-donut-estimated"
WRAPPER = "generateContentRequest"
"""Google's other form of a count. The model stands in it once more, under the name that the client knows."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a dialect's clients ask for a count."""

    dialect: str
    suffix: bytes
    """See `proxy.counting.count`."""
    member: str
    """Of the answer."""


_MESSAGES = _Way("messages", b"/count_tokens", "input_tokens")
_GEMINI = _Way("gemini", b":countTokens", "totalTokens")


async def messages(site: Site, request: Request) -> Response:
    return await _count(site, request, _MESSAGES, lambda data: data)


async def gemini(site: Site, request: Request) -> Response:
    """`models/{model}:countTokens`. The request may be there as a whole, in `generateContentRequest`."""
    model, _, action = request.path_params["name"].rpartition(":")
    if action != "countTokens" or not model:
        raise PageError(ErrorReply(404, "not_found", f"donut has nothing at {request.scope['path']}. It answers :countTokens there."))
    return await _count(site, request, _GEMINI, lambda data: {**_unwrapped(data), "model": model, "stream": False})


def _unwrapped(data: dict[str, Any]) -> dict[str, Any]:
    whole = data.get(WRAPPER)
    return whole if isinstance(whole, dict) else data


async def _count(site: Site, request: Request, way: _Way, read: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    """`read` makes a usual request of the parsed body."""
    dialect = site.dialects.get(way.dialect)
    if dialect is None:
        raise PageError(ErrorReply(404, "not_found", f"This donut does not speak {way.dialect}."))
    try:
        body = await raw_body(site, request)
        data = parsed(body)
        call = Call(dialect, read(data), len(body), list(request.scope["headers"]), request.scope.get(CLIENT))
        counted = await count(call, None if WRAPPER in data else body, way.suffix, site.gateway.serving, site.now())
    except (PageError, NotDecidableError) as error:
        return _error(dialect, error.reply)
    return _answer(counted, way.member)


def _answer(counted: Counted, member: str) -> Response:
    own = {name.decode(): value.decode("latin-1") for name, value in counted.answer_headers}
    if counted.tokens_estimated is not None:
        return Response(orjson.dumps({member: counted.tokens_estimated}), 200, own | {ESTIMATED: "1"}, "application/json")
    kept = {name.decode("latin-1"): value.decode("latin-1") for name, value in counted.headers if name != b"content-encoding"}
    return Response(counted.body, counted.status, kept | own)


def _error(dialect: Dialect, reply: ErrorReply) -> Response:
    return Response(dialect.error_body(reply), reply.status, media_type="application/json")


PAGES = Pages(
    (
        post("/v1/messages/count_tokens", messages),
        post("/messages/count_tokens", messages),
        # Google's SDK counts under `v1`, and asks for answers under `v1beta`.
        *(post(f"/{version}/models/{{name:path}}", gemini) for version in ("v1beta", "v1", "v1alpha")),
    )
)
