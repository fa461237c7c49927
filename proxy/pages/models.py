"""What can be asked for, in the shape that whoever asks expects: by the query, a header, the User-Agent, the path."""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import ErrorReply
from proxy.downstream import CLIENT
from proxy.harness import HARNESSES, harness_of
from proxy.offers import Offer, offer_of, offers
from proxy.pages._codex_catalogue import codex_catalogue
from proxy.pages._model_lists import anthropic_list, anthropic_model, gemini_list, gemini_model, openai_list, openai_model
from proxy.site import PageError, Pages, Site, as_json, get
from routing.gates.allowed import is_allowed
from routing.resolve import UnknownModel, resolve
from routing.types import Catalog, ModelReplica


async def models(site: Site, request: Request) -> Response:
    """Codex says its version in the query; Anthropic's clients a version in a header, Claude Code at least its name."""
    listed = _allowed(offers(_catalog(site)), site, request)
    if "client_version" in request.query_params:
        return as_json(codex_catalogue(_conversing(listed)))
    if _wants_anthropic(request):
        return as_json(anthropic_list(_conversing(listed), request.query_params))
    return as_json(openai_list(listed))


async def model(site: Site, request: Request) -> Response:
    offer = _offer(request.path_params["name"], site, request)
    return as_json(anthropic_model(offer) if _wants_anthropic(request) else openai_model(offer))


async def gemini_models(site: Site, request: Request) -> Response:
    return as_json(gemini_list(_conversing(_allowed(offers(_catalog(site)), site, request)), request.query_params))


async def one_gemini_model(site: Site, request: Request) -> Response:
    """Errors in Google's shape need its dialect, which may be missing."""
    name = request.path_params["name"]
    try:
        return as_json(gemini_model(_offer(name, site, request)))
    except PageError as error:
        dialect = site.dialects.get("gemini")
        if dialect is None:
            raise
        return Response(dialect.error_body(error.reply), error.reply.status, media_type="application/json")


def _catalog(site: Site) -> Catalog:
    return site.gateway.serving.router.catalog


def _allowed(listed: list[Offer], site: Site, request: Request) -> list[Offer]:
    """What the client's key is for, and what is for donut to choose among that."""
    terms = site.gateway.serving.clients.get(request.scope.get(CLIENT) or "")
    if terms is None:
        return listed

    def may_answer(replica: ModelReplica) -> bool:
        return is_allowed(replica, terms.models) and (replica.is_local or not terms.local_only)

    kept = [replace(offer, replicas=tuple(filter(may_answer, offer.replicas))) for offer in listed]
    return [offer for offer in kept if offer.replicas]


def _conversing(listed: list[Offer]) -> list[Offer]:
    """These clients only talk: what makes embeddings is no choice for them."""
    return [offer for offer in listed if offer.converses]


def _wants_anthropic(request: Request) -> bool:
    harness = HARNESSES.get(harness_of(request.headers.get("user-agent", "").encode("latin-1")))
    return "anthropic-version" in request.headers or (harness is not None and harness.reads_anthropic_lists)


def _offer(name: str, site: Site, request: Request) -> Offer:
    """Raises PageError for a name that nobody serves, or that is nothing for the client's key. Names that only resolve (aliases, policies)
    are no list's, and fine to ask for."""
    catalog = _catalog(site)
    found = offer_of(name, catalog)
    allowed = _allowed([found], site, request) if found is not None else []
    if allowed:
        return allowed[0]
    if found is None and catalog.replicas and not isinstance(resolve(name, catalog), UnknownModel):
        return Offer(name, (), "donut", is_open=True)
    raise PageError(ErrorReply(404, "model_not_found", f"The model `{name}` is not served here. GET /v1/models lists what is.", "model"))


PAGES = Pages(
    (
        get("/v1/models", models),
        get("/models", models),
        get("/v1/models/{name:path}", model),
        get("/models/{name:path}", model),
        get("/backend-api/codex/models", models),
        get("/v1beta/models", gemini_models),
        get("/v1beta/models/{name:path}", one_gemini_model),
    )
)
