"""A wire tap between a harness and donut: passes bytes on as they come, and keeps them. It is how a defect is seen from both sides."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httptools

_ERROR = re.compile(rb"HTTP/1\.1 ([45]\d\d)[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{0,400})")


@dataclass(slots=True)
class Line:
    """One connection of the harness."""

    asked: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)


class _Bodies:
    """Collects the bodies of the messages of one direction, without their framing."""

    def __init__(self) -> None:
        self.whole: list[bytes] = []
        self.unfinished = b""

    def on_body(self, piece: bytes) -> None:
        self.unfinished += piece

    def on_message_complete(self) -> None:
        self.whole.append(self.unfinished)
        self.unfinished = b""


class Tap:
    """`async with Tap(port_of_donut) as tap:` listens on `tap.port`."""

    def __init__(self, port: int) -> None:
        self._far_port = port
        self._ends: list[asyncio.StreamWriter] = []
        self._open = 0
        self.lines: list[Line] = []

    async def __aenter__(self) -> Tap:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        while self._open:
            for end in self._ends:
                end.transport.abort()
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line()
        self.lines.append(line)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far_port)
        self._ends += [writer, far_writer]
        self._open += 1
        try:
            asking = asyncio.ensure_future(_pass_on(reader, far_writer, line.asked))
            await _pass_on(far_reader, writer, line.said)
            writer.close()
            far_writer.close()
            await asking
        finally:
            self._open -= 1

    def asked_bodies(self) -> list[bytes]:
        return [body for line in self.lines for body in _bodies(bytes(line.asked), is_request=True)]

    def said_bodies(self) -> list[bytes]:
        return [body for line in self.lines for body in _bodies(bytes(line.said), is_request=False)]

    def errors(self) -> list[str]:
        """Status and beginning of every error answer, each once."""
        found = [answer for line in self.lines for answer in _ERROR.findall(line.said)]
        return list(dict.fromkeys(f"{status.decode()} {body.partition(b'HTTP/1.1')[0].decode(errors='replace')}" for status, body in found))

    def save(self, folder: Path) -> None:
        folder.mkdir()
        for number, line in enumerate(self.lines, 1):
            (folder / f"{number:02}-asked.http").write_bytes(line.asked)
            (folder / f"{number:02}-said.http").write_bytes(line.said)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            kept += data
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _bodies(data: bytes, *, is_request: bool) -> list[bytes]:
    """The messages in one direction of a connection; what is no HTTP ends the list.

    The last one may be without its end: the OpenAI SDK hangs up when it has read `[DONE]`.
    """
    bodies = _Bodies()
    parser = httptools.HttpRequestParser(bodies) if is_request else httptools.HttpResponseParser(bodies)
    with contextlib.suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):
        parser.feed_data(data)
    return [*bodies.whole, bodies.unfinished]
