"""The far end on a socket: `async with FarEnd("chat") as far:` answers on `far.url`, and knows everything it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from scripts.harnesses.far_end import chat, gemini, messages, responses
from scripts.harnesses.far_end.faults import Failing, Fault
from scripts.harnesses.far_end.script import Asked, next_move
from scripts.harnesses.far_end.speech import Speech
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, reset

SPEECHES: Mapping[str, Speech] = {speech.name: speech for speech in (chat.SPEECH, responses.SPEECH, messages.SPEECH, gemini.SPEECH)}

EVENT_GAP_S = 0.002
"""Between two events, so that they travel one by one."""

_ENDPOINTS = (
    (re.compile(r"/chat/completions$"), "chat"),
    (re.compile(r"/responses$"), "responses"),
    (re.compile(r"/messages$"), "messages"),
    (re.compile(r"/models/[^/]+:(stream)?[gG]enerateContent$"), "gemini"),
    (re.compile(r"/messages/count_tokens$|:countTokens$"), "count"),
    (re.compile(r"/models$"), "models"),
)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: scripted\r\ntransfer-encoding: chunked\r\n\r\n"
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 529: "Overloaded"}


@dataclass(slots=True)
class Exchange:
    """One request of the dialect and what was said to it."""

    target: str
    head: bytes
    body: bytes
    status: int = 0
    said: bytes = b""
    """The answer's body, without its framing."""
    ended: str = "whole"
    """`whole`, or how it failed."""
    objections: list[str] = field(default_factory=list)

    @property
    def dialect(self) -> str:
        return endpoint_of(self.target)


def endpoint_of(target: str) -> str:
    """The dialect that lives at a path, `count`, `models`, or `stray`."""
    path = target.partition("?")[0].rstrip("/")
    return next((name for pattern, name in _ENDPOINTS if pattern.search(path)), "stray")


class FarEnd:
    """A vendor that speaks one dialect (or, with None, all: a harness without a donut in between)."""

    def __init__(self, dialect: str | None, fault: Fault | None = None) -> None:
        self._dialect = dialect
        self._fault = fault
        self._main_requests = 0
        self._server = ScriptedUpstream(self._handle)
        self.exchanges: list[Exchange] = []

    async def __aenter__(self) -> FarEnd:
        await self._server.__aenter__()
        self.url = f"http://127.0.0.1:{self._server.port}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._server.__aexit__(kind, error, trace)

    async def _handle(self, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        target = request.head.split(b" ", 2)[1].decode()
        exchange = Exchange(target, request.head, request.body)
        self.exchanges.append(exchange)
        speech = SPEECHES.get(exchange.dialect)
        if speech is None:
            self._aside(exchange, writer)
        elif self._dialect not in (None, speech.name):
            self._answer(exchange, writer, 404, SPEECHES[self._dialect or speech.name].refusal(404, f"no such endpoint: {target}"))
        else:
            await self._play(speech, exchange, writer)

    def _aside(self, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
        """What is asked besides answers: lists and counts; anything else does not exist."""
        if exchange.dialect == "models":
            self._answer(exchange, writer, 200, {"object": "list", "data": [{"id": "scripted", "object": "model", "owned_by": "far"}]})
        elif exchange.dialect == "count":
            tokens = max(1, len(exchange.body) // 4)
            self._answer(exchange, writer, 200, {"input_tokens": tokens, "totalTokens": tokens})
        else:
            self._answer(exchange, writer, 404, {"error": {"message": f"no such endpoint: {exchange.target}"}})

    async def _play(self, speech: Speech, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
        try:
            body = json.loads(exchange.body)
        except ValueError:
            return self._answer(exchange, writer, 400, speech.refusal(400, "the body is not JSON"))
        exchange.objections = list(speech.objections(body))
        if exchange.objections:
            return self._answer(exchange, writer, 400, speech.refusal(400, "; ".join(exchange.objections)))
        asked = speech.read(body, exchange.target)
        fault = self._due(asked)
        if fault is not None:
            exchange.ended = str(fault.failing)
        if fault is not None and fault.failing is Failing.STATUS:
            status = fault.status
            return self._answer(exchange, writer, status, speech.refusal(status, f"scripted {status}"), fault.retry_after_s)
        if fault is not None and fault.failing is Failing.OVERFLOW:
            return self._answer(exchange, writer, 400, speech.overflow())
        if not asked.is_streamed:
            return self._answer(exchange, writer, 200, speech.whole(asked, next_move(asked)))
        return await self._stream(speech, asked, exchange, writer, fault)

    def _due(self, asked: Asked) -> Fault | None:
        if self._fault is None or not asked.tools:
            return None
        self._main_requests += 1
        return self._fault if self._fault.is_due(self._main_requests - 1) else None

    def _answer(
        self, exchange: Exchange, writer: asyncio.StreamWriter, status: int, body: Mapping[str, Any], retry_after_s: int | None = None
    ) -> None:
        exchange.status, exchange.said = status, json.dumps(body).encode()
        headers = b"content-type: application/json\r\nx-request-id: scripted\r\n"
        if retry_after_s is not None:
            headers += b"retry-after: %d\r\n" % retry_after_s
        line = f"{status} {_REASONS.get(status, 'Error')}".encode()
        writer.write(answer(exchange.said, status=line, headers=headers))

    async def _stream(self, speech: Speech, asked: Asked, exchange: Exchange, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
        frames = list(speech.frames(asked, next_move(asked)))
        exchange.status = 200
        with contextlib.suppress(OSError):
            writer.write(_STREAM_HEAD)
            for frame in _until(frames, fault):
                await self._send(exchange, writer, frame)
            if fault is not None and fault.failing is Failing.CUT:
                await asyncio.sleep(0.1)  # what was written must arrive before the reset throws it away
                return reset(writer)
            if fault is not None and fault.failing is Failing.BROKEN:
                await self._send(exchange, writer, speech.broken())
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return None

    async def _send(self, exchange: Exchange, writer: asyncio.StreamWriter, frame: bytes) -> None:
        exchange.said += frame
        writer.write(b"%x\r\n%b\r\n" % (len(frame), frame))
        await writer.drain()
        await asyncio.sleep(EVENT_GAP_S)


def _until(frames: list[bytes], fault: Fault | None) -> Iterator[bytes]:
    """All frames, or those before the fault."""
    if fault is None:
        return iter(frames)
    return iter(frames[: len(frames) * 2 // 3 if fault.is_late else 1])
