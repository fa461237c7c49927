"""Anthropic's answer events, already parsed → ours. The state machine behind both the stream decoder and the whole answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers.codecs.events import (
    Annotated,
    BlockEnded,
    BlockKind,
    BlockStarted,
    Delta,
    Event,
    Failed,
    Finished,
    FinishReason,
    Sealed,
    Started,
    UsageSeen,
)
from providers.codecs.messages.failures import failure_inside
from providers.codecs.messages.seals import ANTHROPIC
from providers.codecs.messages.usage import read_usage
from routing.types import Usage

REASONS: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "pause_turn": FinishReason.PAUSE,
    "refusal": FinishReason.REFUSAL,
    "model_context_window_exceeded": FinishReason.CONTEXT_FULL,
}

Data = Mapping[str, Any]


class _Open:
    """A content block that has begun and not ended."""

    __slots__ = ("arguments", "block", "has_text", "raw", "seal")

    def __init__(self, block: int, raw: Data, *, is_opaque: bool) -> None:
        self.block = block
        self.raw: Data | None = raw if is_opaque else None
        """Of a block that only Anthropic understands: whole, handed on when it ends."""
        self.arguments: Any = raw.get("input") or None
        """What the block began with: some servers send all of it at once, and nothing after it."""
        self.has_text = False
        self.seal = ""


class AnswerReader:
    """Feeds on parsed events, in order; `read` returns what each of them says. Unknown events say nothing."""

    def __init__(self) -> None:
        self._open: dict[object, _Open] = {}
        self._blocks = 0
        self._usage: Usage | None = None
        self._finished: Finished | None = None
        self._is_over = False

    def read(self, data: Data) -> list[Event]:
        if self._is_over:
            return []
        # Some servers behind this format send an OpenAI-style error object and no type.
        kind = data.get("type") or ("error" if "error" in data else None)
        read = _EVENTS.get(kind) if isinstance(kind, str) else None
        return read(self, data) if read is not None else []

    def fail(self, failed: Failed) -> list[Event]:
        """The end, in the middle of it. Says nothing where the end has been."""
        is_news, self._is_over = not self._is_over, True
        return [failed] if is_news else []

    def finish(self) -> list[Event]:
        """The end, if the upstream said why it ended."""
        if self._finished is None or self._is_over:
            return []
        self._is_over = True
        return [*(event for index in list(self._open) for event in self._end(index)), self._finished]

    def whole(self, answer: Data) -> list[Event]:
        """A whole answer, as the events that a stream of it would have been."""
        events = self._start(answer)
        content = answer.get("content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            events += self._begin(index, block)
            events += self._end(index)
        events += self._message_delta({"delta": answer, "usage": answer.get("usage")})
        return events + self.finish()

    def _error(self, data: Data) -> list[Event]:
        return self.fail(Failed(failure_inside(data), _code(data)))

    def _start(self, message: object) -> list[Event]:
        if not isinstance(message, Mapping):
            return []
        self._usage = read_usage(message.get("usage"))
        return [Started(_text(message.get("id")), _text(message.get("model")), self._usage)]

    def _begin(self, index: object, block: object) -> list[Event]:
        if not isinstance(block, Mapping):
            return []
        kind = block.get("type")
        start = _STARTS.get(_text(kind))
        opened = self._open[index] = _Open(self._blocks, block, is_opaque=start is None)
        self._blocks += 1
        if start is None:
            return []
        number = opened.block
        if start is BlockKind.TOOL_CALL:
            return [BlockStarted(number, start, _text(block.get("id")) or None, _text(block.get("name")))]
        if kind == "redacted_thinking":
            opened.seal = _text(block.get("data"))
            return [BlockStarted(number, start, vendor=ANTHROPIC, raw=block)]
        is_text = start is BlockKind.TEXT
        events: list[Event] = [BlockStarted(number, start, vendor="" if is_text else ANTHROPIC)]
        text = _text(block.get("text" if is_text else "thinking"))
        if text:
            events.append(Delta(number, text))
        opened.seal = _text(block.get("signature"))
        citations = block.get("citations")
        if isinstance(citations, list) and citations:
            events.append(Annotated(number, ANTHROPIC, tuple(citations)))
        return events

    def _delta(self, data: Data) -> list[Event]:
        opened, delta = self._open.get(data.get("index")), data.get("delta")
        if opened is None or not isinstance(delta, Mapping):
            return []
        kind = delta.get("type")
        if kind == "signature_delta":
            opened.seal += _text(delta.get("signature"))
            return []
        if kind == "citations_delta":
            citation = delta.get("citation")
            return [Annotated(opened.block, ANTHROPIC, (citation,))] if isinstance(citation, Mapping) else []
        text = _text(delta.get(_DELTAS.get(_text(kind), "")))
        if not text:
            return []
        if opened.raw is not None:
            opened.arguments = (opened.arguments if opened.has_text else "") + text
            opened.has_text = True
            return []
        opened.has_text = True
        return [Delta(opened.block, text)]

    def _end(self, index: object) -> list[Event]:
        opened = self._open.pop(index, None)
        if opened is None:
            return []
        number, events = opened.block, list[Event]()
        if opened.raw is not None:
            return [BlockStarted(number, BlockKind.OPAQUE, vendor=ANTHROPIC, raw=_completed(opened)), BlockEnded(number)]
        if opened.arguments is not None and not opened.has_text:
            events.append(Delta(number, orjson.dumps(opened.arguments).decode()))
        if opened.seal:
            events.append(Sealed(number, ANTHROPIC, opened.seal))
        events.append(BlockEnded(number))
        return events

    def _message_delta(self, data: Data) -> list[Event]:
        delta, usage = data.get("delta"), data.get("usage")
        self._usage = read_usage(usage, self._usage)
        if isinstance(delta, Mapping) and (reason := _text(delta.get("stop_reason"))):
            sequence = _text(delta.get("stop_sequence")) or None
            self._finished = Finished(REASONS.get(reason, FinishReason.STOP), sequence)
        tier = usage.get("service_tier") if isinstance(usage, Mapping) else None
        return [UsageSeen(self._usage, _text(tier) or None)] if self._usage is not None else []


_EVENTS: Mapping[str, Callable[[AnswerReader, Data], list[Event]]] = {
    "content_block_delta": AnswerReader._delta,
    "message_start": lambda reader, data: reader._start(data.get("message")),
    "content_block_start": lambda reader, data: reader._begin(data.get("index"), data.get("content_block")),
    "content_block_stop": lambda reader, data: reader._end(data.get("index")),
    "message_delta": AnswerReader._message_delta,
    "message_stop": lambda reader, _: reader.finish(),
    "error": AnswerReader._error,
}
_STARTS: Mapping[str, BlockKind] = {
    "text": BlockKind.TEXT,
    "thinking": BlockKind.REASONING,
    "redacted_thinking": BlockKind.REASONING,
    "tool_use": BlockKind.TOOL_CALL,
}
_DELTAS: Mapping[str, str] = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def _completed(opened: _Open) -> Data:
    """A vendor's own block with the input that came after its start."""
    assert opened.raw is not None
    if not opened.has_text:
        return opened.raw
    try:
        return {**opened.raw, "input": orjson.loads(opened.arguments)}
    except orjson.JSONDecodeError:
        return opened.raw


def _code(data: Data) -> str:
    error = data.get("error")
    return _text(error.get("type")) if isinstance(error, Mapping) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
