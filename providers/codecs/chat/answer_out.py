"""Events → a chat answer: what both the stream encoder and the whole answer say, and what has to be kept for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs import Frame
from providers.codecs.chat.reasoning import GEMINI, signature_member, write_detail
from providers.codecs.conversation import Reasoning
from providers.codecs.custom_input import unwrapped
from providers.codecs.events import BlockKind, BlockStarted, Delta, Event, Finished, FinishReason, Sealed, Started, UsageSeen
from providers.codecs.tool_names import tools_by_flat_name
from routing.types import Usage

FINISH_REASONS: Mapping[FinishReason, str] = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.CONTENT_FILTER: "content_filter",
    FinishReason.REFUSAL: "content_filter",
    FinishReason.PAUSE: "stop",
    FinishReason.CONTEXT_FULL: "length",
}


class Answer:
    """What an encoder has to keep of an answer until its end."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        tools = frame.conversation.tools if frame.conversation is not None else ()
        self._custom = {name for name, tool in tools_by_flat_name(tools).items() if tool.kind == "custom"}
        """Tools that take free text: the upstream was told of functions with a single string."""
        self.started: dict[int, BlockStarted] = {}
        self.texts: dict[int, list[str]] = {}
        """Of calls, and of reasoning: what its seal vouches for."""
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.open_calls: dict[int, int] = {}
        """Custom calls that are to be told yet → their index."""
        self.calls = 0
        self.has_refusal = False

    def head(self, object_: str) -> dict[str, Any]:
        frame = self._frame
        return {"id": f"chatcmpl-{frame.answer_id}", "object": object_, "created": frame.created_s, "model": frame.model}

    def take(self, event: Event) -> None:
        if isinstance(event, Delta):
            texts = self.texts.get(event.block)
            if texts is not None:
                texts.append(event.text)
        elif isinstance(event, BlockStarted):
            self.started[event.block] = event
            self.has_refusal = self.has_refusal or event.kind is BlockKind.REFUSAL
            if event.kind is BlockKind.REASONING or (event.kind is BlockKind.TOOL_CALL and event.name in self._custom):
                self.texts[event.block] = []
        elif isinstance(event, UsageSeen):
            self.usage, self.service_tier = event.usage, event.service_tier or self.service_tier
        elif isinstance(event, Started) and event.usage is not None:
            self.usage = event.usage

    def call_id(self, started: BlockStarted) -> str:
        return started.id or f"call_{self._frame.answer_id}_{started.block}"

    def opened_call(self, started: BlockStarted) -> dict[str, Any] | None:
        """The entry of `tool_calls` that begins a call; None for one of a custom tool, which is told whole."""
        index, self.calls = self.calls, self.calls + 1
        if started.block in self.texts:
            self.open_calls[started.block] = index
            return None
        function = {"name": started.name or "", "arguments": ""}
        return {"index": index, "id": self.call_id(started), "type": "function", "function": function}

    def ended(self, block: int) -> list[dict[str, Any]]:
        """Deltas that end a block: a custom tool's call."""
        index = self.open_calls.pop(block, None)
        if index is None:
            return []
        started, text = self.started[block], "".join(self.texts.pop(block))
        return [{"tool_calls": [{"index": index, **custom_call(self.call_id(started), started.name or "", text)}]}]

    def sealed(self, event: Sealed) -> list[dict[str, Any]]:
        """Deltas that carry a seal, for clients that give it back (OpenRouter's form; Gemini's for calls)."""
        started = self.started.get(event.block)
        if started is None:
            return []
        if started.kind is BlockKind.TOOL_CALL:
            if event.vendor != GEMINI:
                return []
            index = [block for block, each in self.started.items() if each.kind is BlockKind.TOOL_CALL].index(event.block)
            # The openai SDK's accumulator fails on a call without `function`.
            return [{"tool_calls": [{"index": index, "function": {"arguments": ""}, **signature_member(event.seal)}]}]
        return [{"reasoning_details": [{**detail, "index": event.block} for detail in self.details(started, event)]}]

    def details(self, started: BlockStarted, sealed: Sealed) -> list[dict[str, Any]]:
        text, is_redacted = "".join(self.texts.get(started.block, ())), started.raw is not None
        return write_detail(Reasoning(text, sealed.vendor, sealed.seal, started.item_id, started.is_summary, is_redacted))


def custom_call(id_: str, name: str, arguments: str) -> dict[str, Any]:
    """The call of a custom tool, from the arguments of the function that stood for it."""
    return {"id": id_, "type": "custom", "custom": {"name": name, "input": unwrapped(arguments)}}


def finish_reason(finished: Finished, answer: Answer) -> str:
    """The reason in OpenAI's words: a refusal in words is an end like any other there, and calls are the reason whenever there are some."""
    if finished.reason is FinishReason.REFUSAL and answer.has_refusal:
        return "stop"
    if finished.reason is FinishReason.STOP and answer.calls:
        return "tool_calls"
    return FINISH_REASONS[finished.reason]
