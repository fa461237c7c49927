"""Google's answers on their way through: the scanner of streams, whole answers, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from providers import sse
from providers.codecs.gemini.failures import error_object, failure_inside
from providers.codecs.gemini.framing import Framer
from providers.codecs.gemini.usage import read_usage
from providers.dialects import AnswerFacts, ErrorReply
from providers.dialects._scanning import EventScanner
from providers.dialects._tail import usage_in_tail, usage_pattern
from routing.calibration import tokens_from_bytes
from routing.facts import Failure, FailureKind

_USAGE_TAIL = usage_pattern(b"usageMetadata")


class GeminiScanner(EventScanner):
    """A piece of plain content costs two searches. Usage stands in every chunk; the last one's counts, and that is parsed."""

    __slots__ = ("_answers", "_ended")
    marks = (b'"finishReason"', b'"error"', b'"blockReason"')
    content_mark = b'"candidates"'

    def __init__(self, answers: int = 1) -> None:
        super().__init__()
        self._answers = answers
        self._ended: set[object] = set()

    def read(self, event: dict[str, Any]) -> None:
        self.usage = read_usage(event.get("usageMetadata"), self.usage)
        if event.get("error"):
            self.failure = failure_inside(event)
            self.is_finished = False  # even behind a finish reason: the client has to be told
            return
        candidates = event.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if isinstance(candidate, Mapping):
                self._read_candidate(candidate)
        feedback = event.get("promptFeedback")
        if isinstance(feedback, Mapping) and feedback.get("blockReason"):
            self.has_content = self.is_finished = True

    def end_with(self, reply: ErrorReply) -> bytes:
        return error_events(reply)

    def _read_candidate(self, candidate: Mapping[str, Any]) -> None:
        if _size(candidate):
            self.has_content = True
            self.content_events += 1
        if candidate.get("finishReason"):
            self.has_content = True
            self._ended.add(candidate.get("index") or 0)
            self.is_finished = self.is_finished or len(self._ended) >= self._answers


class ArrayScanner(GeminiScanner):
    """For a client that did not ask for `alt=sse`: the same chunks as one JSON array."""

    __slots__ = ("_framer",)

    def __init__(self, answers: int = 1) -> None:
        super().__init__(answers)
        self._framer = Framer(is_array=True)

    def passes(self, data: bytes) -> bool:
        del data
        return False

    def feed(self, data: bytes) -> bytes:
        out = self._framed(super().feed(data))
        return out if self.failure is None else out + self._framer.end()

    def finish(self) -> bytes:
        rest = self._framed(super().finish())
        return rest + self._framer.end() if self.is_finished or self.failure is not None else rest

    def end_with(self, reply: ErrorReply) -> bytes:
        return self._framer.chunk(error_body(reply)) + self._framer.end()

    def _framed(self, data: bytes) -> bytes:
        payloads = (sse.payload(event) for event in sse.events(data))
        return b"".join(self._framer.chunk(payload) for payload in payloads if payload is not None)


def read_answer(body: bytes) -> AnswerFacts:
    """Facts of a whole answer."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        data = None
    if isinstance(data, list) and data and isinstance(data[-1], dict):
        data = data[-1]  # a stream that came as an array: its last chunk has the usage, or is the error
    if not isinstance(data, dict):
        return AnswerFacts(failure=Failure(FailureKind.PROTOCOL, "the upstream's answer is not a JSON object"))
    if data.get("error"):
        return AnswerFacts(failure=failure_inside(data))
    # The text is measured even when usage is there: that is what calibrates the estimates of the answers without.
    candidates = data.get("candidates")
    size = sum(map(_size, candidates)) if isinstance(candidates, list) else 0
    return AnswerFacts(read_usage(data.get("usageMetadata")), tokens_from_bytes(size) if size else 0)


def read_large_answer(tail: bytes, size: int) -> AnswerFacts:
    """Facts of an answer of which only the end was kept: usage stands behind the candidates."""
    return AnswerFacts(usage_in_tail(tail, read_usage, _USAGE_TAIL), tokens_from_bytes(size))


def _size(candidate: object) -> int:
    """Bytes of what a candidate says, near enough: text, and any part that is something else."""
    content = candidate.get("content") if isinstance(candidate, Mapping) else None
    parts = content.get("parts") if isinstance(content, Mapping) else None
    size = 0
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping):
            text = part.get("text")
            size += len(text) if isinstance(text, str) else len(str(part.get("functionCall") or part))
    return size


def error_body(reply: ErrorReply) -> bytes:
    return orjson.dumps(error_object(reply.status, reply.code, reply.message, reply.retry_after_s))


def error_events(reply: ErrorReply) -> bytes:
    """One error chunk, which Google's SDKs raise. Nothing follows it: a finish reason would pass a broken answer off as a whole one."""
    return b"data: " + error_body(reply) + b"\n\n"


END_EVENTS = b""
