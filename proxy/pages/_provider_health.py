"""How every provider is, in one line each: what tokenledger's client of CLIProxyAPI looks for in `/health` (reference/adapters.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proxy.site import Site
from routing.fleet import ReplicaState
from routing.health import Health


def provider_health(site: Site) -> list[dict[str, Any]]:
    """`healthy`: one of its replicas is. `latency_ms` is the best replica's time to the first token, null until it was measured."""
    router = site.gateway.serving.router
    states: dict[str, list[ReplicaState]] = {}
    for replica in router.catalog.replicas.values():
        states.setdefault(replica.provider_id, []).append(router.fleet.state(replica.id))
    return [_told(name, found) for name, found in states.items()]


def _told(name: str, states: Sequence[ReplicaState]) -> dict[str, Any]:
    waits = [state.timing.ttft_s_ewma for state in states if state.timing.ttft_s_ewma is not None]
    return {
        "name": name,
        "healthy": any(state.health.health is not Health.EJECTED for state in states),
        "latency_ms": round(1000 * min(waits)) if waits else None,
        "error_rate": round(sum(state.error_rate for state in states) / len(states), 4),
    }
