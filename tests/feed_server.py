"""A far end for feeds: answers by path from a table that a test may change, on a real socket, and misbehaves at byte level when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

import orjson


@dataclass
class Reply:
    """`raw`, if given, is sent instead of a well-formed answer, and the connection closed."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang: bool = False


Answerer = Callable[["Request"], Reply]


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]


class FeedServer:
    """`async with FeedServer() as far: far.say("/api/x", {...})`. `far.requests` is what was asked."""

    def __init__(self) -> None:
        self.table: dict[str, Reply | Answerer] = {}
        self.requests: list[Request] = []

    def say(self, path: str, value: object, **headers: str) -> None:
        """JSON for anything but bytes."""
        body = value if isinstance(value, bytes) else orjson.dumps(value)
        self.table[path] = Reply(body, headers={name.replace("_", "-"): text for name, text in headers.items()})

    def do(self, path: str, reply: Reply | Answerer) -> None:
        self.table[path] = reply

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FeedServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        request = Request(path, headers)
        self.requests.append(request)
        reply = self.table.get(path, Reply(b'{"error":"nothing here"}', 404))
        reply = reply if isinstance(reply, Reply) else reply(request)
        if reply.hang:
            await asyncio.sleep(60)
        if reply.raw is not None:
            writer.write(reply.raw)
        else:
            lines = [f"HTTP/1.1 {reply.status} X", f"content-length: {len(reply.body)}", "connection: close"]
            lines += [f"{name}: {value}" for name, value in reply.headers.items()]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if reply.status == 304 else reply.body))
        await writer.drain()
