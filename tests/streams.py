"""Both ends of a streamed exchange, byte for byte: recorded streams, upstreams that play them in any framing, and a client that sees
frames and not just bodies.

The recordings under `recordings/streams` have the shape of what OpenAI, DeepSeek, OpenRouter and llama-cpp-python send, in our words.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from tests.upstreams import Handler, ReceivedRequest, reset

RECORDINGS = Path(__file__).parent / "recordings"
STREAMS = tuple(sorted(path.stem for path in (RECORDINGS / "streams").glob("*.sse")))
DONE = b"data: [DONE]\n\n"
CHAT = "/v1/chat/completions"


def recording(name: str) -> bytes:
    """A recorded stream, whole."""
    return (RECORDINGS / "streams" / f"{name}.sse").read_bytes()


def events(stream: bytes) -> list[bytes]:
    """The stream's events, blank lines included; joined they are the stream again. For LF and CRLF."""
    return re.findall(rb".+?(?:\r\n\r\n|\n\n)|.+\Z", stream, re.DOTALL)


def payloads(stream: bytes) -> list[Any]:
    """What the events say: parsed JSON, or the text where it is none (`[DONE]`). Comments say nothing."""
    said = []
    for event in events(stream):
        data = [line.removeprefix(b"data:").strip() for line in event.splitlines() if line.startswith(b"data:")]
        if data:
            said.append("[DONE]" if data == [b"[DONE]"] else orjson.loads(b"\n".join(data)))
    return said


def event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def chunk(finish_reason: str | None = None, /, **delta: Any) -> bytes:
    """A chat chunk with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up-model", "choices": [choice]})


ROLE = chunk(role="assistant", content="")
HELLO = chunk(content="Hello")
STOP = chunk("stop")
CLEAN = b"".join([ROLE, chunk(content="Clean"), STOP, DONE])
"""A whole answer."""


def ask(model: str = "test-model", *, usage: bool = True, **more: Any) -> dict[str, Any]:
    """A streamed chat request; `usage` asks for the usage chunk, and the upstream's bytes are then nobody's business but the client's."""
    options = {"stream_options": {"include_usage": True}} if usage else {}
    return {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}], **options, **more}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def assert_one_error_and_done(tail: bytes) -> dict[str, Any]:
    """`tail` is one error frame and [DONE]; returns the error."""
    said = payloads(tail)
    assert len(said) == 2, tail
    assert said[1] == "[DONE]"
    assert set(said[0]) == {"error"}
    assert set(said[0]["error"]) == {"message", "type", "param", "code"}
    return dict(said[0]["error"])


async def settle(turns: int = 3) -> None:
    """Let everything that is on its way over loopback arrive: a write there is readable at once, and each turn of the loop reads."""
    for _ in range(turns):
        await asyncio.sleep(0)


# The upstream's side


class Framing(enum.Enum):
    CHUNKED = "chunked"
    LENGTH = "content-length"
    CLOSE = "close-delimited"

    def head(self, length: int, content_type: bytes = b"text/event-stream") -> bytes:
        framing = {
            Framing.CHUNKED: b"transfer-encoding: chunked\r\n",
            Framing.LENGTH: b"content-length: %d\r\n" % length,
            Framing.CLOSE: b"connection: close\r\n",
        }
        return b"HTTP/1.1 200 OK\r\ncontent-type: " + content_type + b"\r\n" + framing[self] + b"\r\n"

    def piece(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self is Framing.CHUNKED else data

    @property
    def ending(self) -> bytes:
        return b"0\r\n\r\n" if self is Framing.CHUNKED else b""


class End(enum.Enum):
    """How an upstream's connection ends in the middle of an answer."""

    FIN = "fin"
    RST = "rst"

    def of(self, writer: asyncio.StreamWriter) -> None:
        if self is End.RST:
            reset(writer)
        else:
            writer.close()


async def play(
    writer: asyncio.StreamWriter, pieces: Iterable[bytes], framing: Framing = Framing.CHUNKED, length: int | None = None
) -> None:
    """Send one answer, each piece in a segment of its own. `length` is the declared one where it differs from the truth."""
    pieces = list(pieces)
    writer.write(framing.head(sum(map(len, pieces)) if length is None else length))
    for piece in pieces:
        await settle()
        writer.write(framing.piece(piece))
    await settle()
    if framing is Framing.CLOSE:
        writer.close()
    else:
        writer.write(framing.ending)


def playing(*pieces: bytes, framing: Framing = Framing.CHUNKED) -> Handler:
    """A handler that answers every request with `pieces`, whole."""

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await play(writer, pieces, framing)

    return handle


def cutting(*pieces: bytes, end: End = End.FIN, framing: Framing = Framing.CHUNKED, length: int = 1 << 20) -> Handler:
    """A handler that sends `pieces` and then breaks off."""

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(framing.head(length))
        for piece in pieces:
            await settle()
            writer.write(framing.piece(piece))
        await settle()
        end.of(writer)

    return handle


# The client's side


@dataclass(slots=True)
class RawAnswer:
    status: int
    headers: dict[str, str]
    frames: list[bytes] = field(default_factory=list)
    """One per chunk; a content-length body is one frame."""
    is_complete: bool = False
    """Did the body end as its framing promised?"""

    @property
    def body(self) -> bytes:
        return b"".join(self.frames)

    def json(self) -> Any:
        return orjson.loads(self.body)


class RawClient:
    """One keep-alive connection. `ask` is one exchange; `send` and `read_head`/`read_frame` are its parts."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> RawClient:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self, end: End = End.FIN) -> None:
        end.of(self.writer)

    @staticmethod
    def request(body: bytes, path: str = CHAT, headers: Mapping[str, str] | None = None) -> bytes:
        lines = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return head.encode() + b"\r\n" + body

    def send(self, body: Any, path: str = CHAT, headers: Mapping[str, str] | None = None) -> None:
        self.writer.write(self.request(body if isinstance(body, bytes) else orjson.dumps(body), path, headers))

    async def ask(self, body: Any, path: str = CHAT, headers: Mapping[str, str] | None = None) -> RawAnswer:
        self.send(body, path, headers)
        answer = await self.read_head()
        await self.read_body(answer)
        return answer

    async def read_head(self) -> RawAnswer:
        status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        return RawAnswer(int(status.split()[1]), {name.lower(): value.strip() for name, _, value in pairs})

    async def read_body(self, answer: RawAnswer) -> None:
        """All of it. A connection that ends first leaves `is_complete` False."""
        try:
            if "content-length" in answer.headers:
                answer.frames.append(await self.reader.readexactly(int(answer.headers["content-length"])))
            else:
                while (frame := await self.read_frame()) != b"":
                    answer.frames.append(frame)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        answer.is_complete = True

    async def read_frame(self) -> bytes:
        """One chunk; `b""` is the end of the body."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def is_closed(self) -> bool:
        """Has donut closed the connection? Waits for it, or for more bytes."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True
