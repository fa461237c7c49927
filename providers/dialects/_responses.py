"""Responses answers on their way through: the scanner of streams, whole answers, errors."""

from __future__ import annotations

import re
from typing import Any

import orjson

from providers.codecs.responses.failures import error_member, failure_in
from providers.codecs.responses.usage import read_usage
from providers.dialects import AnswerFacts, ErrorReply
from providers.dialects._scanning import EventScanner
from providers.dialects._tail import usage_in_tail
from routing.calibration import tokens_from_bytes
from routing.facts import Failure, FailureKind

_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d{1,15})')
"""Stands in no text: inside JSON strings quotes are escaped."""
_ENDS = frozenset({"response.completed", "response.incomplete"})
_GROWS = frozenset({"message", "reasoning"})
"""Items that begin empty; every other kind is something to act on from its start."""
_LIMITS = "codex.rate_limits"
"""A plan's windows, told in front of the answer. Behind the first content it is not looked for: one more search in every piece of every
stream would buy what the headers of the next answer say as well."""
NOBODY = "resp_donut"
"""The id of an answer of which nothing is known but that it failed."""


class ResponsesScanner(EventScanner):
    """A piece of plain content costs two searches: the terminal events are the only ones with a member `response` behind the
    first content, and `"response"` with its quotes stands in a text only where it is all of it.

    OpenAI sends `response.failed` behind an `error` event, and Codex looks at the second only: so the first alone ends nothing.
    """

    __slots__ = ("_error", "_id", "_seen")
    marks = (b'"response"', b'"error"')
    content_mark = b'"delta":'

    def __init__(self) -> None:
        super().__init__()
        self._id = NOBODY
        self._seen = b""
        """The newest bytes: their last number is the stream's."""
        self._error: Failure | None = None

    def passes(self, data: bytes) -> bool:
        if super().passes(data):
            self._seen = data
            return True
        return False

    def feed(self, data: bytes) -> bytes:
        out = super().feed(data)
        self._seen = out or self._seen
        return out

    def read(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if not isinstance(kind, str):
            if event.get("error"):
                self._fail(event["error"])
        elif kind.endswith(".delta"):
            self.has_content = True
            self.content_events += 1
        elif kind.startswith("response.output_item."):
            self.has_content = self.has_content or kind.endswith("done") or _says_something(event.get("item"))
        elif kind == _LIMITS:
            self.aside = event
        elif kind == "error":
            self._error = failure_in(event.get("error") or event)
        else:
            self._read_response(kind, event.get("response"))

    def _read_response(self, kind: str, response: object) -> None:
        if not isinstance(response, dict):
            return
        if isinstance(id_ := response.get("id"), str):
            self._id = id_
        if kind == "response.failed" or response.get("status") == "failed":
            self._fail(response.get("error"))
        elif kind in _ENDS:
            self.usage = read_usage(response.get("usage")) or self.usage
            self.has_content = self.is_finished = True

    def _fail(self, error: object) -> None:
        self.failure = failure_in(error) if error or self._error is None else self._error
        self.is_finished = False

    def finish(self) -> bytes:
        rest = super().finish()
        if self.failure is not None or self.is_finished or self._error is None:
            return rest
        self.failure = self._error
        member = error_member(self.failure.kind, self.failure.message, self.failure.policy.error_code)
        self._seen = rest or self._seen
        return rest + (b"\n\n" if rest else b"") + _failed(self._id, self._next_number(), member)

    def end_with(self, reply: ErrorReply) -> bytes:
        return _error_events(reply, self._id, self._next_number())

    def _next_number(self) -> int:
        """One more than the last event's; 0 where the upstream counts none, or has said nothing yet."""
        numbers = _NUMBER.findall(self._seen)
        return int(numbers[-1]) + 1 if numbers else 0


def _says_something(item: object) -> bool:
    kind = item.get("type") if isinstance(item, dict) else None
    return isinstance(kind, str) and kind not in _GROWS


def error_events(reply: ErrorReply) -> bytes:
    """For a stream of which nothing is known."""
    return _error_events(reply, NOBODY, 0)


def _error_events(reply: ErrorReply, id_: str, number: int) -> bytes:
    """An `error` event, and `response.failed`: Codex looks at the second only, others at the first (reference/clients.md)."""
    error = error_member(reply.failure.kind, reply.message, reply.code)
    first = {"type": "error", "sequence_number": number, "code": error["code"], "message": reply.message, "param": reply.param}
    return b"event: error\ndata: %b\n\n%b" % (orjson.dumps(first), _failed(id_, number + 1, error))


def _failed(id_: str, number: int, error: dict[str, Any]) -> bytes:
    response = {
        "id": id_, "object": "response", "created_at": 0, "status": "failed", "error": error, "incomplete_details": None, "model": "",
        "output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": None,
    }  # fmt: skip
    data = {"type": "response.failed", "sequence_number": number, "response": response}
    return b"event: response.failed\ndata: %b\n\n" % orjson.dumps(data)


END_EVENTS = b""


def read_answer(body: bytes) -> AnswerFacts:
    """Facts of a whole answer."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        return AnswerFacts(failure=Failure(FailureKind.PROTOCOL, "the upstream's answer is not a JSON object"))
    if data.get("error") or data.get("status") == "failed":
        return AnswerFacts(failure=failure_in(data.get("error")))
    # The text is measured even when usage is there: that is what calibrates the estimates of the answers without.
    output = data.get("output")
    size = sum(map(_size, output)) if isinstance(output, list) else 0
    return AnswerFacts(read_usage(data.get("usage")), tokens_from_bytes(size) if size else 0)


def read_large_answer(tail: bytes, size: int) -> AnswerFacts:
    """Facts of an answer of which only the end was kept: usage stands near enough to it."""
    return AnswerFacts(usage_in_tail(tail, read_usage), tokens_from_bytes(size))


def _size(item: object) -> int:
    """Characters that a model wrote into an item."""
    if not isinstance(item, dict):
        return 0
    size = sum(len(value) for key in ("arguments", "input") if isinstance(value := item.get(key), str))
    for key in ("content", "summary"):
        parts = item.get(key)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                size += sum(len(value) for name in ("text", "refusal") if isinstance(value := part.get(name), str))
    return size
