"""`GET /api/headroom`: every limit as it stands, per replica the tightest one, and who holds what. Looks only."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from proxy.pages import _query as query
from proxy.site import Pages, Site, as_json, get
from proxy.when import iso
from routing.headroom.book import Book, Hold
from routing.headroom.limits import told
from routing.headroom.types import Unit
from routing.headroom.views import LimitView, tightest, views

HOLDERS_SHOWN = 200


async def headroom(site: Site, request: Request) -> Response:
    query.known_only(request, ())
    gateway = site.gateway
    router, now_s, wall_s = gateway.serving.router, gateway.now(), gateway.wall()
    book = router.fleet.headroom
    holds = list(book.open_holds.items())
    return as_json(
        {
            "object": "list",
            "data": [_limit(view, wall_s) for view in views(book, now_s)],
            "replicas": [_replica(book, id_, now_s, wall_s) for id_ in router.catalog.replicas],
            "holders": [_holder(number, hold, now_s) for number, hold in holds[:HOLDERS_SHOWN]],
            "holders_left_out": max(0, len(holds) - HOLDERS_SHOWN),
            "open_reservations": router.fleet.open_reservations,
        }
    )


def _limit(view: LimitView, wall_s: float) -> dict[str, Any]:
    scope, _, id_ = view.key.partition(":")
    return {
        "scope": scope,
        "id": id_ or None,
        "source": view.name,
        "unit": view.unit.value,
        "window": view.window.value if view.window is not None else None,
        "window_s": view.window_s,
        "most": view.most,
        "used": view.used,
        "reserved": view.held,
        "used_elsewhere": view.others,
        "left": view.left,
        "share": None if view.share is None else round(view.share, 4),
        "resets_at": None if view.frees_in_s is None else iso(wall_s + view.frees_in_s),
        "resets_in_s": None if view.frees_in_s is None else round(view.frees_in_s, 1),
        "lasts_s": None if view.lasts_s is None else round(view.lasts_s, 1),
        "confidence": view.confidence.value,
        "age_s": round(view.age_s, 1),
        "on_exceed": view.on_exceed.value if view.on_exceed is not None else "enforced by the provider",
        "is_paced": view.is_paced,
    }


def _replica(book: Book, replica_id: str, now_s: float, wall_s: float) -> dict[str, Any]:
    """`share`: what is left of its tightest window; 1.0 for what has no limit."""
    found = tightest(book, replica_id, now_s)
    share = 1.0 if found is None or found.share is None else round(found.share, 4)
    return {"id": replica_id, "share": share, "tightest": None if found is None else _limit(found, wall_s)}


def _holder(number: int, hold: Hold, now_s: float) -> dict[str, Any]:
    amounts = hold.amounts
    return {
        "reservation": number,
        "replica_id": hold.place.id,
        "tokens": int(amounts.tokens),
        "cost_usd": told(Unit.COST, amounts.cost) if amounts.is_priced else None,
        "of": [counter.id.key for counter in hold.counters],
        "expires_in_s": round(hold.expires_s - now_s, 1),
    }


PAGES = Pages((get("/api/headroom", headroom),))
