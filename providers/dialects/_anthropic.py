"""Anthropic's answers on their way through: the scanner of streams, whole answers, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from providers.codecs.messages.failures import error_object, failure_inside
from providers.codecs.messages.usage import read_usage
from providers.dialects import AnswerFacts, ErrorReply
from providers.dialects._scanning import EventScanner
from providers.dialects._tail import usage_in_tail
from routing.calibration import tokens_from_bytes
from routing.facts import Failure, FailureKind

_GROWS = frozenset({"text", "thinking"})
"""Blocks that begin empty; every other kind is something to act on from its start."""


class MessagesScanner(EventScanner):
    """A piece of plain content costs two searches."""

    __slots__ = ()
    marks = (b'"message_delta"', b'"message_stop"', b'"error"')
    content_mark = b'"content_block_delta"'

    def read(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "content_block_delta":
                self.has_content = True
                self.content_events += 1
            case "message_start":
                message = event.get("message")
                self.usage = read_usage(message.get("usage"), self.usage) if isinstance(message, dict) else self.usage
            case "content_block_start":
                self.has_content = self.has_content or _says_something(event.get("content_block"))
            case "message_delta":
                self.usage = read_usage(event.get("usage"), self.usage)
                delta = event.get("delta")
                if isinstance(delta, dict) and delta.get("stop_reason"):
                    # Claude Code takes this for the end as well as `message_stop` (reference/clients.md).
                    self.has_content = self.is_finished = True
            case "message_stop":
                self.has_content = self.is_finished = True
            case kind if kind == "error" or (kind is None and event.get("error")):
                self.failure = failure_inside(event)
                self.is_finished = False  # even behind a stop reason: the client has to be told

    def end_with(self, reply: ErrorReply) -> bytes:
        return error_events(reply)


def _says_something(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    kind = block.get("type")
    return not isinstance(kind, str) or kind not in _GROWS or bool(block.get("text") or block.get("thinking"))


def read_answer(body: bytes) -> AnswerFacts:
    """Facts of a whole answer."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        return AnswerFacts(failure=Failure(FailureKind.PROTOCOL, "the upstream's answer is not a JSON object"))
    if data.get("type") == "error" or data.get("error"):
        return AnswerFacts(failure=failure_inside(data))
    # The text is measured even when usage is there: that is what calibrates the estimates of the answers without.
    size = sum(map(_size, content)) if isinstance(content := data.get("content"), list) else 0
    return AnswerFacts(read_usage(data.get("usage")), tokens_from_bytes(size) if size else 0)


def read_large_answer(tail: bytes, size: int) -> AnswerFacts:
    """Facts of an answer of which only the end was kept: usage is its last member, or near enough."""
    return AnswerFacts(usage_in_tail(tail, read_usage), tokens_from_bytes(size))


def _size(block: object) -> int:
    if not isinstance(block, Mapping):
        return 0
    return sum(len(str(block[key])) for key in ("text", "thinking", "input") if block.get(key))


def error_body(reply: ErrorReply) -> bytes:
    return orjson.dumps(error_object(reply.status, reply.code, reply.message))


def error_events(reply: ErrorReply) -> bytes:
    """One error event. Nothing follows it: clients stop there, and a `message_stop` would pass a broken answer off as a whole one.

    What may go well the next time is an `overloaded_error`, the one that Anthropic sends in the middle of a stream: OpenCode 1.18.33 tries
    again after it and gives up after an `api_error` (`scripts/clients --faults`); Claude Code tries again after either.
    """
    status = OVERLOADED if reply.status in _TRANSIENT else reply.status
    return b"event: error\ndata: " + orjson.dumps(error_object(status, reply.code, reply.message)) + b"\n\n"


OVERLOADED = 529
_TRANSIENT = (502, 503, 504)


END_EVENTS = b""
