"""The ASGI application: guards every request at one place, sends dialect paths to an exchange and everything else to `pages`.

Plain ASGI on purpose: no BaseHTTPMiddleware, no task group, no request object on the hot path. Decides on `scope["path"]` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from providers.dialects import Dialect, ErrorReply
from providers.transport.port import Headers
from proxy.auth import presented_keys
from proxy.caller import Caller, request_id_in
from proxy.downstream import CLIENT, CONNECTION, Connection, Downstream, Exchanging, Message, Receive, Scope, Send, as_lines
from proxy.exchange import Exchange
from proxy.gateway import Gateway
from proxy.guard import is_allowed_host, is_allowed_origin
from proxy.serving import Serving

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/health", "/health/liveliness", "/health/liveness", "/health/readiness"})
"""Answered without a key: probes have none, and the answers say nothing."""


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
        gateway = self._gateway
        connection: Connection = scope[CONNECTION]
        headers: Headers = scope["headers"]
        line = (scope["method"], scope["path"], scope["query_string"])
        caller = connection.caller
        decision_id = gateway.next_id()
        if caller is None or not caller.says(line, headers, gateway.serving):
            connection.caller = caller = await self._admit(scope, headers, receive, send, decision_id)
            if caller is None:
                return
        else:
            connection.expect_again(caller, headers, self._begin_again)
        downstream = Downstream(connection, send)
        downstream.task = _current_task()
        body = connection.take_body()
        if body is not None:
            await Exchange(gateway, caller, downstream, body, decision_id).run()
        else:
            await Exchange(gateway, caller, downstream, b"", decision_id).run(receive, caller.length_in(headers))

    def _begin_again(self, caller: Caller, downstream: Downstream, body: bytes) -> Exchanging | None:
        """See `proxy.downstream.Begin`."""
        gateway = self._gateway
        if caller.serving is not gateway.serving:
            return None
        return Exchange(gateway, caller, downstream, body, gateway.next_id()).run()

    async def _admit(self, scope: Scope, headers: Headers, receive: Receive, send: Send, decision_id: str) -> Caller | None:
        """Who calls for an exchange; None when the request was none, and has its answer."""
        by_name, serving = dict(headers), self._gateway.serving
        request_id = request_id_in(by_name) or decision_id
        key, refusal = self._guard(scope["path"], by_name, scope["query_string"], serving)
        if refusal is not None:
            await self._reply(scope, send, refusal, request_id)
            return None
        if scope["method"] == "GET" and by_name.get(b"upgrade", b"").lower() == b"websocket":
            await self._refuse_websocket(scope, send, request_id)
            return None
        dialect, in_path = self._dialects.get(scope["path"]), None
        if dialect is None and self._matching and scope["method"] == "POST":
            dialect, in_path = self._match(scope)
        if dialect is None:
            scope[CLIENT] = key
            await self._pages(scope, receive, _with_request_id(send, request_id))
            return None
        if scope["method"] != "POST":
            reply = ErrorReply(405, "method_not_allowed", f"{scope['path']} takes POST, not {scope['method']}.")
            await self._reply(scope, send, reply, request_id, [(b"allow", b"POST")])
            return None
        return Caller((scope["method"], scope["path"], scope["query_string"]), headers, serving, dialect, in_path=in_path, key=key)

    def _match(self, scope: Scope) -> tuple[Dialect | None, Mapping[str, Any] | None]:
        """The dialect whose path holds a part of the request, and that part."""
        path, query_string = scope["path"], scope["query_string"]
        for dialect, match in self._matching:
            in_path = match(path, query_string)
            if in_path is not None:
                return dialect, in_path
        return None, None

    @staticmethod
    def _guard(path: str, headers: Mapping[bytes, bytes], query_string: bytes, serving: Serving) -> tuple[str | None, ErrorReply | None]:
        """(name of the client's key, why it may not pass). The only place that lets requests in."""
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
        downstream = Downstream(scope[CONNECTION], send)
        send_reply = downstream.reply if scope["method"] != "HEAD" else downstream.reply_in_turn
        await send_reply(reply.status, as_lines(headers), error_body(reply))


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _with_request_id(send: Send, request_id: str) -> Send:
    """`send`, with `x-request-id` on every answer: pages do not know it."""

    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
        await send(message)

    return send_with_id
