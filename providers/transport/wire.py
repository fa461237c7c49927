"""The hot path's transport: HTTP/1.1 over httptools and asyncio (uvloop in production), with a pool per origin.

With a pooled connection `send()` suspends only to wait for the head: no task, no timer. One sweep per transport looks at all
connections about every 50 ms while something is in flight, and sleeps until the next idle expiry otherwise.

`wire` does not speak HTTP/2 and knows no forward proxy: it refuses such origins, `choose.py` sends them to `via_httpx.py`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

from providers.transport.connect import ConnectDeadline, open_connection
from providers.transport.connection import WireConnection
from providers.transport.head import host_line, request_head
from providers.transport.pool import IDLE_EXPIRY_S, MAX_CONNECTIONS, Pool, PoolCounts
from providers.transport.port import AT_ONCE, Answer, Deadlines, Headers, Origin, Timings, TransportError, UpstreamRequest
from providers.transport.tls import TlsContexts
from routing.facts import FailureKind

SWEEP_S = 0.05
"""Deadlines are this precise. Finer buys nothing for limits of seconds; it costs about 0.3 µs per connection and look."""
SWEEP_LINGER_S = 1.0
"""The fast sweep goes on this long after the last request, so that a slow trickle of requests does not re-arm a timer each time."""
STALE_WINDOW_S = 1.0
"""A pooled connection that dies this soon after the write was dead before it, the news was on its way (one round trip, or an RST in
answer to our bytes). Later than that the upstream was probably working on the request: sending it again could do the work twice."""


class _OriginPool(Pool[WireConnection]):
    """A pool, and what is the same for every request to its origin."""

    __slots__ = ("host", "loop", "origin")

    def __init__(self, origin: Origin, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit)
        self.origin = origin
        self.loop = loop
        self.host = host_line(origin)


class WireAnswer:
    """See `port.Answer`. Reading it after `close()`, or after a cancelled `read()`, raises CUT."""

    __slots__ = ("_connection", "_pool", "headers", "status", "timings")

    def __init__(self, connection: WireConnection, pool: _OriginPool, timings: Timings) -> None:
        self._connection: WireConnection | None = connection
        self._pool = pool
        self.timings = timings
        self.status = connection.status
        self.headers: Headers = connection.headers

    async def read(self) -> bytes:
        while (connection := self._connection) is not None:
            piece = connection.take()
            if piece is not None:
                return piece
            if connection.failure is not None:
                kind, words = connection.failure
                raise TransportError(kind, words, self.timings)
            try:
                await connection.activity()
            except asyncio.CancelledError:
                self.close()
                raise
        raise self._closed_too_early()

    async def pump(self, sink: Callable[[bytes], bool]) -> bool:
        while (connection := self._connection) is not None:
            piece = connection.take()
            if piece:
                if not sink(piece):
                    return False
            elif piece is not None:
                return True
            elif connection.failure is not None:
                kind, words = connection.failure
                raise TransportError(kind, words, self.timings)
            else:
                try:
                    has_stopped = await connection.flow_into(sink)
                except asyncio.CancelledError:
                    self.close()
                    raise
                if has_stopped:
                    return False
        raise self._closed_too_early()

    def has_ended(self) -> bool:
        connection = self._connection
        return connection is not None and connection.is_complete and not connection.pieces

    def _closed_too_early(self) -> TransportError:
        return TransportError(FailureKind.CUT, f"{self._pool.origin}: the answer was closed before it was read to its end", self.timings)

    def close(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self._connection = None
        pool = self._pool
        if connection.leave():  # as in `_settle`
            pool.give_back(connection, pool.loop.time())
        else:
            pool.free_slot()


def _settle(connection: WireConnection, pool: _OriginPool) -> None:
    """Take a connection out of service and its slot back to the pool."""
    if connection.leave():
        pool.give_back(connection, pool.loop.time())
    else:
        pool.free_slot()


def _was_dead(connection: WireConnection) -> bool:
    """Was the connection dead before the request was written? Then nobody has seen it."""
    assert connection.failure is not None
    is_cut = connection.failure[0] is FailureKind.CUT
    return is_cut and not connection.answer_began and connection.died_after_s < STALE_WINDOW_S


class WireTransport:
    """See `port.Transport`. Belongs to the event loop of its first `send()`."""

    def __init__(self, *, max_connections: int = MAX_CONNECTIONS, idle_expiry_s: float = IDLE_EXPIRY_S) -> None:
        """`max_connections` is the cap per origin; beyond it requests queue, first come, first served."""
        self._max_connections = max_connections
        self._idle_expiry_s = idle_expiry_s
        self._pools: dict[Origin, _OriginPool] = {}
        self._tls = TlsContexts()
        self._connections: set[WireConnection] = set()
        self._is_closed = False
        self._is_sweeping = False
        self._timer: asyncio.TimerHandle | None = None
        self._busy_at = 0.0

    async def send(self, request: UpstreamRequest) -> Answer:
        pool = self._pools.get(request.origin) or self._open_pool(request.origin)
        # The head first, before a slot is taken: it raises on a caller's bug.
        head = request_head(request, pool.host)
        started_at = written_at = pool.loop.time()
        if not self._is_sweeping:
            self._start_sweep()
        deadlines, timings = request.deadlines, AT_ONCE
        connection = pool.take()
        if connection is None:
            timings = Timings()
            connection = await self._acquire(pool, deadlines, timings, started_at)
            written_at = pool.loop.time()
        while True:
            connection.begin(head, request.body, deadlines, started_at, written_at)
            try:
                while connection.failure is None:
                    await connection.activity()
                    if connection.head_done:
                        return WireAnswer(connection, pool, timings)
            except asyncio.CancelledError:
                _settle(connection, pool)
                raise
            if not (timings.reused and request.replayable and _was_dead(connection)):
                failure = connection.failure
                _settle(connection, pool)
                assert failure is not None
                raise TransportError(*failure, timings)
            connection.leave()
            # Once more, in the same slot. Fresh, because what killed one idle connection has probably killed all of them.
            timings = Timings(timings.queue_s)
            connection = await self._connect(pool, deadlines, timings, started_at)
            written_at = pool.loop.time()

    async def aclose(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for pool in self._pools.values():
            pool.close(_closed_error)
        self._pools.clear()
        if self._connections:
            await asyncio.wait([connection.lost for connection in self._connections])

    def snapshot(self) -> dict[Origin, PoolCounts]:
        """Connections per origin, for tests and the admin pages. An origin without any is not in it."""
        return {origin: pool.counts() for origin, pool in self._pools.items() if pool.open}

    # Getting a connection, when none is idle.

    async def _acquire(self, pool: _OriginPool, deadlines: Deadlines, timings: Timings, started_at: float) -> WireConnection:
        """A connection of our own: a new one under the cap, else whatever comes free first. `started_at` is loop time."""
        if not pool.reserve():
            connection = await self._queue(pool, deadlines, timings, started_at)
            if connection is not None and connection.is_open:
                timings.reused = True
                return connection
        return await self._connect(pool, deadlines, timings, started_at)

    async def _queue(self, pool: _OriginPool, deadlines: Deadlines, timings: Timings, started_at: float) -> WireConnection | None:
        """Wait for a connection or, None, for a slot. Only the total deadline ends the wait."""
        total_s = deadlines.total_s
        try:
            async with asyncio.timeout_at(None if total_s is None else started_at + total_s):
                return await pool.wait()
        except TimeoutError as error:
            words = f"{pool.origin}: all {pool.limit} connections busy until the total deadline of {total_s:g} s"
            raise TransportError(FailureKind.STALLED, words, timings) from error
        finally:
            timings.queue_s = pool.loop.time() - started_at

    async def _connect(self, pool: _OriginPool, deadlines: Deadlines, timings: Timings, started_at: float) -> WireConnection:
        """A fresh connection in a slot that the caller owns; on failure the slot is free again."""
        origin, loop = pool.origin, pool.loop
        begun_at = loop.time()
        try:
            connection = await open_connection(
                functools.partial(WireConnection, str(origin), pool, loop),
                origin,
                self._tls.get(origin) if origin.scheme == "https" else None,
                ConnectDeadline.of(deadlines, started_at, begun_at),
            )
        except BaseException as error:  # cancellation too: the slot must come back
            pool.free_slot()
            if isinstance(error, TransportError):
                error.timings = timings
            raise
        finally:
            timings.connect_s = loop.time() - begun_at
        self._connections.add(connection)
        connection.lost.add_done_callback(lambda _: self._connections.discard(connection))
        if self._is_closed:
            connection.abort()
            pool.free_slot()
            raise _closed_error()
        if not connection.is_open:  # between the connect and now: nobody would tell us again
            pool.free_slot()
            raise TransportError(FailureKind.CUT, f"{origin} closed the connection without answering", timings)
        return connection

    def _open_pool(self, origin: Origin) -> _OriginPool:
        if self._is_closed:
            raise _closed_error()
        if origin.proxy is not None or origin.http2 or origin.scheme not in ("http", "https"):
            raise ValueError(f"wire cannot serve {origin} (proxy: {origin.proxy is not None}, http2: {origin.http2})")
        pool = self._pools[origin] = _OriginPool(origin, self._max_connections, asyncio.get_running_loop())
        return pool

    # The sweep: deadlines of what is in flight, expiry of what is idle.

    def _start_sweep(self) -> None:
        self._is_sweeping = True
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._busy_at = loop.time()
        self._timer = loop.call_later(SWEEP_S, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for pool in self._pools.values():
            if pool.active:
                self._busy_at = now
                for connection in tuple(pool.active):
                    connection.check(now)
            pool.expire(now - self._idle_expiry_s)
        if now - self._busy_at < SWEEP_LINGER_S:
            self._timer = loop.call_later(SWEEP_S, self._sweep, loop)
            return
        self._is_sweeping = False
        for origin in [origin for origin, pool in self._pools.items() if pool.open == 0]:
            del self._pools[origin]  # an origin that left the config leaves nothing behind
        idle_since = [since for pool in self._pools.values() if (since := pool.idle_since()) is not None]
        delay = min(idle_since) + self._idle_expiry_s - now if idle_since else None
        self._timer = None if delay is None else loop.call_later(max(delay, SWEEP_S), self._sweep, loop)


def _closed_error() -> TransportError:
    return TransportError(FailureKind.CONNECT, "donut is shutting down: its upstream transport is closed")
