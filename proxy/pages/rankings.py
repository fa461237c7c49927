"""`GET /v1/rankings`, `/v1/rankings/providers` and `/v1/rankings/categories`, as CLIProxyAPI++ names them (reference/adapters.md).

Its own data are invented; donut's are its journal's and its catalog's. One entry is what one provider offers of one model. What nobody
knows is null and comes last, whichever way is ranked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from proxy.pages import _query as query
from proxy.pages._traffic import NOBODY, Spending, offerings, performance, spending
from proxy.pages.cliproxy import INPUT_TOKENS, OUTPUT_TOKENS
from proxy.site import Pages, Site, as_json, get
from proxy.when import iso
from routing.pricing import expected_cost_usd
from routing.types import ModelReplica

DAY_S = 86_400.0
RANGES: Mapping[str, float] = {"day": DAY_S, "week": 7 * DAY_S, "month": 30 * DAY_S}
"""`timeRange` → seconds."""
WEEK = "week"
SHOWN, MOST = 20, 100


class Standing(NamedTuple):
    """How one offering stands."""

    model_id: str
    provider: str
    quality: float | None
    """From 0 to 1."""
    cost_usd: float | None
    """Of a usual call."""
    latency_ms: float | None
    """Of a whole answer, the median in the period."""
    tokens: int
    requests: int


class Category(NamedTuple):
    description: str
    key: Callable[[Standing], float | None]
    """Lower comes first; None comes last."""


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


CATEGORIES: Mapping[str, Category] = {
    "usage": Category("most tokens first", lambda standing: -standing.tokens),
    "quality": Category("highest quality first, on the catalog's scale from 0 to 1", lambda standing: _negative(standing.quality)),
    "speed": Category("lowest median time to a whole answer first", lambda standing: standing.latency_ms),
    "cost": Category(
        f"cheapest first, for a call of {INPUT_TOKENS:,} tokens in and {OUTPUT_TOKENS:,} out", lambda standing: standing.cost_usd
    ),
    "popularity": Category("most requests first", lambda standing: -standing.requests),
}


async def rankings(site: Site, request: Request) -> Response:
    query.known_only(request, ("category", "limit", "provider", "timeRange"))
    category = query.choice(request, "category", tuple(CATEGORIES)) or "usage"
    time_range = query.choice(request, "timeRange", tuple(RANGES)) or WEEK
    limit = query.whole_number(request, "limit", SHOWN, MOST)
    provider = query.text(request, "provider")
    now = site.gateway.wall()
    since = now - RANGES[time_range]
    seen = await spending(site, since, now)
    weekly = seen if time_range == WEEK else await spending(site, now - RANGES[WEEK], now)
    did = await performance(site, since, now, "replica")
    served = offerings(site)
    everybody = [_standing(site, pair, replicas, seen, did) for pair, replicas in served.items()]
    ranked = _ranked([standing for standing in everybody if provider in (None, standing.provider)], CATEGORIES[category])
    week = {pair: weekly.of(replica.id for replica in replicas).total for pair, replicas in served.items()}
    total = sum(standing.tokens for standing in everybody)
    rows = [
        {
            "rank": rank,
            "model_id": standing.model_id,
            "provider": standing.provider,
            "quality_score": standing.quality,
            "estimated_cost": standing.cost_usd,
            "latency_ms": None if standing.latency_ms is None else round(standing.latency_ms),
            "weekly_tokens": week[standing.model_id, standing.provider],
            "market_share_percent": _share(standing.tokens, total),
            "category": category,
        }
        for rank, standing in enumerate(ranked[:limit], 1)
    ]
    return as_json({"category": category, **_told(site, time_range, len(ranked)), "rankings": rows})


def _standing(
    site: Site, pair: tuple[str, str], replicas: list[ModelReplica], seen: Spending, did: Mapping[str, Mapping[str, Any]]
) -> Standing:
    """Of several replicas the best one's cost and latency count: it is the one that donut would take."""
    model = site.gateway.serving.router.catalog.models.get(pair[0])
    costs = [cost for replica in replicas if (cost := expected_cost_usd(INPUT_TOKENS, OUTPUT_TOKENS, replica.price)) is not None]
    rows = [did.get(replica.id, NOBODY) for replica in replicas]
    return Standing(
        *pair,
        model.quality if model is not None else None,
        min(costs, default=None),
        min((row["total_ms_p50"] for row in rows if row["total_ms_p50"] is not None), default=None),
        seen.of(replica.id for replica in replicas).total,
        sum(row["attempts"] for row in rows),
    )


def _ranked(standings: list[Standing], category: Category) -> list[Standing]:
    def place(standing: Standing) -> tuple[float, str, str]:
        value = category.key(standing)
        return (math.inf if value is None else value, standing.model_id, standing.provider)

    return sorted(standings, key=place)


async def providers(site: Site, request: Request) -> Response:
    query.known_only(request, ("timeRange", "limit"))
    time_range = query.choice(request, "timeRange", tuple(RANGES)) or WEEK
    limit = query.whole_number(request, "limit", SHOWN, MOST)
    now = site.gateway.wall()
    since = now - RANGES[time_range]
    seen = await spending(site, since, now)
    weekly = seen if time_range == WEEK else await spending(site, now - RANGES[WEEK], now)
    did = await performance(site, since, now, "provider")
    served = offerings(site)
    tokens = {provider: seen.of_provider(provider).total for provider in {provider for _, provider in served}}
    total = sum(tokens.values())
    ranked = sorted(tokens, key=lambda name: (-tokens[name], name))
    rows = [
        {
            "rank": rank,
            "provider": name,
            "model_count": sum(provider == name for _, provider in served),
            **_performance(did.get(name, NOBODY)),
            "weekly_tokens": weekly.of_provider(name).total,
            "market_share_percent": _share(tokens[name], total),
        }
        for rank, name in enumerate(ranked[:limit], 1)
    ]
    return as_json({**_told(site, time_range, len(ranked)), "rankings": rows})


def _performance(did: Mapping[str, Any]) -> dict[str, Any]:
    latency_ms = did["total_ms_p50"]
    latency = None if latency_ms is None else round(latency_ms)
    return {"request_count": did["attempts"], "success_rate": did["success_rate"], "latency_ms": latency}


async def categories(_site: Site, request: Request) -> Response:
    query.known_only(request, ())
    return as_json(
        {"categories": [{"id": name, "name": name.title(), "description": each.description} for name, each in CATEGORIES.items()]}
    )


def _share(tokens: int, total: int) -> float | None:
    return round(100 * tokens / total, 2) if total else None


def _told(site: Site, time_range: str, count: int) -> dict[str, Any]:
    return {"timeRange": time_range, "updated_at": iso(site.gateway.wall()), "total_count": count}


PAGES = Pages((get("/v1/rankings", rankings), get("/v1/rankings/providers", providers), get("/v1/rankings/categories", categories)))
