"""The client's side of one exchange: what ASGI gives, and the two things it does not — to be told at once that the client left, and
to close the connection after an answer that broke off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Protocol

from providers.transport.port import Headers
from proxy.caller import Caller
from proxy.layout import laid_out

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CONNECTION = "donut.connection"
"""Where in the scope `proxy.server` puts the connection."""

CLIENT = "donut.client"
"""Where in a page's scope `proxy.app` puts the name of the client's key; None when no key is needed."""


Lines = bytes
"""Headers of a head as they go out: each a line with its end."""


def as_lines(headers: Headers) -> Lines:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def as_pairs(lines: Lines) -> Headers:
    """For whoever knows pairs only."""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines.split(b"\r\n")[:-1])]


class Connection(Protocol):
    """What donut's server protocol offers beyond ASGI. No task per request waits for a disconnect: the connection calls."""

    caller: Caller | None
    """Whose the last exchange on this connection was."""
    is_lost: bool
    """Has the client gone away?"""
    on_lost: Callable[[], None] | None
    """Called once when that happens, if it has not happened yet."""

    def expect_again(self, caller: Caller, headers: Headers, begin: Begin) -> None:
        """`caller` has now said the same for the second time, with `headers`: when the very same bytes come again, `begin` may be asked
        instead of the application."""
        ...

    def take_body(self) -> bytes | None:
        """The request's body, if all of it has arrived and nobody has begun to read it; None when it has to be read through ASGI."""
        ...

    def watch_stop(self, on_stopping: Callable[[], None] | None) -> None:
        """Call `on_stopping` when the server begins to stop; None stops watching. For answers without an end of their own: the drain
        would wait for them."""
        ...

    def reply(self, status: int, lines: Lines, body: bytes) -> bool:
        """Write a whole answer at once, if the client takes it without waiting; False when it has to go through ASGI.

        `lines` are complete but for content-length, and hold visible ASCII: the caller made them or a parser checked them. The request is
        no HEAD: its answer has no body.
        """
        ...

    def begin_stream(self, status: int, lines: Lines, piece: bytes) -> bool:
        """The same for the head and first piece of a chunked answer."""
        ...

    def write_piece(self, data: bytes) -> bool:
        """Write a piece of a chunked answer at once, if the client takes it without waiting; False when it has to go through ASGI."""
        ...

    def end_stream(self, data: bytes) -> bool:
        """The same for the last piece of a chunked answer, with its end."""
        ...

    def close_after_response(self) -> None:
        """Do not keep the connection alive past the answer under way."""
        ...

    def abort(self) -> None:
        """Break the answer off: the client sees a connection that ended in the middle, which is the truth."""
        ...


@laid_out
class Downstream:
    """Sends one answer. Counts its bytes; knows whether it has begun."""

    # How each begins: defaults of the class, which none has to set.
    has_started = False
    """Has anything of an upstream's answer gone out?"""
    is_open = False
    """Is the head of a stream out, sent before anybody has answered?"""
    status = 0
    bytes_out = 0

    task: asyncio.Task[Any]
    """In which the exchange runs."""

    def __init__(self, connection: Connection, send: Send) -> None:
        self._send = send
        self.connection = connection

    def open_stream(self, lines: Lines, piece: bytes) -> None:
        """The head of a stream whose content nobody has yet; who answers goes on behind it. Not sent to a client that takes nothing."""
        if self.connection.begin_stream(200, lines, piece):
            self.is_open = True
            self.status = 200
            self.bytes_out += len(piece)

    async def start(self, status: int, lines: Lines, piece: bytes = b"") -> None:
        """The head of an answer, with its first piece if there is one."""
        self.has_started = True
        if self.is_open:
            await self.write(piece)
            return
        self.status = status
        self.bytes_out += len(piece)
        if not self.connection.begin_stream(status, lines, piece):
            await self._send({"type": "http.response.start", "status": status, "headers": as_pairs(lines)})
            if piece:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    def try_write(self, data: bytes) -> bool:
        """Forward a piece if the client takes it at once; False when `write` has to do it."""
        # An empty chunk is the end of a chunked body: it must never go out as a piece.
        if data and not self.connection.write_piece(data):
            return False
        self.bytes_out += len(data)
        return True

    async def write(self, data: bytes) -> None:
        """Forward a piece. Waits while the client reads more slowly than donut writes: this wait is the back-pressure."""
        if not self.try_write(data):
            self.bytes_out += len(data)
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        self.bytes_out += len(data)
        if not self.connection.end_stream(data):
            await self._send({"type": "http.response.body", "body": data})

    def try_reply(self, status: int, lines: Lines, body: bytes) -> bool:
        """A whole answer at once, if the client takes it so; False, with nothing sent, when `reply` has to do it."""
        if self.is_open or not self.connection.reply(status, lines, body):
            return False
        self.has_started = True
        self.status = status
        self.bytes_out = len(body)
        return True

    async def reply(self, status: int, lines: Lines, body: bytes) -> None:
        """A whole answer at once."""
        if not self.try_reply(status, lines, body):
            await self.reply_in_turn(status, lines, body)

    async def reply_in_turn(self, status: int, lines: Lines, body: bytes) -> None:
        """A whole answer, however long the client takes for it."""
        self.has_started = True
        if self.is_open:
            await self.end(body)
            return
        self.status = status
        self.bytes_out += len(body)
        headers = [*as_pairs(lines), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


Exchanging = Coroutine[Any, Any, None]
Begin = Callable[[Caller, Downstream, bytes], Exchanging | None]
"""Makes the exchange of a request that `caller` sends again, with its body; None where it has to be let in anew."""
