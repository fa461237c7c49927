"""donut's place in uvicorn: the HTTP protocol class that tells an exchange at once when its client is gone, and how the server runs.

uvicorn tells an application of a disconnect only through `receive()`, which would need a waiting task per request.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from providers.transport.outbox import BatchedTransport, outbox_of
from providers.transport.port import Headers
from proxy.caller import Caller
from proxy.downstream import CONNECTION
from proxy.idle import idle_connections

BACKLOG = 4096
"""Connections the kernel may hold for us: a thousand clients may come at the same moment."""


class DonutProtocol(HttpToolsProtocol):
    """One client connection. Implements `proxy.downstream.Connection` for the exchange that runs on it."""

    caller: Caller | None = None
    _on_lost: Callable[[], None] | None = None
    _on_stopping: Callable[[], None] | None = None
    _is_lost = False
    _is_last_answer = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(BatchedTransport(transport, outbox_of(self.loop)))
        self._idle = idle_connections(self.loop)
        # uvloop does this by itself; asyncio does not for sockets that do not name their protocol, and socket.create_server's do not.
        # Without it Nagle and delayed acknowledgements hold the second piece of an answer back for 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[literal-required]

    def on_message_complete(self) -> None:
        super().on_message_complete()
        # uvicorn pauses reading above 64 KiB of body and resumes on the next receive(), which never comes once the body is whole.
        # A paused socket would hide that the client left.
        # Pipelined requests stay held back: they are waiting for their turn, not for a body.
        if not self.pipeline:
            self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._idle.discard(self)
        self._is_lost = True
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()

    def _unset_keepalive_if_required(self) -> None:
        self._idle.discard(self)

    def take_body(self) -> bytes | None:
        cycle = self.cycle
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue or self.pipeline:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()  # a stream may go on for an hour, and nobody needs its prompt any more
        return body

    def watch(self, on_lost: Callable[[], None] | None) -> None:
        if on_lost is not None and self._is_lost:
            on_lost()
        else:
            self._on_lost = on_lost

    def shutdown(self) -> None:
        super().shutdown()
        if self._on_stopping is not None:
            self._on_stopping()

    def watch_stop(self, on_stopping: Callable[[], None] | None) -> None:
        self._on_stopping = on_stopping

    def _unsupported_upgrade_warning(self) -> None:
        """Called for every wish for another protocol, before the application sees the request; `App` answers with 426 where it must.

        The parser takes what follows for that other protocol, so the connection ends with the answer. That uvicorn could have a library
        for it is nobody's news.
        """
        self.close_after_response()

    # What uvicorn's `send` does, in one write and without judging every header again. Anything
    # out of the ordinary (a paused writer, HTTP/1.0, a client that left) returns False and takes uvicorn's own way.

    def reply(self, status: int, headers: Headers, body: bytes) -> bool:
        cycle = self.cycle
        if not self._may_begin(cycle):
            return False
        self.transport.write(self._head(status, headers) + body)
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        self._complete(cycle)
        return True

    def begin_stream(self, status: int, headers: Headers, piece: bytes) -> bool:
        cycle = self.cycle
        if not self._may_begin(cycle):
            return False
        head = self._head(status, [*headers, (b"transfer-encoding", b"chunked")])
        self.transport.write(b"%b%x\r\n%b\r\n" % (head, len(piece), piece) if piece else head)
        cycle.response_started = cycle.chunked_encoding = True
        cycle.waiting_for_100_continue = False
        return True

    def _may_begin(self, cycle: RequestResponseCycle) -> bool:
        if self.pipeline or self.flow.write_paused:  # with pipelined requests waiting, `cycle` is not the one that runs
            return False
        return cycle.keep_alive and not cycle.disconnected and not cycle.response_started and cycle.scope["method"] != "HEAD"

    def _head(self, status: int, headers: Headers) -> bytes:
        lines = [b"%b: %b\r\n" % pair for pair in (*self.server_state.default_headers, *headers)]
        return b"%b%b\r\n" % (STATUS_LINE[status], b"".join(lines))

    def write_piece(self, data: bytes) -> bool:
        cycle = self.cycle
        if self.flow.write_paused or cycle.disconnected or not cycle.chunked_encoding:
            return False
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    def end_stream(self, data: bytes) -> bool:
        cycle = self.cycle
        if self.flow.write_paused or cycle.disconnected or not cycle.chunked_encoding or not cycle.keep_alive:
            return False
        self.transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n")
        self._complete(cycle)
        return True

    @staticmethod
    def _complete(cycle: RequestResponseCycle) -> None:
        cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()

    def close_after_response(self) -> None:
        self.cycle.keep_alive = False
        self._is_last_answer = True  # with pipelined requests waiting, `cycle` is not the one that runs

    def on_response_complete(self) -> None:
        """uvicorn's, without its timer."""
        self.server_state.total_requests += 1
        if self._is_last_answer:
            self.transport.close()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle.add(self, self.timeout_keep_alive)

    def abort(self) -> None:
        self.cycle.disconnected = True  # uvicorn then expects no more of this answer
        self.transport.abort()


def raise_open_files_limit() -> int:
    """Lift the soft limit of open files to the hard one: two sockets per stream, and 1,024 is a common default. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class _Server(uvicorn.Server):
    """uvicorn's server, but a second Ctrl-C ends the waiting only: open exchanges still get their row, and the journal its end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            for task in self.server_state.tasks:
                task.cancel()
            await self.lifespan.shutdown()


def server_for(app: Any, *, keep_alive_s: int, drain_s: int) -> uvicorn.Server:
    """A uvicorn server for `app`, with everything that donut does itself switched off. Its sockets are given to `run`."""
    return _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=DonutProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,  # X-Forwarded-* of anyone must not change who the client is
            backlog=BACKLOG,
            timeout_keep_alive=keep_alive_s,
            timeout_graceful_shutdown=drain_s,
        )
    )
