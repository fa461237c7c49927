"""One HTTP/1.1 connection to an upstream: bytes in, answer out. A protocol over httptools; it opens nothing and decides no retry.

Counterparts: `pool.py` says who may use it, `wire.py` drives it. One request at a time, no pipelining.

Rules:
- This is the hot path. Per piece of the body nothing asks the clock, arms a timer or creates a task: data sets `_heard`, and the
  transport's sweep calls `check()` about every 50 ms.
- A failure is kept as (kind, words) and raised by whoever reads, after the pieces that arrived before it.
- `leave()` answers whether the connection is clean: answer complete and taken, request fully written, nothing odd seen. Any doubt
  closes it.
- Whatever the split of the bytes, status, headers, body and failure kind are the same (tests/test_transport_connection.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import cast

import httptools

from providers.pieces import COPIED_BYTES, Body, Pieces
from providers.transport.outbox import BatchedTransport, outbox_of
from providers.transport.pool import Pool
from providers.transport.port import Deadlines, Headers
from routing.facts import FailureKind

READ_AHEAD_BYTES = 64 * 1024
"""Bytes of a body, with their framing, that wait for the reader before we stop reading from the socket (the port's promise); one read of
the loop may come on top."""
HEAD_LIMIT_BYTES = READ_AHEAD_BYTES
HEADERS_LIMIT = 256
INTERIM_LIMIT = 32
"""1xx answers before the real one; an upstream that sends more is stuck in a loop."""
FIELDS_KEPT = 512
"""Lines of heads. A vendor sends twenty, most of them the same each time: found again they cost no bytecode, where a call of the parser's
for each header took 26."""


class _RefusedError(Exception):
    """Raised inside a parser callback to stop the parser: the answer breaks one of our own limits."""


@lru_cache(maxsize=FIELDS_KEPT)
def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    name, value = name.lower(), value.strip()
    if name == b"transfer-encoding" and value.lower() != b"chunked":
        raise _RefusedError("a transfer-encoding that was not asked for")
    return name, value


class WireConnection(asyncio.Protocol):
    """See the module. Made by `connect.open_connection`, so `connection_made` has run before anybody else sees it."""

    __slots__ = (
        "_deadlines",
        "_head",
        "_heard",
        "_heard_at",
        "_interims",
        "_is_asked",
        "_is_paused",
        "_keep_alive",
        "_loop",
        "_parser",
        "_pool",
        "_sink",
        "_sink_is_full",
        "_started_at",
        "_transport",
        "_unread",
        "_waiter",
        "_written_at",
        "died_after_s",
        "failure",
        "head_done",
        "headers",
        "is_complete",
        "is_open",
        "lost",
        "on_body",
        "peer",
        "pieces",
        "status",
    )

    def __init__(self, peer: str, pool: Pool[WireConnection], loop: asyncio.AbstractEventLoop) -> None:
        self.peer = peer
        self._pool = pool
        self._loop = loop
        self.pieces: list[bytes] = []
        """What of the body has arrived and was not taken. Always the same list: the parser puts the pieces into it, and none of our own
        code runs for them."""
        self.on_body = self.pieces.append
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Callable[[bytes], bool] | None = None
        self._sink_is_full = False
        self.failure: tuple[FailureKind, str] | None = None
        self.status = 0
        self.headers: Headers = []
        """Of the answer, in lower case."""
        self._head = b""
        """What has come of it while it is not whole."""
        self._heard = False
        self._heard_at = 0.0
        self.is_complete = self._keep_alive = self._is_asked = self._is_paused = False
        self.is_open = True
        """Until one side ends it. Not asked of the transport: asyncio's for TLS does not call itself closing after abort() or the peer's
        EOF, and where a transport knows of an end before us, `connection_lost` is on its way."""
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed: shutdown waits for it."""

    # The life of the socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's, so an isinstance check would refuse them.
        self._transport = BatchedTransport(cast(asyncio.Transport, transport), outbox_of(self._loop))

    def eof_received(self) -> bool:
        """FIN. It ends a close-delimited body properly and cuts everything else."""
        self.is_open = False  # returning False makes the transport close itself
        if not self._is_busy:
            self._pool.forget(self)
        elif self.is_complete:
            self._keep_alive = False
        elif self.failure is None and self.head_done and self._is_close_delimited():
            self.is_complete = True
            self._is_asked = self._keep_alive = False
            self._wake()
        else:
            self._fail(FailureKind.CUT, self._cut_words("closed the connection"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone: RST, a TLS alert, our own abort, or after `eof_received`."""
        self.is_open = False
        if not self.lost.done():
            self.lost.set_result(None)
        if self._is_busy:
            self._fail(FailureKind.CUT, self._cut_words("reset the connection" if exc else "closed the connection"))
        else:
            self._pool.forget(self)
        del self._parser  # it holds our bound methods: a cycle that would keep every closed connection until the next collection

    def abort(self) -> None:
        self.is_open = False
        self._transport.abort()

    # One request.

    def begin(self, head: bytes, body: Body, deadlines: Deadlines, started_at: float, written_at: float) -> None:
        """Write one request. Both times are the loop's: the total deadline counts from `started_at`, when the attempt began; now is
        `written_at`. What only an answer that went wrong leaves behind needs no setting back: its connection is not used again."""
        self._is_asked = True
        self._head = b""
        self.head_done = self.is_complete = False
        self._unread = self._interims = 0
        self._deadlines = deadlines
        self._started_at = started_at
        self._written_at = written_at
        self._pool.active.add(self)
        if len(body) < COPIED_BYTES:
            self._transport.write(head + body)
        elif type(body) is Pieces:
            self._transport.writelines((head, *body.parts))
        else:
            self._transport.writelines((head, body))

    def activity(self) -> asyncio.Future[None]:
        """Done when something changed. The idle deadline counts from here: before, nobody wanted to read."""
        assert self._waiter is None, "two tasks wait for one answer"
        self._heard = True
        waiter = self._waiter = self._loop.create_future()
        return waiter

    async def flow_into(self, sink: Callable[[bytes], bool]) -> bool:
        """Give what arrives to `sink` until something else happens. True: the sink wants no more."""
        self._sink, self._sink_is_full = sink, False
        try:
            await self.activity()
        finally:
            self._sink = None
        return self._sink_is_full

    def take(self) -> bytes | None:
        """All body bytes that have arrived, in one piece; `b""` at the end of the body; None: nothing yet, or a failure."""
        pieces = self.pieces
        if not pieces:
            return b"" if self.is_complete else None
        piece = pieces.pop()
        if pieces:
            pieces.append(piece)
            piece = b"".join(pieces)
            pieces.clear()
        self._unread = 0
        if self._is_paused:
            self._is_paused = False
            if self.is_open and not self._transport.is_closing():
                self._transport.resume_reading()
        return piece

    def leave(self) -> bool:
        """The request is over, well or not. True: clean, still open; False: closed. The caller settles the slot with the pool."""
        self._pool.active.discard(self)
        if (
            self.is_complete
            and self._keep_alive
            and not self.pieces
            # An answer that overtook its request's body: the rest of the body is still on its way into this connection.
            and not self._transport.has_unsent
            and self.is_open
        ):
            return True
        self._is_asked = False
        self.pieces.clear()
        self.abort()
        self._wake()  # a task still waiting for this answer must not wait for ever
        return False

    @property
    def _is_busy(self) -> bool:
        """Does somebody own it now?"""
        return self in self._pool.active

    def check(self, now: float) -> None:
        """One look by the sweep: has a deadline passed? `now` is loop time."""
        if self._heard:
            self._heard = False
            self._heard_at = now
        if self.is_complete or self.failure is not None:
            return
        limits = self._deadlines
        if limits.total_s is not None and now - self._started_at >= limits.total_s:
            self._stall("total", limits.total_s)
        elif not self.head_done:
            if limits.first_byte_s is not None and now - self._written_at >= limits.first_byte_s:
                self._stall("first byte", limits.first_byte_s)
        elif limits.idle_s is not None and self._waiter is not None and now - self._heard_at >= limits.idle_s:
            self._stall("idle", limits.idle_s)

    # Bytes from the upstream.

    def data_received(self, data: bytes) -> None:
        if not self._is_asked:
            self._unasked()
            return
        self._heard = True
        sink = self._sink
        if sink is None:
            self._unread += len(data)
            if not self.head_done:
                self._head += data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._parser_stopped(error)
        if sink is not None:
            pieces = self.pieces
            self._unread = 0 if pieces else self._unread + len(data)
            if pieces:
                piece = pieces.pop()  # `take`, inlined: who gives to a sink has not paused
                if pieces:
                    pieces.append(piece)
                    piece = b"".join(pieces)
                    pieces.clear()
                if not sink(piece):
                    self._sink_is_full = True
                elif self._is_asked:
                    return  # the reader sleeps on: no task is woken for a piece that has gone its way already
                self._sink = None
        waiter = self._waiter
        if waiter is not None:  # `_wake`, inlined
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        if self._unread > READ_AHEAD_BYTES:
            self._check_unread(len(data))

    def _check_unread(self, arrived: int) -> None:
        """Much has come since the reader took anything: body, which can wait in the socket, or what the parser keeps (a head, a chunk
        extension or a trailer that never ends).

        One read is allowed on top, so that the split of the bytes does not decide; `on_headers_complete` counts exactly.
        """
        if self.pieces:
            if not self._is_paused and self.is_open and not self._transport.is_closing():
                self._is_paused = True
                self._transport.pause_reading()
        elif self._is_asked and self._unread - arrived > HEAD_LIMIT_BYTES:
            self._fail(FailureKind.PROTOCOL, f"{self.peer} sent more than {HEAD_LIMIT_BYTES} bytes of headers")

    def _unasked(self) -> None:
        """Bytes that belong to nobody: behind an answer, a late answer, or a server's notice before it hangs up."""
        if self._is_busy:
            self._keep_alive = False
        else:
            self._pool.forget(self)
        self.abort()

    @property
    def answer_began(self) -> bool:
        """Has a byte of the answer arrived?"""
        return self.head_done or self._unread > 0

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise _RefusedError("more bytes after the end of the answer")

    def on_headers_complete(self) -> None:
        """llhttp has found the head well-formed, so it splits as simply as this; its trailers are not in it: nothing in donut reads them,
        and merging them into the head is how smuggling works."""
        self.status = status = self._parser.get_status_code()
        raw = self._head.lstrip(b"\r\n")
        end = raw.find(b"\r\n\r\n")
        if end < 0:
            raise _RefusedError("a head that does not end in CRLF")  # llhttp has not let one pass yet
        if end + 4 > HEAD_LIMIT_BYTES:
            raise _RefusedError(f"more than {HEAD_LIMIT_BYTES} bytes of headers")
        _, *lines = raw[:end].split(b"\r\n")
        if len(lines) > HEADERS_LIMIT:
            raise _RefusedError(f"more than {HEADERS_LIMIT} headers")
        self.headers = [*map(_field, lines)]
        if status >= 200:
            self.head_done = True
            self._head = b""
            return
        self._interims += 1
        if status < 100 or status == 101 or self._interims > INTERIM_LIMIT or not self._is_close_delimited():
            raise _RefusedError(f"unexpected status {status}")
        self._head = raw[end + 4 :]

    def on_message_complete(self) -> None:
        if self.head_done:  # else it was a 1xx
            self.is_complete = True
            self._is_asked = False
            self._keep_alive = self._parser.should_keep_alive()

    # What can go wrong.

    def _is_close_delimited(self) -> bool:
        """Does the head announce no length? (A 1xx must not announce one: RFC 9110 §8.6.)"""
        return not any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    def _parser_stopped(self, error: httptools.HttpParserError) -> None:
        """llhttp, or one of our callbacks, refused the bytes."""
        cause = error.__context__
        if cause is not None and not isinstance(cause, _RefusedError):
            raise cause  # a bug in a callback; the loop reports it and closes the connection
        if self.is_complete:  # what came behind a complete answer does not spoil it, only the connection
            self._keep_alive = False
            self.abort()
        else:
            self._fail(FailureKind.PROTOCOL, f"{self.peer} sent a malformed answer: {cause or error}")

    def _stall(self, deadline: str, seconds: float) -> None:
        self._fail(FailureKind.STALLED, f"{self.peer} passed the {deadline} deadline of {seconds:g} s")

    def _cut_words(self, what: str) -> str:
        if not self.answer_began:
            return f"{self.peer} {what} without answering"
        return f"{self.peer} {what} before the end of the {'body' if self.head_done else 'headers'}"

    def _fail(self, kind: FailureKind, words: str) -> None:
        if self.failure is None and not self.is_complete:
            self.failure = (kind, words)
            self._is_asked = False
            self.died_after_s = self._loop.time() - self._written_at
            self.abort()
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
