"""`GET /api/routing/decisions[/ID]`: what was decided, why, and what became of it. The same record that `donut explain` tells."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import ErrorReply
from proxy.journal.history import PAGE_MAX, Wanted
from proxy.journal.records import Status
from proxy.pages import _query as query
from proxy.site import PageError, Pages, Site, as_json, get
from proxy.story import whole

PARAMETERS = ("limit", "status", "model", "replica", "since", "before")

SOON_S = 0.05
PATIENCE_S = 1.0
"""An id is known to its client before its row is in the journal, which is written in batches: worth this much waiting."""


async def decisions(site: Site, request: Request) -> Response:
    """Newest first. `next` is the cursor of the following page: pass it as `before`."""
    query.known_only(request, PARAMETERS)
    limit = query.whole_number(request, "limit", 50, PAGE_MAX)
    wanted = Wanted(
        limit + 1,  # one more than is shown says whether there is a next page
        query.choice(request, "status", tuple(Status)),
        query.text(request, "model"),
        query.text(request, "replica"),
        query.moment(site, request, "since"),
        query.text(request, "before"),
    )
    found = await site.journal.page(wanted)
    if found is None:
        raise PageError(ErrorReply(404, "unknown_cursor", f"before: there is no decision {wanted.before!r} (any more)", "before"))
    shown = found[:limit]
    has_more = len(found) > limit
    return as_json({"object": "list", "data": shown, "has_more": has_more, "next": shown[-1]["id"] if has_more else None})


async def decision(site: Site, request: Request) -> Response:
    """By decision id or by request id."""
    wanted = request.path_params["id"]
    exchange = await _find(site, wanted)
    if exchange is None:
        words = f"There is no decision {wanted!r}: is it an answer's x-donut-decision or x-request-id, ended, and recent?"
        raise PageError(ErrorReply(404, "decision_not_found", words, "id"))
    return as_json(whole(exchange))


async def _find(site: Site, wanted: str) -> dict[str, Any] | None:
    patience_s = PATIENCE_S
    while True:
        waits = site.pending()  # asked first: what is written while the journal is read is only found the next time
        exchange = await site.journal.exchange(wanted)
        if exchange is not None or patience_s <= 0 or not waits:
            return exchange
        patience_s -= SOON_S
        await asyncio.sleep(SOON_S)


PAGES = Pages((get("/api/routing/decisions", decisions), get("/api/routing/decisions/{id}", decision)))
