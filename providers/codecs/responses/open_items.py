"""One output item on its way: which blocks it has begun, and what of it was said already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from providers.codecs.events import Annotated, BlockEnded, BlockKind, BlockStarted, Delta, Event, LogProbs, Sealed
from providers.codecs.members import Data, text
from providers.codecs.responses.seals import OPENAI

CALL_KINDS: Mapping[str, str] = {"function_call": "function", "custom_tool_call": "custom"}
_PART_KINDS: Mapping[str, tuple[BlockKind, str]] = {
    "output_text": (BlockKind.TEXT, "text"),
    "refusal": (BlockKind.REFUSAL, "refusal"),
}
_BETWEEN_PARTS = "\n\n"
"""Summaries come in paragraphs, each a part of its own."""


class OpenItem:
    """An item of the answer. `block` is that of a call or of reasoning; a message has one for each of its parts."""

    __slots__ = ("_index", "_next_block", "_parts", "_raw", "_thoughts", "annotations", "block", "ended", "has_text", "is_done")

    def __init__(self, item: Data, next_block: Callable[[], int]) -> None:
        self._raw = item
        self._next_block = next_block
        self._parts: dict[int, int] = {}
        self._index = 0
        self._thoughts = False
        self.block: int | None = None
        self.has_text: set[int] = set()
        self.annotations: set[int] = set()
        self.ended: set[int] = set()
        self.is_done = False

    def begin_call(self, item: Data) -> list[Event]:
        self.block = self._next_block()
        started = BlockStarted(
            self.block,
            BlockKind.TOOL_CALL,
            id=text(item.get("call_id")) or text(item.get("id")) or None,
            name=text(item.get("name")),
            call_kind=CALL_KINDS[text(item.get("type"))],
            namespace=text(item.get("namespace")) or None,
            item_id=text(item.get("id")) or None,
        )
        return [started, *self._arguments(item)]

    def _arguments(self, item: Data) -> list[Event]:
        """What the item itself says of its arguments, where no delta did."""
        made = text(item.get("input" if item.get("type") == "custom_tool_call" else "arguments"))
        if not made or self.block is None or self.block in self.has_text:
            return []
        self.has_text.add(self.block)
        return [Delta(self.block, made)]

    def part(self, index: int, kind: BlockKind) -> tuple[int, list[Event]]:
        """The block of a message's part, with what begins it if nothing did before."""
        block = self._parts.get(index)
        if block is not None:
            return block, []
        block = self._parts[index] = self._next_block()
        return block, [BlockStarted(block, kind, item_id=text(self._raw.get("id")) or None)]

    def annotate(self, index: int, annotation: Data) -> list[Event]:
        block, events = self.part(index, BlockKind.TEXT)
        self.annotations.add(block)
        return [*events, Annotated(block, OPENAI, (annotation,))]

    def think(self, delta: str, index: int, *, is_summary: bool) -> list[Event]:
        events = self._begin_reasoning(is_summary=is_summary)
        assert self.block is not None
        if self._thoughts and index != self._index:
            events.append(Delta(self.block, _BETWEEN_PARTS))
        self._thoughts, self._index = True, index
        return [*events, Delta(self.block, delta)]

    def _begin_reasoning(self, *, is_summary: bool) -> list[Event]:
        if self.block is not None:
            return []
        self.block = self._next_block()
        id_ = text(self._raw.get("id")) or None
        return [BlockStarted(self.block, BlockKind.REASONING, item_id=id_, vendor=OPENAI if is_summary else "", is_summary=is_summary)]

    def complete(self, item: Data) -> list[Event]:
        """The item is there, whole: what of it was not said before, and its end."""
        self.is_done = True
        kind = text(item.get("type"))
        if kind == "message":
            return self._complete_message(item)
        if kind == "reasoning":
            return self._complete_reasoning(item)
        if kind in CALL_KINDS:
            events = [] if self.block is not None else self.begin_call(item)
            assert self.block is not None
            return [*events, *self._arguments(item), BlockEnded(self.block)]
        block = self._next_block()
        return [BlockStarted(block, BlockKind.OPAQUE, vendor=OPENAI, raw=item), BlockEnded(block)]

    def close(self) -> list[Event]:
        """The answer ended, and nothing said that the item did."""
        if self.is_done:
            return []
        self.is_done = True
        return self._end(self._parts.values() if self.block is None else [self.block])

    def _complete_message(self, item: Data) -> list[Event]:
        events: list[Event] = []
        content = item.get("content")
        for index, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, Mapping):
                events += self.complete_part(index, part)
        return events + self._end(self._parts.values())

    def complete_part(self, index: int, part: Data) -> list[Event]:
        """A message's part is there, whole; the message may go on with another."""
        known = _PART_KINDS.get(text(part.get("type")))
        events = self._complete_part(index, part, *known) if known is not None else []
        return events + self._end([self._parts[index]] if index in self._parts else [])

    def _end(self, blocks: Iterable[int]) -> list[Event]:
        left = [block for block in blocks if block not in self.ended]
        self.ended.update(left)
        return [BlockEnded(block) for block in left]

    def _complete_part(self, index: int, part: Data, kind: BlockKind, member: str) -> list[Event]:
        said = text(part.get(member))
        if not said and index not in self._parts:
            return []
        block, events = self.part(index, kind)
        if block in self.ended:
            return []
        if said and block not in self.has_text:
            events.append(Delta(block, said))
            events += _listed(LogProbs, block, part.get("logprobs"))
        annotations = part.get("annotations")
        if annotations and isinstance(annotations, list) and block not in self.annotations:
            events.append(Annotated(block, OPENAI, tuple(annotations)))
        return events

    def _complete_reasoning(self, item: Data) -> list[Event]:
        events: list[Event] = []
        if not self._thoughts:
            # What a model really thought is more than the summary of it; servers send one or the other.
            thoughts, summary = _texts(item.get("content")), _texts(item.get("summary"))
            for index, said in enumerate(thoughts or summary):
                events += self.think(said, index, is_summary=not thoughts)
        seal = text(item.get("encrypted_content"))
        if seal:
            events += self._begin_reasoning(is_summary=True)
        if self.block is None:
            return []
        if seal:
            events.append(Sealed(self.block, OPENAI, seal))
        return [*events, BlockEnded(self.block)]


def _listed(event: type[LogProbs], block: int, items: Any) -> list[Event]:
    return [event(block, tuple(items))] if items and isinstance(items, list) else []


def _texts(parts: object) -> list[str]:
    found = [text(part.get("text")) for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    return [each for each in found if each]
