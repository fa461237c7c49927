"""The ASGI application: guards every request at one place, sends dialect paths to an exchange and everything else to `pages`.

Plain ASGI on purpose: no BaseHTTPMiddleware, no task group, no request object on the hot path. Decides on `scope["path"]` alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from providers.dialects import Dialect, ErrorReply
from providers.transport.port import Headers
from proxy.auth import presented_keys
from proxy.downstream import CLIENT, Downstream, Message, Receive, Scope, Send
from proxy.exchange import Exchange
from proxy.gateway import Gateway
from proxy.guard import is_allowed_host, is_allowed_origin
from proxy.journal.records import ExchangeRecord

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/health", "/health/liveliness", "/health/liveness", "/health/readiness"})
"""Answered without a key: probes have none, and the answers say nothing."""

REQUEST_ID_LENGTH = 128


class App:
    def __init__(
        self, gateway: Gateway, dialects: Collection[Dialect], pages: ASGIApp, lifespan: ASGIApp, error_body: Callable[[ErrorReply], bytes]
    ) -> None:
        """`pages` answers what is not a dialect path, already guarded; `lifespan` starts and stops the process's long-lived parts;
        `error_body` shapes the errors of requests that have no dialect (yet)."""
        self._gateway = gateway
        self._dialects = {path: dialect for dialect in dialects for path in dialect.paths}
        self._matching = [(dialect, dialect.match) for dialect in dialects if dialect.match is not None]
        self._pages = pages
        self._lifespan = lifespan
        self._error_body = error_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._lifespan(scope, receive, send)
            return
        headers: Headers = scope["headers"]
        by_name = dict(headers)
        decision_id = self._gateway.next_id()
        request_id = _request_id(by_name) or decision_id
        owner, refusal = self._guard(scope["path"], by_name, scope.get("query_string", b""))
        if refusal is not None:
            await self._reply(scope, send, refusal, request_id)
            return
        if scope["method"] == "GET" and by_name.get(b"upgrade", b"").lower() == b"websocket":
            await self._refuse_websocket(scope, send, request_id)
            return
        dialect, in_path = self._dialects.get(scope["path"]), None
        if dialect is None and self._matching and scope["method"] == "POST":
            dialect, in_path = self._match(scope)
        if dialect is None:
            scope[CLIENT] = owner
            await self._pages(scope, receive, _with_request_id(send, request_id))
        elif scope["method"] != "POST":
            reply = ErrorReply(405, "method_not_allowed", f"{scope['path']} takes POST, not {scope['method']}.")
            await self._reply(scope, send, reply, request_id, [(b"allow", b"POST")])
        else:
            record = ExchangeRecord(decision_id, request_id, self._gateway.wall(), dialect.name, "", client_key=owner)
            await Exchange(self._gateway, dialect, Downstream(scope, send), headers, record, in_path=in_path).run(receive, by_name)

    def _match(self, scope: Scope) -> tuple[Dialect | None, Mapping[str, Any] | None]:
        """The dialect whose path holds a part of the request, and that part."""
        path, query_string = scope["path"], scope.get("query_string", b"")
        for dialect, match in self._matching:
            in_path = match(path, query_string)
            if in_path is not None:
                return dialect, in_path
        return None, None

    def _guard(self, path: str, headers: Mapping[bytes, bytes], query_string: bytes) -> tuple[str | None, ErrorReply | None]:
        """(name of the client's key, why it may not pass). The only place that lets requests in."""
        serving = self._gateway.serving
        if serving.allowed_hosts is not None:
            host = headers.get(b"host")
            if not is_allowed_host(host, serving.allowed_hosts):
                shown = (host or b"").decode("latin-1")
                message = f"Host {shown!r} is not this server's name. Add it to server.allowed_hosts if it should be."
                return None, ErrorReply(421, "unknown_host", message)
            if not is_allowed_origin(headers.get(b"origin"), serving.allowed_hosts):
                return None, ErrorReply(403, "foreign_origin", "Web pages of other origins may not use this server.")
        if serving.keys.is_open or path in OPEN_PATHS:
            return None, None
        keys = presented_keys(headers, query_string)
        for key in keys:
            owner = serving.keys.owner(key)
            if owner is not None:
                return owner, None
        wrong = "The API key is not one of donut's." if keys else "An API key is missing."
        where = "Send one of server.api_keys as Authorization: Bearer, x-api-key, x-goog-api-key or ?key=."
        return None, ErrorReply(401, "invalid_api_key", f"{wrong} {where}")

    async def _refuse_websocket(self, scope: Scope, send: Send, request_id: str) -> None:
        """426 makes Codex go on over HTTP at once; 403, 404 and 405 cost it six seconds (reference/clients.md)."""
        reply = ErrorReply(426, "websocket_not_supported", f"donut does not speak WebSocket. POST {scope['path']} answers with events.")
        await self._reply(scope, send, reply, request_id, [(b"upgrade", b"HTTP/1.1")])

    async def _reply(self, scope: Scope, send: Send, reply: ErrorReply, request_id: str, more: Headers | None = None) -> None:
        headers = [(b"content-type", b"application/json"), (b"x-request-id", request_id.encode()), *(more or [])]
        dialect = self._dialects.get(scope["path"]) or self._match(scope)[0]
        error_body = self._error_body if dialect is None else dialect.error_body
        await Downstream(scope, send).reply(reply.status, headers, error_body(reply))


def _request_id(headers: Mapping[bytes, bytes]) -> str | None:
    """The client's own id where it is harmless; None when donut's decision id has to do."""
    given = headers.get(b"x-request-id")
    if given and len(given) <= REQUEST_ID_LENGTH and given.isascii() and (text := given.decode("ascii")).isprintable():
        return text
    return None


def _with_request_id(send: Send, request_id: str) -> Send:
    """`send`, with `x-request-id` on every answer: pages do not know it."""

    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
        await send(message)

    return send_with_id
