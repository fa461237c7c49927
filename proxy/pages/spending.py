"""`GET /api/routing/costs` and `/api/routing/performance`: what was spent and how well everybody did, from the journal.

Costs are `donut usage --json`. Tokens that were reported and tokens that were estimated have columns of their own.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from proxy.journal.history import PERFORMERS
from proxy.journal.queries import GROUPINGS
from proxy.pages import _query as query
from proxy.site import Pages, Site, as_json, get
from proxy.totals import totals
from proxy.when import iso

PARAMETERS = ("since", "until", "by")


async def costs(site: Site, request: Request) -> Response:
    query.known_only(request, PARAMETERS)
    by = query.choice(request, "by", GROUPINGS) or "model"
    since, until = query.period(site, request)
    rows = await site.journal.usage(since, until, by)
    return as_json({**_period(since, until, by), "rows": rows, "totals": totals(rows)})


async def performance(site: Site, request: Request) -> Response:
    query.known_only(request, PARAMETERS)
    by = query.choice(request, "by", tuple(PERFORMERS)) or "replica"
    since, until = query.period(site, request)
    return as_json({**_period(since, until, by), "rows": await site.journal.performance(since, until, by)})


def _period(since: float, until: float, by: str) -> dict[str, Any]:
    return {"since": iso(since), "until": iso(until), "by": by}


PAGES = Pages((get("/api/routing/costs", costs), get("/api/routing/performance", performance)))
