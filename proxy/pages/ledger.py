"""`GET /api/ledger`, `/api/ledger/models/NAME`, `/api/ledger/pareto`: the ledger as this process has it, each figure with its source.

The same values as `donut ledger … --json`. Making the tables takes some ten milliseconds the first time, so it is done beside the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import ErrorReply
from proxy.pages import _query as query
from proxy.site import PageError, Pages, Site, as_json, get
from routing.ledger.resolver import Resolver
from routing.ledger.telling import told_entry, told_model, told_row, told_sources, told_standing
from routing.types import UseCase

CASES = tuple(case.value for case in UseCase if case is not UseCase.EMBED)


async def models(site: Site, request: Request) -> Response:
    query.known_only(request, ("provider",))
    provider = query.text(request, "provider")
    return as_json(await asyncio.to_thread(_table, site, provider))


def _table(site: Site, provider: str | None) -> dict[str, Any]:
    resolver = site.ledger()
    offered = [entry for entry in resolver.entries.values() if provider in (None, entry.provider) and not entry.is_retired]
    names = dict.fromkeys(entry.model for entry in offered)
    rows = [told_row(resolver, name) for name in names]
    rows = [row for row in rows if row["offers"] and (row["quality"] is not None or provider is not None)]
    rows.sort(key=lambda row: (row["quality"] is None, -(row["quality"] or 0), row["model"]))
    return {"object": "list", "data": rows, "sources": told_sources(resolver.book.sheets)}


async def model(site: Site, request: Request) -> Response:
    query.known_only(request, ())
    name = request.path_params["name"]
    told = await asyncio.to_thread(_told, site.ledger, name)
    if "missing" in told:
        raise PageError(ErrorReply(404, "model_not_found", f"the ledger knows no model {name!r}{told['missing']}", "name"))
    return as_json(told)


def _told(ledger: Callable[[], Resolver], name: str) -> dict[str, Any]:
    """With `missing`, and what was probably meant, for a name that means nothing."""
    resolver = ledger()
    entry = resolver.entries.get(name)
    if entry is not None:
        return told_entry(entry, resolver.book)
    found = resolver.match(name)
    if found.id is None and name not in resolver.book:
        return {"missing": f"; did you mean {', '.join(found.suggestions)}?" if found.suggestions else ""}
    return {"match": {"confidence": found.confidence, "how": found.how}, **told_model(resolver, found.id or name)}


async def pareto(site: Site, request: Request) -> Response:
    query.known_only(request, ("use_case",))
    word = query.choice(request, "use_case", CASES)
    case = None if word is None else UseCase(word)
    standings = await asyncio.to_thread(lambda: site.ledger().pareto(case))
    return as_json({"use_case": word, "data": [told_standing(each) for each in standings.values() if each.pareto_rank is not None]})


PAGES = Pages((get("/api/ledger", models), get("/api/ledger/pareto", pareto), get("/api/ledger/models/{name:path}", model)))
