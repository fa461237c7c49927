"""Far ends for tests of the second transport: a small HTTP/2 server and a small forward proxy, both on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

import h2.config
import h2.connection
import h2.events

H2Handler = Callable[["H2Line", int, list[tuple[bytes, bytes]], bytes], None]
"""(line, stream id, request headers, request body): answers through `line.h2` and `line.flush()`."""


def h2_answer(line: H2Line, stream: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """200, two data frames, end."""
    line.h2.send_headers(stream, [(b":status", b"200"), (b"X-Upper".lower(), b"Value"), (b"set-cookie", b"a=b")])
    line.h2.send_data(stream, b"hello ")
    line.h2.send_data(stream, b"h2", end_stream=True)
    line.flush()


class H2Upstream:
    """`async with H2Upstream(handler, tls) as upstream:` serves on `upstream.port`; without `tls` it wants prior knowledge."""

    def __init__(self, handler: H2Handler = h2_answer, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.requests: list[tuple[list[tuple[bytes, bytes]], bytes]] = []
        self.resets: list[int] = []
        self.lines: set[H2Line] = set()
        self.connections_made = 0
        self._tls = tls

    async def __aenter__(self) -> H2Upstream:
        if self._tls is not None:
            self._tls.set_alpn_protocols(["h2"])
        self._server = await asyncio.get_running_loop().create_server(lambda: H2Line(self), "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        while self.lines:
            for line in tuple(self.lines):
                line.transport.abort()
            await asyncio.sleep(0)


class H2Line(asyncio.Protocol):
    """One connection of `H2Upstream`."""

    def __init__(self, upstream: H2Upstream) -> None:
        self._upstream = upstream
        self._streams: dict[int, tuple[list[tuple[bytes, bytes]], bytearray]] = {}
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._upstream.lines.add(self)
        self._upstream.connections_made += 1
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.lines.discard(self)

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self._streams[event.stream_id] = ([(bytes(name), bytes(value)) for name, value in event.headers], bytearray())
            elif isinstance(event, h2.events.DataReceived):
                self._streams[event.stream_id][1].extend(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self._upstream.resets.append(event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                headers, body = self._streams.pop(event.stream_id)
                self._upstream.requests.append((headers, bytes(body)))
                self._upstream.handler(self, event.stream_id, headers, bytes(body))
        self.flush()


class ForwardProxy:
    """CONNECT tunnels and absolute-form requests; `lines` are the request lines it saw. Every name leads to 127.0.0.1."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.heads: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ForwardProxy:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        self.lines.append(line)
        self.heads.append(head)
        method, target, version = line.split(b" ")
        if method == b"CONNECT":
            port = int(target.rpartition(b":")[2])
            first = b""
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            netloc, _, path = target.removeprefix(b"http://").partition(b"/")
            port = int(netloc.rpartition(b":")[2])
            first = b"%b /%b %b\r\n%b" % (method, path, version, rest)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            up_writer.write(first)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, up_writer))
                group.create_task(_pump(up_reader, writer))
        finally:
            up_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof() if writer.can_write_eof() else writer.close()
