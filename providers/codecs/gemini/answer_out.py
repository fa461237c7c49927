"""Events → Google's parts: what both the stream encoder and the whole answer say.

Text goes out as it comes; a function call when it is whole, and not before an earlier one: clients count calls by their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from providers.codecs import Frame
from providers.codecs.conversation import Reasoning
from providers.codecs.events import Annotated, BlockEnded, BlockKind, BlockStarted, Delta, Event, Finished, FinishReason, LogProbs, Sealed
from providers.codecs.gemini.framing import GeminiConversation
from providers.codecs.gemini.seals import GEMINI, signature_of

Block = dict[str, Any]

FINISH_REASONS: Mapping[FinishReason, str] = {
    FinishReason.STOP: "STOP",
    FinishReason.TOOL_CALLS: "STOP",
    FinishReason.PAUSE: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.CONTEXT_FULL: "MAX_TOKENS",
    FinishReason.CONTENT_FILTER: "SAFETY",
    FinishReason.REFUSAL: "SAFETY",
}


class _Block:
    """One block that is being told, with what its part can only say at its end."""

    __slots__ = ("has_ended", "seal", "started", "texts")

    def __init__(self, started: BlockStarted) -> None:
        self.started = started
        self.texts: list[str] = []
        self.seal: Sealed | None = None
        self.has_ended = False


class PartTeller:
    """Tells the parts of one answer, in order."""

    def __init__(self, frame: Frame) -> None:
        self._id = frame.answer_id
        conversation = frame.conversation
        self._shows_thoughts = not isinstance(conversation, GeminiConversation) or conversation.shows_thoughts
        self._blocks: dict[int, _Block] = {}
        self._calls: dict[int, _Block] = {}
        """Calls that were not told yet, in the order in which they began."""
        self._foreign: list[Reasoning] = []
        """Others' reasoning since the last call: it goes into the next call's signature."""
        self._seal: str | None = None
        """Google's own, from thoughts: for the next call, where that has none."""
        self.about_candidate: dict[str, Any] = {}
        """Citations: members of the candidate, not of a part."""
        self.probabilities: list[Mapping[str, Any]] = []

    def text_of(self, delta: Delta) -> Block | None:
        """The part for a piece of text; None where it is kept, or not shown."""
        block = self._blocks.get(delta.block)
        if block is None:
            return None
        kind = block.started.kind
        if kind is BlockKind.TOOL_CALL or kind is BlockKind.REASONING:
            block.texts.append(delta.text)
        if kind is BlockKind.REASONING:
            return {"text": delta.text, "thought": True} if self._shows_thoughts else None
        return {"text": delta.text} if kind in (BlockKind.TEXT, BlockKind.REFUSAL) else None

    def tell(self, event: Event) -> list[Block]:
        """The parts that are complete now; `Delta`s too, but those are asked for with `text_of`, which costs less."""
        match event:
            case Delta():
                part = self.text_of(event)
                return [] if part is None else [part]
            case BlockStarted():
                return self._start(event)
            case Sealed() if event.block in self._blocks:
                self._blocks[event.block].seal = event
            case BlockEnded() if event.block in self._blocks:
                return self._end(self._blocks.pop(event.block))
            case Annotated(vendor=vendor, items=items) if vendor == GEMINI:
                for item in items:
                    self.about_candidate |= item
            case LogProbs(items=items):
                self.probabilities += items
            case _:
                pass
        return []

    def close(self) -> list[Block]:
        """Everything that was left open."""
        found = [part for block in list(self._blocks.values()) for part in self._end(block)]
        self._blocks.clear()
        return found

    def _start(self, started: BlockStarted) -> list[Block]:
        if started.kind is BlockKind.OPAQUE:
            return [dict(started.raw)] if started.vendor == GEMINI and started.raw is not None else []
        block = self._blocks[started.block] = _Block(started)
        if started.kind is BlockKind.TOOL_CALL:
            self._calls[started.block] = block
        return []

    def _end(self, block: _Block) -> list[Block]:
        block.has_ended = True
        if block.started.kind is BlockKind.REASONING:
            self._remember(block)
            return []
        found = []
        for number, call in list(self._calls.items()):
            if not call.has_ended:
                break
            del self._calls[number]
            found.append(self._call(call))
        return found

    def _remember(self, block: _Block) -> None:
        started, seal = block.started, block.seal
        if seal is not None and seal.vendor == GEMINI:
            self._seal = seal.seal
        elif seal is not None:
            is_redacted = started.raw is not None
            thought = Reasoning("".join(block.texts), seal.vendor, seal.seal, started.item_id, started.is_summary, is_redacted)
            self._foreign.append(thought)

    def _call(self, block: _Block) -> Block:
        started = block.started
        call_id = started.id or f"call_{self._id}_{started.block}"
        part: Block = {"functionCall": {"id": call_id, "name": started.name or "", "args": _arguments("".join(block.texts))}}
        signature = self._signature(block)
        if signature is not None:
            part["thoughtSignature"] = signature
        return part

    def _signature(self, block: _Block) -> str | None:
        foreign, self._foreign = self._foreign, []
        own, self._seal = self._seal, None
        if block.seal is not None and block.seal.vendor == GEMINI:
            return block.seal.seal
        return signature_of(foreign) if foreign else own


def finish_reason(finished: Finished) -> str:
    return FINISH_REASONS[finished.reason]


def _arguments(text: str) -> Mapping[str, Any]:
    """A call's arguments as the object that the format demands. What the model wrote wrongly goes along as text: a client that runs the
    function says what is wrong with it, and the model may mend it."""
    if not text.strip():
        return {}
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        data = None
    return data if isinstance(data, dict) else {"arguments": text}
