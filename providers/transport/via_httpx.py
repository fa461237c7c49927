"""The second transport: httpx, for what `wire.py` does not speak: HTTP/2 upstreams and forward proxies.

Off the hot path, so clarity wins over speed. It drives `httpx.AsyncHTTPTransport`, the layer below `httpx.AsyncClient`, on purpose:
the client adds headers of its own, keeps cookies, follows its environment and logs every URL; the layer below does none of that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, cast

import httpx

from providers.transport.environ import EnvironmentProxies
from providers.transport.head import host_line, host_value, request_head
from providers.transport.httpx_errors import FOREIGN, translate
from providers.transport.httpx_watch import Watch
from providers.transport.pool import IDLE_EXPIRY_S, MAX_CONNECTIONS
from providers.transport.port import Answer, Headers, Origin, TransportError, UpstreamRequest, pump_by_reading
from providers.transport.tls import load_context
from routing.facts import FailureKind

ClientKey = tuple[str, bool, str | None, str | None, bool]
"""(scheme, verify, ca_file, proxy, http2): what must be equal for two origins to share a client."""
CloseLater = Callable[[Coroutine[Any, Any, None]], None]


class HttpxTransport:
    """See `port.Transport`. With `trust_env` the environment's proxies serve origins that name none."""

    def __init__(self, *, max_connections: int = MAX_CONNECTIONS, idle_expiry_s: float = IDLE_EXPIRY_S, trust_env: bool = False) -> None:
        """`max_connections` is the cap per client, that is per `ClientKey`."""
        self._limits = httpx.Limits(
            max_connections=max_connections, max_keepalive_connections=max_connections, keepalive_expiry=idle_expiry_s
        )
        self._environment = EnvironmentProxies() if trust_env else None
        self._clients: dict[ClientKey, httpx.AsyncHTTPTransport] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def send(self, request: UpstreamRequest) -> Answer:
        origin = request.origin
        proxy = origin.proxy
        if proxy is None and self._environment is not None:
            proxy = self._environment.proxy_for(origin)
        request_head(request, host_line(origin))  # for its checks: what HTTP/2 carries may become HTTP/1.1 behind the next hop
        client = self._client(origin, proxy)
        watch = Watch(request.deadlines, asyncio.get_running_loop())
        try:
            async with watch.timeout:
                response = await client.handle_async_request(_to_httpx(request, proxy, watch))
        except asyncio.CancelledError:
            self._close_later(watch.close_opening())
            raise
        except FOREIGN as error:
            self._close_later(watch.close_opening())
            if watch.timeout.expired():
                raise TransportError(FailureKind.STALLED, f"{origin} passed {watch.armed}", watch.timings) from error
            raise translate(error, origin, watch.timings) from error
        answer = HttpxAnswer(response, origin, watch, self._close_later)
        if answer.status < 200:
            answer.close()
            raise TransportError(FailureKind.PROTOCOL, f"{origin} sent an unexpected status {answer.status}", watch.timings)
        return answer

    async def aclose(self) -> None:
        self._is_closed = True
        while self._closing:
            await asyncio.wait(self._closing)
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _close_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task of its own; kept here, because the loop keeps tasks only weakly, and so that `aclose` can wait."""
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _client(self, origin: Origin, proxy: str | None) -> httpx.AsyncHTTPTransport:
        if self._is_closed:
            raise TransportError(FailureKind.CONNECT, "donut is shutting down: its upstream transport is closed")
        key = (origin.scheme, origin.verify, origin.ca_file, proxy, origin.http2)
        client = self._clients.get(key)
        if client is None:
            context = load_context(origin)  # not shared with `wire`: httpcore writes its own ALPN list into it
            try:
                client = httpx.AsyncHTTPTransport(
                    verify=context,
                    # Without TLS there is no ALPN to negotiate by, so HTTP/2 over http:// means prior knowledge.
                    http1=not origin.http2 or origin.scheme == "https",
                    http2=origin.http2,
                    limits=self._limits,
                    proxy=proxy,
                    trust_env=False,
                )
            # A proxy URL that makes no sense, or SOCKS without its package. The URL stays out of the words: it may hold a password.
            except (ValueError, ImportError, httpx.InvalidURL) as error:
                words = f"{origin}: its forward proxy cannot be used; it must be an http:// or https:// URL"
                raise TransportError(FailureKind.CONNECT, words) from error
            self._clients[key] = client
        return client


def _to_httpx(request: UpstreamRequest, proxy: str | None, watch: Watch) -> httpx.Request:
    """httpx's own deadlines are off (`Watch` has ours); it adds no header but content-length."""
    origin = request.origin
    extensions: dict[str, Any] = {"timeout": {"connect": None, "read": None, "write": None, "pool": None}, "trace": watch.trace}
    if proxy is None:
        # The target byte for byte. Not with a proxy: httpcore would also put it into the CONNECT line.
        extensions["target"] = request.target
    return httpx.Request(
        request.method.decode("ascii"),
        httpx.URL(scheme=origin.scheme, host=origin.host, port=origin.port, raw_path=request.target),
        headers=[(b"host", host_value(origin)), *request.headers],
        content=bytes(request.body) or None,
        extensions=extensions,
    )


class HttpxAnswer:
    """See `port.Answer`. Pull-based: only `read()` takes bytes from the socket."""

    __slots__ = ("_close_later", "_origin", "_pieces", "_stream", "_watch", "headers", "status", "timings")

    def __init__(self, response: httpx.Response, origin: Origin, watch: Watch, close_later: CloseLater) -> None:
        self.status = response.status_code
        self.headers: Headers = [(name.lower(), value) for name, value in response.headers.raw]
        self.timings = watch.timings
        self._origin = origin
        self._watch = watch
        self._close_later = close_later
        self._stream: httpx.AsyncByteStream | None = cast(httpx.AsyncByteStream, response.stream)
        self._pieces: AsyncGenerator[bytes, None] | None = cast("AsyncGenerator[bytes, None]", aiter(self._stream))

    async def read(self) -> bytes:
        if self._pieces is None:
            return b""
        if self._stream is None:
            raise TransportError(FailureKind.CUT, f"{self._origin}: the answer was closed before it was read to its end", self.timings)
        timeout = self._watch.idle_timeout()
        try:
            async with timeout:
                async for piece in self._pieces:
                    if piece:
                        return piece
                self._pieces = None
                stream, self._stream = self._stream, None
                await stream.aclose()  # httpcore gives the connection back only when told so
                return b""
        except asyncio.CancelledError:
            self.close()
            raise
        except FOREIGN as error:
            self.close()
            if timeout.expired():
                raise TransportError(FailureKind.STALLED, f"{self._origin} passed {self._watch.armed}", self.timings) from error
            raise translate(error, self._origin, self.timings) from error

    async def pump(self, sink: Callable[[bytes], bool]) -> bool:
        return await pump_by_reading(self, sink)

    def has_ended(self) -> bool:
        return False

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._close_later(_shut(stream, self._pieces))


async def _shut(stream: httpx.AsyncByteStream, pieces: AsyncGenerator[bytes, None] | None) -> None:
    """Close an answer that was not read to its end, and with it its connection (HTTP/1.1) or stream (HTTP/2)."""
    with contextlib.suppress(*FOREIGN):  # it is being thrown away: how it ends interests nobody
        await stream.aclose()
    if pieces is not None:
        # RuntimeError: another task is just reading; closing the stream has ended that read.
        with contextlib.suppress(RuntimeError, *FOREIGN):
            await pieces.aclose()
