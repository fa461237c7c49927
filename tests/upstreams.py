"""Far ends for tests, at byte level: upstreams that say exactly the given bytes, when and how they are told to.

`ScriptedUpstream` is a real server on loopback. Its handler gets each request as raw bytes and writes the answer as raw bytes; helpers
below split answers, pause in them and end connections with FIN or RST.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

Handler = Callable[["ReceivedRequest", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    head: bytes
    """Request line and headers as they came, empty line included."""
    body: bytes
    connection: int
    """1 for the first connection the server accepted, and so on."""

    def header(self, name: bytes) -> bytes | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip()
        return None


def answer(body: bytes = b"ok", *, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    """A content-length answer; `headers` are whole lines with their line ends."""
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, headers, len(body), body)


def chunked(*pieces: bytes, headers: bytes = b"", trailers: bytes = b"") -> bytes:
    """A chunked answer, one chunk per piece."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\n%btransfer-encoding: chunked\r\n\r\n%b0\r\n%b\r\n" % (headers, body, trailers)


def saying(*pieces: bytes | float, close: bool = False) -> Handler:
    """A handler that writes the bytes it was given, sleeps the seconds it was given, and then ends with FIN or keeps the connection."""

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        if close:
            writer.close()

    return handle


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST (SO_LINGER 0), not FIN."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def eventually(condition: Callable[[], bool], within_s: float = 1.0) -> None:
    """Wait until `condition()`; fail after `within_s`."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


class ScriptedUpstream:
    """`async with ScriptedUpstream(handler) as upstream:` serves on `upstream.port` of 127.0.0.1 until the block ends.

    `handler` may be replaced at any time. With `reads_body=False` it is called when the head is in, before the body is read. `greeting`
    is said to every connection before it has asked anything.
    """

    def __init__(
        self,
        handler: Handler | None = None,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        reads_body: bool = True,
        greeting: bytes = b"",
    ) -> None:
        self.handler = handler or saying(answer())
        self.requests: list[ReceivedRequest] = []
        self.connections_made = 0
        self.port = 0
        self._host = host
        self._tls = tls
        self._reads_body = reads_body
        self._greeting = greeting
        self._lines: set[_Line] = set()

    async def __aenter__(self) -> ScriptedUpstream:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Line(self), self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for _ in range(5):  # turns of the loop: a connection that is half accepted when the server closes would leak (CPython 3.11)
            await asyncio.sleep(0)
        self._server.close()
        while self._lines:
            for line in tuple(self._lines):
                line.end()
            await asyncio.sleep(0)
        await self._server.wait_closed()

    @property
    def connections_open(self) -> int:
        """Connections that neither side has closed."""
        return len(self._lines)

    def close_connections(self) -> None:
        """FIN on every open connection, as a server does with connections that are idle for too long."""
        for line in tuple(self._lines):
            line.writer.close()

    def reset_connections(self) -> None:
        for line in tuple(self._lines):
            reset(line.writer)

    def opened(self, line: _Line) -> int:
        self._lines.add(line)
        self.connections_made += 1
        return self.connections_made

    def closed(self, line: _Line) -> None:
        self._lines.discard(line)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        """One connection, request by request, until either side ends it."""
        writer.write(self._greeting)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(ReceivedRequest(head, b"", connection).header(b"content-length") or 0)
                body = await reader.readexactly(length) if self._reads_body else b""
                request = ReceivedRequest(head, body, connection)
                self.requests.append(request)
                await self.handler(request, writer)
                await writer.drain()


class _Line(asyncio.StreamReaderProtocol):
    """The far end's side of one connection. Unlike asyncio's stream server it knows at once when the other side is gone."""

    writer: asyncio.StreamWriter

    def __init__(self, upstream: ScriptedUpstream) -> None:
        loop = asyncio.get_running_loop()
        self._upstream = upstream
        self._reader = asyncio.StreamReader(limit=1 << 20, loop=loop)
        super().__init__(self._reader, loop=loop)
        self._serving: asyncio.Task[None] | None = None  # not `_task`: the base class has one of that name, and forgets it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self.writer = asyncio.StreamWriter(cast(asyncio.WriteTransport, transport), self, self._reader, loop)
        number = self._upstream.opened(self)
        self._serving = loop.create_task(self._upstream.serve(self._reader, self.writer, number))

    def eof_received(self) -> bool:
        super().eof_received()
        return False  # the whole connection ends, not one direction

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._upstream.closed(self)
        self.end()

    def end(self) -> None:
        self.writer.transport.abort()
        if self._serving is not None:
            self._serving.cancel()
