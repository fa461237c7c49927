"""`GET /api/adapters`: the connections to outside systems, what they brought and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from proxy.pages import _query as query
from proxy.site import Pages, Site, as_json, get


async def adapters(site: Site, request: Request) -> Response:
    query.known_only(request, ())
    rows = site.adapters()
    return as_json({"object": "list", "data": rows, "load": load_hint(rows)})


def load_hint(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """What is about to ask for a model: agents at work, and prompts that wait for one."""
    return {
        "agents_running": sum(row.get("running", 0) for row in rows),
        "prompts_waiting": sum(row.get("queue", {}).get("waiting", 0) for row in rows),
    }


PAGES = Pages((get("/api/adapters", adapters),))
