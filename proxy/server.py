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
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from providers.transport.outbox import BatchedTransport, outbox_of
from providers.transport.port import Headers
from proxy.caller import Caller
from proxy.downstream import CONNECTION, Begin, Downstream, Lines, as_lines
from proxy.exchange_runner import ExchangeRunner
from proxy.idle import idle_connections
from proxy.layout import laid_out
from proxy.repeated_head import RepeatedHead, repeated_head

BACKLOG = 4096
"""Connections the kernel may hold for us: a thousand clients may come at the same moment."""
HEAD_BYTES = 16 * 1024
"""A longer head is not remembered."""
HELD_BYTES = 1024 * 1024
"""Of a body under a known head: so much may be missing before uvicorn's way takes it, which may refuse what is too long."""
NO_BODY = bytearray()


class DonutProtocol(HttpToolsProtocol):
    """One client connection. Implements `proxy.downstream.Connection` for the exchange that runs on it.

    A request whose head this client has sent before, to the byte (`proxy.repeated_head`), becomes an exchange without uvicorn's parser,
    scope and wrappers, which were two thirds of what this edge cost. Everything else takes uvicorn's way, and so does what such an
    exchange can not write at once, through its `_WholeRequest`.
    """

    caller: Caller | None = None
    sweeps_idle = -1
    """Looks of `proxy.idle` since this connection waits for its next request; below 0 while it does not wait for one."""
    _on_stopping: Callable[[], None] | None = None
    _is_last_answer = False

    _known: RepeatedHead | None = None
    """What this client has said twice."""
    _known_of: Caller | None = None
    """Whose head was last looked at for that: once is enough, also where it is none that can be known."""
    _expected: RepeatedHead | None = None
    """The same, while nothing is under way and the parser stands between two messages."""
    _is_between_messages = True
    """Is the parser?"""
    _raw = b""
    """What may be the head of the message that was parsed last; the parser knows better."""
    _held: list[bytes] | None = None
    """A known head and a part of its body, which the parser has not seen."""
    _held_for: RepeatedHead | None = None
    _held_body_at = 0
    _missing = 0
    """Bytes that `_held` lacks."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(BatchedTransport(transport, outbox_of(self.loop)))
        self._idle = idle_connections(self.loop)
        self._idle.add(self)
        self._runner = ExchangeRunner(self.loop, self.tasks)
        # Read for every request: what stands in the instance is found quicker than a default of the class.
        self.is_lost = False
        self.on_lost: Callable[[], None] | None = None
        self._steady: Headers | None = None
        self._steady_lines = b""
        # uvloop does this by itself; asyncio does not for sockets that do not name their protocol, and socket.create_server's do not.
        # Without it Nagle and delayed acknowledgements hold the second piece of an answer back for 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # What arrives

    def data_received(self, data: bytes) -> None:
        self.sweeps_idle = -1
        expected = self._expected
        if expected is None:
            if self._held is None:
                self._parse(data)
            else:
                self._hold_more(data)
            return
        self._expected = None
        if data.startswith(expected.before):
            digits_end = data.find(expected.after, expected.before_size, expected.after_at_most)
            digits = data[expected.before_size : digits_end]
            if digits_end > 0 and digits.isdigit():
                body_at = digits_end + expected.after_size
                missing = int(digits) + body_at - len(data)
                if missing == 0:
                    if self._begin(expected, data[body_at:]):
                        return
                elif 0 < missing <= HELD_BYTES:
                    self._held, self._held_for, self._held_body_at, self._missing = [data], expected, body_at, missing
                    return
        self._parse(data)

    def _hold_more(self, data: bytes) -> None:
        """The rest of a body whose head is known. Until it is whole nobody needs to know of it."""
        held, head = self._held, self._held_for
        assert held is not None
        assert head is not None
        held.append(data)
        self._missing -= len(data)
        if self._missing <= 0:
            self._held = self._held_for = None
            if self._missing < 0 or not self._begin(head, b"".join((held[0][self._held_body_at :], *held[1:]))):
                self._parse(b"".join(held))

    def _begin(self, head: RepeatedHead, body: bytes) -> bool:
        """Start the exchange of a request that is whole; False where it has to be let in anew."""
        request = _WholeRequest(self)
        exchange = head.begin(head.caller, request, body)
        if exchange is None:
            return False
        self.cycle = request
        request.task = self._runner.run(exchange, request.ended)
        return True

    def _parse(self, data: bytes) -> None:
        """uvicorn's way."""
        if self._is_between_messages:
            self._raw = data[: data.find(b"\r\n\r\n", 0, HEAD_BYTES) + 4]
            self._is_between_messages = False
        super().data_received(data)

    def _parse_what_is_held(self) -> None:
        """The rest may never come: whoever has to know that a request is under way is told now."""
        held, self._held, self._held_for = self._held, None, None
        if held is not None:
            self._parse(b"".join(held))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_between_messages = False
        self.scope[CONNECTION] = self  # type: ignore[literal-required]

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_between_messages = True
        # uvicorn pauses reading above 64 KiB of body and resumes on the next receive(), which never comes once the body is whole.
        # A paused socket would hide that the client left.
        # Pipelined requests stay held back: they are waiting for their turn, not for a body.
        if not self.pipeline:
            self.flow.resume_reading()

    def expect_again(self, caller: Caller, headers: Headers, begin: Begin) -> None:
        if self._known_of is not caller and headers is self.headers:
            self._known_of = caller
            self._known = repeated_head(self._raw, self.url, headers, caller, begin)
            self._raw = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._parse_what_is_held()
        super().connection_lost(exc)
        self._idle.discard(self)
        self.is_lost = True
        self._runner.end()
        self.scope = None  # type: ignore[assignment]  # it knows this connection
        on_lost, self.on_lost = self.on_lost, None
        cycle: RequestResponseCycle | None = self.cycle
        if on_lost is not None:
            on_lost()
        elif cycle is not None and cycle.response_complete:
            self.forget(cycle)

    def forget(self, request: RequestResponseCycle) -> None:
        """It is over. A connection and its last request know each other: once it is lost, both would stay until the next collection."""
        if self.is_lost and self.cycle is request:
            self.cycle = None  # type: ignore[assignment]

    def take_body(self) -> bytes | None:
        cycle = self.cycle
        if cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue or self.pipeline:
            return None
        body = bytes(cycle.body)
        cycle.body = NO_BODY  # a stream may go on for an hour, and nobody needs its prompt any more
        return body

    def shutdown(self) -> None:
        self._parse_what_is_held()
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

    def reply(self, status: int, lines: Lines, body: bytes) -> bool:
        cycle = self.cycle
        # With pipelined requests waiting, `cycle` is not the one that runs.
        if self.pipeline or self.flow.write_paused or cycle.disconnected or not cycle.keep_alive:
            return False
        if self.server_state.default_headers is not self._steady:
            self._renew_steady()
        head = (STATUS_LINE[status], self._steady_lines, lines, len(body), body)
        self.transport.write(b"%b%b%bcontent-length: %d\r\n\r\n%b" % head)
        cycle.response_started = cycle.response_complete = True
        self._await_next()
        return True

    def begin_stream(self, status: int, lines: Lines, piece: bytes) -> bool:
        cycle = self.cycle
        if self.pipeline or self.flow.write_paused or cycle.disconnected or not cycle.keep_alive:
            return False
        if self.server_state.default_headers is not self._steady:
            self._renew_steady()
        head = b"%b%b%btransfer-encoding: chunked\r\n\r\n" % (STATUS_LINE[status], self._steady_lines, lines)
        self.transport.write(b"%b%x\r\n%b\r\n" % (head, len(piece), piece) if piece else head)
        cycle.response_started = cycle.chunked_encoding = True
        cycle.waiting_for_100_continue = False
        return True

    def _renew_steady(self) -> None:
        """What every answer says (the date): uvicorn makes it anew every second."""
        self._steady = self.server_state.default_headers
        self._steady_lines = as_lines(self._steady)

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
        cycle.response_complete = True
        self._await_next()
        return True

    def close_after_response(self) -> None:
        self.cycle.keep_alive = False
        self._is_last_answer = True  # with pipelined requests waiting, `cycle` is not the one that runs

    def on_response_complete(self) -> None:
        """uvicorn's, without its timer."""
        if self._is_last_answer:
            self.transport.close()
        if self.transport.is_closing():
            return
        if self.pipeline:
            self.flow.resume_reading()
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._await_next()

    def _await_next(self) -> None:
        """Of what uvicorn does now the rest is settled: this connection stays open, no pipelined request waits, and nobody in `receive`."""
        if self.flow.read_paused:
            self.flow.resume_reading()
        self.sweeps_idle = 0
        if self._is_between_messages:
            self._expected = self._known

    def abort(self) -> None:
        self.cycle.disconnected = True  # uvicorn then expects no more of this answer
        self.transport.abort()


