"""`GET /api/replicas`: what donut believes about every replica right now, and why. Looks only: belief changes by decisions and facts.

`POST /api/replicas/ID/reset` is such a fact: what was held against the replica (an ejection, a cooldown) is forgotten.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import ErrorReply
from proxy.gateway import Gateway
from proxy.pages import _query as query
from proxy.site import PageError, Pages, Site, as_json, get, post
from proxy.when import iso
from routing.facts import HealthReset
from routing.fleet import ReplicaState
from routing.headroom.views import tightest
from routing.health import Health
from routing.types import ModelReplica, capability_names


async def replicas(site: Site, request: Request) -> Response:
    query.known_only(request, ())
    gateway = site.gateway
    router = gateway.serving.router
    tokens = router.fleet.tokens_reserved()
    rows = [_row(replica, router.fleet.state(replica.id), tokens[replica.id], gateway) for replica in router.catalog.replicas.values()]
    return as_json({"object": "list", "data": rows, "in_flight": gateway.in_flight, "open_reservations": router.fleet.open_reservations})


def _row(replica: ModelReplica, state: ReplicaState, tokens_reserved: int, gateway: Gateway) -> dict[str, Any]:
    return {
        "id": replica.id,
        "logical_model_id": replica.logical_model_id,
        "provider_id": replica.provider_id,
        "tier": replica.tier.value,
        "local": replica.is_local,
        **_health(replica.id, state, gateway),
        "in_flight": state.in_flight,
        "waiting": state.waiting,
        "tokens_reserved": tokens_reserved,
        "ttft_ms": None if state.timing.ttft_s_ewma is None else round(state.timing.ttft_s_ewma * 1000, 1),
        "tokens_per_s": state.timing.tokens_per_s_ewma,
        "error_rate": round(state.error_rate, 4),
        "warm": state.is_warm,
        "headroom": state.headroom,
        "dialects": replica.dialects,
        "capabilities": capability_names(replica.capability_bits),
        "context_window": replica.context_window,
        "price": None if replica.price is None else {"input": replica.price.input, "output": replica.price.output},
    }


def _health(replica_id: str, state: ReplicaState, gateway: Gateway) -> dict[str, Any]:
    """`state` is one word; `until` is when it may change by itself, None when it waits for nothing but time's next request.

    A rate limit comes first where both hold: it says no even to a probe.
    """
    health, now_s = state.health, gateway.now()
    tight = tightest(gateway.serving.router.fleet.headroom, replica_id, now_s)
    said, reason, until_s = health.health.value, health.reason or None, None
    if health.limited_until_s > now_s:
        said, reason, until_s = "rate_limited", health.limit_reason, health.limited_until_s
    elif tight is not None and tight.left <= 0:
        until_s = None if tight.frees_in_s is None else now_s + tight.frees_in_s
        said, reason = "no_headroom", f"{tight.name} is used up"
    elif health.health is Health.EJECTED and health.ejected_until_s > now_s:
        until_s = health.ejected_until_s
    elif health.health is Health.EJECTED:
        said = Health.PROBATION.value  # the next decision will see that its time is over
    return {
        "state": said,
        "reason": reason,
        "until": None if until_s is None else iso(gateway.wall() + until_s - now_s),
        "failures": {"consecutive": health.consecutive_failures, "total": state.failed, "ejections": health.ejections},
        "finished": state.finished,
    }


async def reset(site: Site, request: Request) -> Response:
    """A person says that a replica is well again."""
    query.known_only(request, ())
    gateway, id_ = site.gateway, request.path_params["id"]
    router = gateway.serving.router
    replica = router.catalog.replicas.get(id_)
    if replica is None:
        hint = nearest(id_, router.catalog.replicas)
        message = f"There is no replica `{id_}`. {hint}GET /api/replicas lists all."
        raise PageError(ErrorReply(404, "replica_not_found", message))
    router.observe(HealthReset(id_), gateway.now())
    return as_json(_row(replica, router.fleet.state(id_), router.fleet.tokens_reserved()[id_], gateway))


def nearest(id_: str, known: Collection[str]) -> str:
    found = get_close_matches(id_, known, n=1)
    return f"Did you mean {found[0]}? " if found else ""


PAGES = Pages((get("/api/replicas", replicas), post("/api/replicas/{id:path}/reset", reset)))
