"""Events → Anthropic's answer: what both the stream encoder and the whole answer say. Blocks come one after the other in this format, so a
later block is kept back while an earlier one is open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from providers.codecs import Frame
from providers.codecs.events import (
    Annotated,
    BlockEnded,
    BlockKind,
    BlockStarted,
    Delta,
    Event,
    Finished,
    FinishReason,
    LogProbs,
    Sealed,
    Started,
    UsageSeen,
)
from routing.types import Usage

BlockEvent = BlockStarted | Delta | Annotated | LogProbs | Sealed | BlockEnded

STOP_REASONS: Mapping[FinishReason, str] = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
    FinishReason.REFUSAL: "refusal",
    FinishReason.PAUSE: "pause_turn",
    FinishReason.CONTEXT_FULL: "model_context_window_exceeded",
}


class InOrder:
    """Hands on the events of one block at a time, in the order in which the blocks began."""

    def __init__(self) -> None:
        self._current: int | None = None
        self._waiting: dict[int, deque[BlockEvent]] = {}

    def feed(self, event: BlockEvent) -> Iterable[BlockEvent]:
        block = event[0]
        if self._current is None or block == self._current:
            self._current = None if isinstance(event, BlockEnded) else block
            return (event,) if self._current is not None or not self._waiting else (event, *self._next())
        self._waiting.setdefault(block, deque()).append(event)
        return ()

    def _next(self) -> Iterable[BlockEvent]:
        """What was kept back and may go now: whole blocks, and the first that is still open."""
        while self._waiting and self._current is None:
            block = next(iter(self._waiting))
            kept = self._waiting.pop(block)
            self._current = None if isinstance(kept[-1], BlockEnded) else block
            yield from kept

    def close(self) -> list[BlockEvent]:
        """Everything that is left, each block ended."""
        left: list[BlockEvent] = []
        while self._current is not None:
            left += self.feed(BlockEnded(self._current))
        return left


def stop_reason(finished: Finished, *, has_calls: bool) -> str:
    """The reason in Anthropic's words. Some servers say `stop` behind a tool call; Anthropic's clients then run no tool."""
    reason = finished.reason
    if reason is FinishReason.STOP and finished.stop_sequence is not None:
        return "stop_sequence"
    if reason in (FinishReason.STOP, FinishReason.TOOL_CALLS):
        return "tool_use" if has_calls else "end_turn"
    return STOP_REASONS[reason]


class Told:
    """What an encoder has to keep of an answer until its end."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.has_calls = False

    def note(self, event: Event) -> None:
        if isinstance(event, Started) and event.usage is not None:
            self.usage = event.usage
        elif isinstance(event, UsageSeen):
            self.usage = event.usage
            self.service_tier = event.service_tier or self.service_tier
        elif isinstance(event, BlockStarted) and event.kind is BlockKind.TOOL_CALL:
            self.has_calls = True

    def head(self) -> dict[str, Any]:
        """The message without its content, usage and end."""
        return {"id": f"msg_{self.frame.answer_id}", "type": "message", "role": "assistant", "model": self.frame.model}

    def call_id(self, started: BlockStarted) -> str:
        return started.id or f"toolu_{self.frame.answer_id}_{started.block}"
