"""Events → a whole chat answer, for a client that did not ask for a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from providers.codecs import Frame
from providers.codecs.chat.answer_out import Answer, custom_call, finish_reason
from providers.codecs.chat.failures import error_of
from providers.codecs.chat.reasoning import GEMINI, OPENAI, signature_member
from providers.codecs.chat.usage import usage_object
from providers.codecs.events import (
    Annotated,
    BlockKind,
    BlockStarted,
    Delta,
    Event,
    Failed,
    Finished,
    FinishReason,
    LogProbs,
    Sealed,
)


def encode_answer(events: Sequence[Event], frame: Frame) -> dict[str, Any]:
    """The completion; an error body where the answer failed."""
    answer, message = Answer(frame), _Message()
    finished = Finished(FinishReason.STOP)
    for event in events:
        answer.take(event)
        match event:
            case Failed():
                return error_of(event.failure)
            case BlockStarted(kind=BlockKind.TOOL_CALL):
                answer.opened_call(event)
            case Finished():
                finished = event
            case _:
                pass
        message.take(event, answer)
    choice = {
        "index": 0,
        "message": message.told(answer),
        "logprobs": {"content": message.logprobs, "refusal": None} if message.logprobs else None,
        "finish_reason": finish_reason(finished, answer),
    }
    whole = {**answer.head("chat.completion"), "choices": [choice], "usage": usage_object(answer.usage)}
    if answer.service_tier in ("auto", "default", "flex", "scale", "priority"):
        whole["service_tier"] = answer.service_tier
    return whole


class _Message:
    """The texts of an answer by what they are; the format has one of each."""

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._seals: dict[int, Sealed] = {}
        self._details: list[dict[str, Any]] = []
        self._annotations: list[Any] = []
        self.logprobs: list[Any] = []

    def take(self, event: Event, answer: Answer) -> None:
        match event:
            case BlockStarted(block=block):
                self._texts[block] = []
            case Delta(block=block, text=text) if block in self._texts:
                self._texts[block].append(text)
            case Sealed(block=block) if (started := answer.started.get(block)) is not None:
                self._seals[block] = event
                if started.kind is BlockKind.REASONING:
                    self._details += answer.details(started, event)
            case Annotated(vendor=vendor, items=items) if vendor == OPENAI:
                self._annotations += items
            case LogProbs(items=items):
                self.logprobs += items
            case _:
                pass

    def told(self, answer: Answer) -> dict[str, Any]:
        content, refusal, thought = (self._all(kind, answer) for kind in (BlockKind.TEXT, BlockKind.REFUSAL, BlockKind.REASONING))
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal}
        if thought is not None:
            message["reasoning_content"] = thought
        if self._details:
            message["reasoning_details"] = self._details
        if self._annotations:
            message["annotations"] = self._annotations
        calls = [self._call(started, answer) for started in answer.started.values() if started.kind is BlockKind.TOOL_CALL]
        if calls:
            message["tool_calls"] = calls
        elif content is None and refusal is None:
            message["content"] = ""
        return message

    def _all(self, kind: BlockKind, answer: Answer) -> str | None:
        return "".join(text for block, texts in self._texts.items() if answer.started[block].kind is kind for text in texts) or None

    def _call(self, started: BlockStarted, answer: Answer) -> dict[str, Any]:
        text, id_, name = "".join(self._texts[started.block]), answer.call_id(started), started.name or ""
        if started.block in answer.open_calls:
            return custom_call(id_, name, text)
        call: dict[str, Any] = {"id": id_, "type": "function", "function": {"name": name, "arguments": text or "{}"}}
        sealed = self._seals.get(started.block)
        if sealed is not None and sealed.vendor == GEMINI:
            call |= signature_member(sealed.seal)
        return call