class _Unawaited:
    """For uvicorn to tell a `receive` that nobody waits in."""

    def set(self) -> None:
        pass


@laid_out
class _WholeRequest(Downstream, RequestResponseCycle):
    """uvicorn's state of a request and its answer, for one that has arrived whole under a known head, and the exchange's downstream in one.
    What all of these have in common is the class's: making one costs a tenth of uvicorn's."""

    scope = {"method": "POST"}  # type: ignore[typeddict-item]  # noqa: RUF012 - uvicorn asks a scope for this alone, and changes nothing
    access_log = False
    keep_alive = True
    disconnected = waiting_for_100_continue = more_body = response_started = response_complete = False
    chunked_encoding = None
    expected_content_length = 0
    message_event = _Unawaited()  # type: ignore[assignment]

    def __init__(self, connection: DonutProtocol) -> None:
        self.connection: DonutProtocol = connection

    _send = RequestResponseCycle.send  # type: ignore[assignment]

    # For uvicorn's `send`, when the client is slow or has sent its next request already.

    @property
    def transport(self) -> asyncio.Transport:  # type: ignore[override]
        return self.connection.transport

    @property
    def flow(self) -> FlowControl:  # type: ignore[override]
        return self.connection.flow

    @property
    def default_headers(self) -> Headers:  # type: ignore[override]
        return self.connection.server_state.default_headers

    def on_response(self) -> None:
        self.connection.on_response_complete()

    def ended(self) -> None:
        """What uvicorn's wrapper around an application sees to."""
        connection = self.connection
        if not self.response_complete and not self.disconnected:
            connection.logger.error("The exchange ended without completing its answer.")
            connection.transport.close()
        if connection.is_lost:
            connection.forget(self)


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
