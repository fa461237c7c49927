"""Chunks of a chat answer, already parsed → events. The state machine behind both the stream decoder and the whole answer.

The format does not say where a block ends: text and reasoning end when something else begins, calls when the answer does, or when the next
call begins and their arguments are complete JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from providers.codecs.chat.calls_in import Calls
from providers.codecs.chat.failures import failure_in
from providers.codecs.chat.reasoning import ANTHROPIC, OPENAI, read_block, read_detail
from providers.codecs.chat.usage import read_usage
from providers.codecs.conversation import Reasoning
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

REASONS: Mapping[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}
"""Whatever else a server says (`eos`, `end_turn`) is an end like any other."""
_SEALED_FORMS = ("reasoning_details", "thinking_blocks")

Data = Mapping[str, Any]


class AnswerReader:
    """Feeds on parsed chunks, in order. Reads the answer with the index 0; whoever wants several does not come this way."""

    def __init__(self) -> None:
        self._has_started = self._is_over = False
        self._blocks = 0
        self._open: int | None = None
        """The block of text, reasoning or refusal that is open, and what it is."""
        self._kind = BlockKind.OPAQUE
        self._seal: Sealed | None = None
        """Of the open reasoning."""
        self._is_told_plainly = False
        """Does the answer tell its reasoning as plain text? Then the same text in other forms is no more of it."""
        self._calls = Calls(self._next_block)
        self._reason: FinishReason | None = None
        self._has_refusal = False
        self._usage: UsageSeen | None = None

    def read(self, chunk: Data) -> list[Event]:
        if self._is_over:
            return []
        if chunk.get("error"):
            return self._failed(chunk)
        out: list[Event] = []
        choices = chunk.get("choices")
        if not self._has_started:
            self._start(chunk, out)
        if choices and isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict) and not choice.get("index"):
                    self._choice(choice, choice.get("delta"), out)
        usage = chunk.get("usage")
        if usage:
            self._note_usage(usage, chunk)
        return out

    def fail(self, failed: Failed) -> list[Event]:
        """The end, in the middle of it. Says nothing where the end has been."""
        is_news, self._is_over = not self._is_over, True
        return [failed] if is_news else []

    def finish(self) -> list[Event]:
        """The end, if the upstream said why it ended."""
        if self._is_over or self._reason is None:
            return []
        self._is_over = True
        out: list[Event] = []
        self._end(out)
        self._calls.end_all(out)
        if self._usage is not None:
            out.append(self._usage)
        out.append(Finished(self._final(self._reason)))
        return out

    def _final(self, reason: FinishReason) -> FinishReason:
        """Gemini's endpoint and others say `stop` behind tool calls, too; and a refusal in words is no word for an end here."""
        if reason is not FinishReason.STOP:
            return reason
        if self._has_refusal:
            return FinishReason.REFUSAL
        return FinishReason.TOOL_CALLS if self._calls.are_some else reason

    def whole(self, answer: Data) -> list[Event]:
        if answer.get("error"):
            return self._failed(answer)
        out: list[Event] = []
        self._start(answer, out)
        choices = answer.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and not choice.get("index"):
                self._choice(choice, _numbered(choice.get("message")), out)
                self._reason = self._reason or FinishReason.STOP  # it is whole: some servers leave the reason out
        if answer.get("usage"):
            self._note_usage(answer["usage"], answer)
        return out + self.finish()

    def _failed(self, data: Data) -> list[Event]:
        failure, error = failure_in(data, orjson.dumps(data)), data.get("error")
        assert failure is not None
        code = error.get("code") if isinstance(error, dict) else None
        return self.fail(Failed(failure, "" if code is None else str(code)))

    def _start(self, chunk: Data, out: list[Event]) -> None:
        self._has_started = True
        id_, model = chunk.get("id"), chunk.get("model")
        out.append(Started(id_ if isinstance(id_, str) else "", model if isinstance(model, str) else ""))

    def _note_usage(self, usage: object, chunk: Data) -> None:
        found, tier = read_usage(usage), chunk.get("service_tier")
        if found is not None:
            self._usage = UsageSeen(found, tier if isinstance(tier, str) else None)

    def _choice(self, choice: Data, delta: object, out: list[Event]) -> None:
        if isinstance(delta, dict):
            self._delta(delta, out)
        logprobs = choice.get("logprobs")
        if logprobs and isinstance(logprobs, dict) and self._kind is BlockKind.TEXT and self._open is not None:
            items = logprobs.get("content")
            if isinstance(items, list) and items:
                out.append(LogProbs(self._open, tuple(items)))
        reason = choice.get("finish_reason")
        if reason and isinstance(reason, str):
            if choice.get("error"):
                out += self._failed(choice)
            else:
                self._reason = REASONS.get(reason, FinishReason.STOP)

    def _delta(self, delta: dict[str, Any], out: list[Event]) -> None:
        content = delta.get("content")
        if content and len(delta) == 1 and isinstance(content, str):  # what nearly every chunk is
            self._say(BlockKind.TEXT, content, out)
            return
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if thought and isinstance(thought, str):
            self._is_told_plainly = True
            self._say(BlockKind.REASONING, thought, out)
        for form in _SEALED_FORMS:
            if form in delta:
                self._details(form, delta[form], out)
        if content:
            self._content(content, out)
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            self._has_refusal = True
            self._say(BlockKind.REFUSAL, refusal, out)
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            self._end(out)
            for call in calls:
                self._calls.read(call, out)
        legacy = delta.get("function_call")
        if legacy and isinstance(legacy, dict):
            self._end(out)
            self._calls.read({"index": 0, "function": legacy}, out)
        citations = delta.get("annotations")
        if citations and isinstance(citations, list) and self._open is not None:
            out.append(Annotated(self._open, OPENAI, tuple(citations)))

    def _content(self, content: object, out: list[Event]) -> None:
        if isinstance(content, str):
            self._say(BlockKind.TEXT, content, out)
        for part in content if isinstance(content, list) else ():  # Mistral's reasoning models: parts, as in a request
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "text" and isinstance(part.get("text"), str):
                self._say(BlockKind.TEXT, part["text"], out)
            elif kind == "thinking":
                for piece in part.get("thinking") or ():
                    if isinstance(piece, dict) and isinstance(piece.get("text"), str):
                        self._say(BlockKind.REASONING, piece["text"], out)

    def _say(self, kind: BlockKind, text: str, out: list[Event]) -> None:
        if self._open is None or self._kind is not kind:
            if not text:
                return
            self._begin(kind, out)
        assert self._open is not None
        if text:
            out.append(Delta(self._open, text))

    def _details(self, form: str, details: object, out: list[Event]) -> None:
        """Signatures and encrypted content; the text beside them too, where it is not told as plain text anyway."""
        read = read_detail if form == "reasoning_details" else read_block
        for detail in details if isinstance(details, list) else ():
            thought = read(detail) if isinstance(detail, dict) else None
            if thought is not None:
                self._thought(thought, out)

    def _thought(self, thought: Reasoning, out: list[Event]) -> None:
        if thought.text and not self._is_told_plainly:
            self._say(BlockKind.REASONING, thought.text, out)
        if thought.seal is None:
            return
        if self._open is None or self._kind is not BlockKind.REASONING or self._seal is not None:
            self._begin(BlockKind.REASONING, out, thought)
        assert self._open is not None
        self._seal = Sealed(self._open, thought.vendor, thought.seal)

    def _begin(self, kind: BlockKind, out: list[Event], thought: Reasoning | None = None) -> None:
        self._end(out)
        self._kind, self._open = kind, self._next_block()
        if thought is None:
            out.append(BlockStarted(self._open, kind))
            return
        raw = {"type": "redacted_thinking", "data": thought.seal} if thought.vendor == ANTHROPIC and thought.is_redacted else None
        out.append(BlockStarted(self._open, kind, item_id=thought.id, vendor=thought.vendor, raw=raw))

    def _end(self, out: list[Event]) -> None:
        if self._open is None:
            return
        if self._seal is not None:
            out.append(self._seal)
            self._seal = None
        out.append(BlockEnded(self._open))
        self._open = None

    def _next_block(self) -> int:
        number = self._blocks
        self._blocks += 1
        return number


def _numbered(message: object) -> object:
    """A whole message's calls need no index, and each of them is one."""
    if not isinstance(message, dict) or not isinstance(message.get("tool_calls"), list):
        return message
    calls = [{**call, "index": index} if isinstance(call, dict) else call for index, call in enumerate(message["tool_calls"])]
    return {**message, "tool_calls": calls}
