"""Everything that is not on the hot path, group by group: each public module exports one `PAGES`. Starlette does the routing."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from providers.dialects import ErrorReply
from proxy.dry_run import NotDecidableError
from proxy.errors import retry_after_header
from proxy.journal.port import StoreError
from proxy.site import Page, PageError, Pages, Site


def pages_for(site: Site, groups: Iterable[Pages]) -> Starlette:
    """The application for every path that is no dialect's."""

    def error(reply: ErrorReply) -> Response:
        headers = {name.decode(): value.decode() for name, value in retry_after_header(reply)}
        return Response(site.error_body(reply), reply.status, headers, "application/json")

    async def page_error(_request: Request, exception: Exception) -> Response:
        assert isinstance(exception, PageError)
        return error(exception.reply)

    async def not_decidable(_request: Request, exception: Exception) -> Response:
        assert isinstance(exception, NotDecidableError)
        return error(exception.reply)

    async def store_error(_request: Request, exception: Exception) -> Response:
        return error(ErrorReply(503, "journal_unavailable", f"the journal does not answer: {exception}"))

    async def http_error(request: Request, exception: Exception) -> Response:
        assert isinstance(exception, HTTPException)
        return error(_in_words(exception, request))

    routes = [_route(site, page) for group in groups for page in group.pages]
    handlers = {HTTPException: http_error, PageError: page_error, NotDecidableError: not_decidable, StoreError: store_error}
    pages = Starlette(routes=routes, exception_handlers=handlers)
    pages.router.redirect_slashes = False  # a redirect would be built from the client's Host header
    return pages


def _route(site: Site, page: Page) -> Route:
    async def endpoint(request: Request) -> Response:
        return await page.handler(site, request)

    return Route(page.path, endpoint, methods=list(page.methods))


def _in_words(exception: HTTPException, request: Request) -> ErrorReply:
    status, path = exception.status_code, request.scope["path"]
    if status == 404:
        hint = "Clients want a base URL that ends in /v1; try GET /v1/models."
        return ErrorReply(404, "not_found", f"donut has nothing at {path}. {hint}")
    if status == 405:
        return ErrorReply(405, "method_not_allowed", f"{path} does not take {request.method}.")
    return ErrorReply(status, "invalid_request", str(exception.detail))
