"""Everything that is not on the hot path: model lists, health, one decision. Starlette does the routing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from providers.dialects import ErrorReply
from proxy.gateway import Gateway
from proxy.metrics import CONTENT_TYPE, Metrics
from routing.resolve import NAMES_THAT_STEER, UnknownModel, resolve
from routing.types import Catalog, ModelReplica

CREATED = 1767225600
"""`created` of every listed model: clients want a number, and no upstream's means anything here (2026-01-01)."""


def pages_for(
    gateway: Gateway, metrics: Metrics, is_ready: Callable[[], str | None], error_body: Callable[[ErrorReply], bytes]
) -> Starlette:
    """The application for other paths. `is_ready` returns None, or what is not ready; `error_body` shapes errors."""

    def error(reply: ErrorReply) -> Response:
        return Response(error_body(reply), reply.status, media_type="application/json")

    async def healthz(_request: Request) -> Response:
        return as_json({"status": "ok", "service": "donut"})

    async def readyz(_request: Request) -> Response:
        missing = is_ready()
        return as_json({"status": "ready"}) if missing is None else as_json({"status": "not ready", "reason": missing}, 503)

    async def scrape(_request: Request) -> Response:
        return Response(metrics.page(), media_type=CONTENT_TYPE)

    async def models(_request: Request) -> Response:
        return as_json({"object": "list", "data": list_models(gateway.serving.router.catalog)})

    async def model(request: Request) -> Response:
        catalog = gateway.serving.router.catalog
        name = request.path_params["name"]
        found = next((entry for entry in list_models(catalog) if entry["id"] == name), None)
        if found is not None:
            return as_json(found)
        known = resolve(name, catalog)
        if not isinstance(known, UnknownModel):
            return as_json(_entry(name, "donut"))
        return error(ErrorReply(404, "model_not_found", f"The model `{name}` is not served here. GET /v1/models lists what is.", "model"))

    async def http_error(request: Request, exception: Exception) -> Response:
        assert isinstance(exception, HTTPException)
        status, path = exception.status_code, request.scope["path"]
        if status == 404:
            hint = "Clients want a base URL that ends in /v1; try GET /v1/models."
            return error(ErrorReply(404, "not_found", f"donut has nothing at {path}. {hint}"))
        if status == 405:
            return error(ErrorReply(405, "method_not_allowed", f"{path} does not take {request.method}."))
        return error(ErrorReply(status, "invalid_request", str(exception.detail)))

    routes = [
        Route("/healthz", healthz),
        Route("/health", healthz),
        Route("/health/liveliness", healthz),
        Route("/health/liveness", healthz),
        Route("/readyz", readyz),
        Route("/health/readiness", readyz),
        Route("/metrics", scrape),
        Route("/v1/models", models),
        Route("/models", models),
        Route("/v1/models/{name:path}", model),
        Route("/models/{name:path}", model),
    ]
    pages = Starlette(routes=routes, exception_handlers={HTTPException: http_error})
    pages.router.redirect_slashes = False  # a redirect would be built from the client's Host header
    return pages


def list_models(catalog: Catalog) -> list[dict[str, Any]]:
    """Every name that may be asked for, OpenAI's shape: what steers, logical models, replicas."""
    if not catalog.replicas:
        return []
    listed = [_entry(name, "donut") for name in NAMES_THAT_STEER]
    listed += [_model_entry(name, replicas) for name, replicas in sorted(catalog.replicas_by_model.items())]
    listed += [_model_entry(replica.id, (replica,)) for replica in catalog.replicas.values() if replica.id not in catalog.replicas_by_model]
    return listed


def _entry(name: str, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": owner}


def _model_entry(name: str, replicas: tuple[ModelReplica, ...]) -> dict[str, Any]:
    windows = [replica.context_window for replica in replicas if replica.context_window is not None]
    entry = _entry(name, replicas[0].provider_id)
    # The smallest window of those that may answer: a client that fills it is safe wherever it goes.
    entry |= {"context_window": min(windows) if windows else None, "tier": replicas[0].tier.value}
    entry |= {"local": all(replica.is_local for replica in replicas), "replicas": [replica.id for replica in replicas]}
    return entry


def as_json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
