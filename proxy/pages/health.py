"""Is it alive, is it ready: probes of containers, LiteLLM's names for them, and the answer that RouteLLM-style clients look for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from proxy.auth import presented_keys
from proxy.pages._provider_health import provider_health
from proxy.site import Pages, Site, as_json, get


async def alive(_site: Site, _request: Request) -> Response:
    return as_json({"status": "ok", "service": "donut"})


async def health(site: Site, request: Request) -> Response:
    """Clients of such routers take `ok: true` or `status: "ok"` for a yes (reference/route-endpoint-and-policies.md): both are here.

    The path is open, so versions and file names are for those alone who could ask anything else as well.
    """
    said = {"status": "ok", "ok": True, "service": "donut"}
    if _is_trusted(site, request):
        said |= {"profile": site.profile(), "policy_file": site.config_name, "router_version": f"donut {site.version}"}
        said |= {"version": site.version, "providers": provider_health(site)}
    return as_json(said)


def _is_trusted(site: Site, request: Request) -> bool:
    keys = site.gateway.serving.keys
    if keys.is_open:
        return True
    presented = presented_keys(dict(request.scope["headers"]), request.scope.get("query_string", b""))
    return any(keys.owner(key) is not None for key in presented)


async def ready(site: Site, _request: Request) -> Response:
    missing = site.is_ready()
    return as_json({"status": "ready"}) if missing is None else as_json({"status": "not ready", "reason": missing}, 503)


PAGES = Pages(
    (
        get("/healthz", alive),
        get("/health", health),
        get("/health/liveliness", alive),
        get("/health/liveness", alive),
        get("/readyz", ready),
        get("/health/readiness", ready),
    )
)
