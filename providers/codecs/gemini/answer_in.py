"""Google's answer chunks, already parsed → events. The state machine behind both the stream decoder and the whole answer.

Google sends no starts and ends: a block lasts as long as parts of its kind follow each other, and a function call comes whole.
"""

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
    LogProbs,
    Sealed,
    Started,
    UsageSeen,
)
from providers.codecs.gemini.failures import failure_inside
from providers.codecs.gemini.logprobs import read_logprobs
from providers.codecs.gemini.seals import GEMINI, UNSEALED
from providers.codecs.gemini.usage import read_usage
from routing.facts import Failure, FailureKind
from routing.types import Usage

Data = Mapping[str, Any]

REASONS: Mapping[str, FinishReason] = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "CONTINUATION": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "ESCALATION": FinishReason.CONTENT_FILTER,
    "MODEL_ARMOR": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "IMAGE_RECITATION": FinishReason.CONTENT_FILTER,
    "LANGUAGE": FinishReason.CONTENT_FILTER,
}
"""https://ai.google.dev/api/generate-content#FinishReason. Any other (`MALFORMED_FUNCTION_CALL`, `OTHER`) means that the answer went wrong:
a proper end would make a harness take what there is of it for all, so it becomes a failure, which is tried again."""


class AnswerReader:
    """Feeds on parsed chunks, in order; `read` returns what each of them says."""

    def __init__(self) -> None:
        self._has_started = self._is_over = False
        self._blocks = self._calls = 0
        self._open: BlockKind | None = None
        """What kind of text the newest block is, while more of it may come."""
        self._seal: str | None = None
        """Of the open block of thoughts."""
        self._usage: Usage | None = None
        self._finished: Finished | None = None

    def read(self, data: Data) -> list[Event]:
        if self._is_over:
            return []
        if data.get("error"):
            return self.fail(Failed(failure_inside(data), _code(data)))
        self._usage = read_usage(data.get("usageMetadata"), self._usage)
        events: list[Event] = [] if self._has_started else self._start(data)
        candidates = data.get("candidates")
        candidate = candidates[0] if isinstance(candidates, list) and candidates else None
        if isinstance(candidate, Mapping):
            self._candidate(candidate, events)
        elif isinstance(feedback := data.get("promptFeedback"), Mapping) and feedback.get("blockReason"):
            self._finished = Finished(FinishReason.CONTENT_FILTER)
        if self._finished is not None and self._usage is not None and not self._is_over:
            events += self.finish()
        return events

    def fail(self, failed: Failed) -> list[Event]:
        """The end, in the middle of it. Says nothing where the end has been."""
        is_news, self._is_over = not self._is_over, True
        return [failed] if is_news else []

    def finish(self) -> list[Event]:
        """The end, if the upstream said why it ended."""
        if self._finished is None or self._is_over:
            return []
        self._is_over = True
        events: list[Event] = []
        self._end(events)
        if self._usage is not None:
            events.append(UsageSeen(self._usage))
        events.append(self._finished)
        return events

    def _start(self, data: Data) -> list[Event]:
        self._has_started = True
        return [Started(_text(data.get("responseId")), _text(data.get("modelVersion")), self._usage)]

    def _candidate(self, candidate: Data, events: list[Event]) -> None:
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, Mapping) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, Mapping):
                self._part(part, events)
        self._annotate(candidate, events)
        reason = _text(candidate.get("finishReason"))
        if reason:
            self._ended_for(reason, _text(candidate.get("finishMessage")), events)

    def _part(self, part: Data, events: list[Event]) -> None:
        text = part.get("text")
        if isinstance(text, str):
            self._said(part, text, events)
            return
        self._end(events)
        kind = next((name for name in _PARTS if name in part), None)
        if kind is not None:
            _PARTS[kind](self, part, events)
        elif part:
            events.append(BlockStarted(self._blocks, BlockKind.OPAQUE, vendor=GEMINI, raw=part))
            events.append(BlockEnded(self._blocks))
            self._blocks += 1

    def _said(self, part: Data, text: str, events: list[Event]) -> None:
        kind = BlockKind.REASONING if part.get("thought") is True else BlockKind.TEXT
        if text:
            if self._open is not kind:
                self._begin(kind, events)
            events.append(Delta(self._blocks - 1, text))
        # The seal of a text that is no thought is not demanded back. Others' formats could only show it as empty thinking behind the
        # text, and harnesses take an answer's last block for its result.
        if kind is BlockKind.REASONING and (seal := _seal(part)):
            if self._open is not kind:
                self._begin(kind, events)
            self._seal = seal

    def _begin(self, kind: BlockKind, events: list[Event]) -> None:
        self._end(events)
        self._open = kind
        is_reasoning = kind is BlockKind.REASONING
        events.append(BlockStarted(self._blocks, kind, vendor=GEMINI if is_reasoning else "", is_summary=is_reasoning))
        self._blocks += 1

    def _end(self, events: list[Event]) -> None:
        """End the block of text or thoughts that is open."""
        if self._open is None:
            return
        if self._seal is not None:
            events.append(Sealed(self._blocks - 1, GEMINI, self._seal))
        events.append(BlockEnded(self._blocks - 1))
        self._open = self._seal = None

    def _call(self, part: Data, events: list[Event]) -> None:
        """A call. Without an id of Google's the client's format gives it one: it knows which answer this is, and `responseId` is not
        everywhere another one in each."""
        call = part["functionCall"]
        if not isinstance(call, Mapping):
            return
        seal = _seal(part)
        if seal:
            self._seal_before(seal, events)
        number = self._blocks
        self._blocks += 1
        self._calls += 1
        events.append(BlockStarted(number, BlockKind.TOOL_CALL, _text(call.get("id")) or None, _text(call.get("name"))))
        arguments = call.get("args")
        events.append(Delta(number, orjson.dumps(arguments if isinstance(arguments, Mapping) else {}).decode()))
        if seal:
            events.append(Sealed(number, GEMINI, seal))
        events.append(BlockEnded(number))

    def _seal_before(self, seal: str, events: list[Event]) -> None:
        """A call's seal on thoughts before it as well: of the formats whose calls have no place for one, each has one there."""
        number = self._blocks
        self._blocks += 1
        events.append(BlockStarted(number, BlockKind.REASONING, vendor=GEMINI, is_summary=True))
        events.append(Sealed(number, GEMINI, seal))
        events.append(BlockEnded(number))

    def _annotate(self, candidate: Data, events: list[Event]) -> None:
        """Citations and probabilities of the text so far."""
        if self._open is not BlockKind.TEXT:
            return
        number = self._blocks - 1
        items = tuple({name: candidate[name]} for name in ("citationMetadata", "groundingMetadata") if candidate.get(name))
        if items:
            events.append(Annotated(number, GEMINI, items))
        probabilities = read_logprobs(candidate.get("logprobsResult"))
        if probabilities:
            events.append(LogProbs(number, probabilities))

    def _ended_for(self, word: str, message: str, events: list[Event]) -> None:
        reason = REASONS.get(word)
        if reason is None:
            told = f"the model's answer went wrong: {word}" + (f" ({message[:200]})" if message else "")
            events += self.fail(Failed(Failure(FailureKind.PROTOCOL, told), word))
            return
        self._finished = Finished(FinishReason.TOOL_CALLS if reason is FinishReason.STOP and self._calls else reason)


_PARTS: Mapping[str, Callable[[AnswerReader, Data, list[Event]], None]] = {"functionCall": AnswerReader._call}


def _seal(part: Data) -> str:
    seal = _text(part.get("thoughtSignature"))
    return "" if seal == UNSEALED else seal


def _code(data: Data) -> str:
    error = data.get("error")
    return _text(error.get("status")) if isinstance(error, Mapping) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
