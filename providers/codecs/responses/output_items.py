"""The items of an answer as they are written: each begins, grows and ends, and knows its frames. One is open at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from providers.codecs.custom_input import Unwrapper
from providers.codecs.events import Annotated, BlockKind, BlockStarted, LogProbs, Sealed
from providers.codecs.responses.annotations import annotation_of
from providers.codecs.responses.answer_out import Item, Meaning
from providers.codecs.responses.client_tools import call_members
from providers.codecs.responses.frames import Frames, head_of
from providers.codecs.responses.seals import encrypted_content


class Writing(ABC):
    """What is being written. `head` is that of its deltas; empty where a delta is not simply handed on (`say`)."""

    __slots__ = ("_at", "_frames", "_id", "head", "texts")

    def __init__(self, frames: Frames, item_id: str, index: int) -> None:
        self._frames = frames
        self._id = item_id
        self._at: Item = {"item_id": item_id, "output_index": index}
        self.head = b""
        self.texts: list[str] = []

    def say(self, text: str, logprobs: Sequence[Any]) -> None:
        """A delta, with the log probabilities of its tokens."""
        del logprobs
        self.texts.append(text)
        self._frames.add_delta(self.head, text)

    def note(self, event: Annotated | LogProbs | Sealed) -> None:
        """Something about the text so far; most items have no place for it."""
        del event

    @abstractmethod
    def end(self) -> Item | None:
        """Write the end. Returns the item where it ends with its block: a message may go on with another."""

    def _added(self, item: Item) -> None:
        self._frames.add("response.output_item.added", {"output_index": self._at["output_index"], "item": item})

    def _done(self, item: Item) -> Item:
        self._frames.add("response.output_item.done", {"output_index": self._at["output_index"], "item": item})
        return item


class MessageItem:
    """A message: the texts that stand together in the answer are its parts."""

    def __init__(self, frames: Frames, item_id: str, index: int) -> None:
        self._frames = frames
        self._id, self._index = item_id, index
        self.parts: list[Item] = []
        frames.add("response.output_item.added", {"output_index": index, "item": self._item("in_progress", [])})

    def part(self, kind: BlockKind) -> MessagePart:
        return MessagePart(self._frames, self._id, self._index, self.parts, is_refusal=kind is BlockKind.REFUSAL)

    def end(self, status: str) -> Item:
        item = self._item(status, self.parts)
        self._frames.add("response.output_item.done", {"output_index": self._index, "item": item})
        return item

    def _item(self, status: str, parts: list[Item]) -> Item:
        return {"id": self._id, "type": "message", "status": status, "role": "assistant", "content": parts}


class MessagePart(Writing):
    __slots__ = ("_annotated", "_kind", "_logprobs", "_parts")

    def __init__(self, frames: Frames, item_id: str, index: int, parts: list[Item], *, is_refusal: bool) -> None:
        super().__init__(frames, item_id, index)
        self._parts = parts
        self._at["content_index"] = len(parts)
        self._kind = "refusal" if is_refusal else "output_text"
        self._annotated: list[Annotated] = []
        self._logprobs: list[Any] = []
        frames.add("response.content_part.added", {**self._at, "part": self._part("", [])})
        more: Item = {} if is_refusal else {"logprobs": []}
        self.head = head_of(f"response.{self._kind}.delta", {**self._at, **more})

    def say(self, text: str, logprobs: Sequence[Any]) -> None:
        if not logprobs or self._kind == "refusal":
            super().say(text, logprobs)
            return
        self.texts.append(text)
        self._frames.add("response.output_text.delta", {**self._at, "delta": text, "logprobs": [_logprob(each) for each in logprobs]})

    def note(self, event: Annotated | LogProbs | Sealed) -> None:
        if isinstance(event, Annotated):
            self._annotated.append(event)
        elif isinstance(event, LogProbs):
            self._logprobs += [_logprob(each) for each in event.items]

    def end(self) -> None:
        text = "".join(self.texts)
        annotations = [
            written for event in self._annotated for item in event.items if (written := annotation_of(event.vendor, item, len(text)))
        ]
        for index, annotation in enumerate(annotations):
            told = {**self._at, "annotation_index": index, "annotation": annotation}
            self._frames.add("response.output_text.annotation.added", told)
        if self._kind == "refusal":
            self._frames.add("response.refusal.done", {**self._at, "refusal": text})
        else:
            self._frames.add("response.output_text.done", {**self._at, "text": text, "logprobs": self._logprobs})
        part = self._part(text, annotations)
        self._parts.append(part)
        self._frames.add("response.content_part.done", {**self._at, "part": part})

    def _part(self, text: str, annotations: list[Item]) -> Item:
        if self._kind == "refusal":
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": self._logprobs}


class ReasoningItem(Writing):
    """All of it is one summary: the only place that every client shows, and gives back as it was."""

    __slots__ = ("_is_redacted", "_sealed")

    def __init__(self, frames: Frames, item_id: str, index: int, started: BlockStarted) -> None:
        super().__init__(frames, item_id, index)
        self._sealed: Sealed | None = None
        self._is_redacted = started.raw is not None and started.raw.get("type") == "redacted_thinking"
        self._added({"id": item_id, "type": "reasoning", "status": "in_progress", "summary": []})
        self._at["summary_index"] = 0

    def say(self, text: str, logprobs: Sequence[Any]) -> None:
        del logprobs
        if not self.head:
            self._frames.add("response.reasoning_summary_part.added", {**self._at, "part": {"type": "summary_text", "text": ""}})
            self.head = head_of("response.reasoning_summary_text.delta", self._at)
        self.texts.append(text)
        self._frames.add_delta(self.head, text)

    def note(self, event: Annotated | LogProbs | Sealed) -> None:
        if isinstance(event, Sealed):
            self._sealed = event

    def end(self) -> Item:
        summary: list[Item] = []
        if self.head:
            text = "".join(self.texts)
            part = {"type": "summary_text", "text": text}
            summary.append(part)
            self._frames.add("response.reasoning_summary_text.done", {**self._at, "text": text})
            self._frames.add("response.reasoning_summary_part.done", {**self._at, "part": part})
        vendor, seal = (self._sealed.vendor, self._sealed.seal) if self._sealed is not None else ("", "")
        content = encrypted_content(vendor, seal, is_redacted=self._is_redacted)
        item = {"id": self._id, "type": "reasoning", "status": "completed", "summary": summary, "encrypted_content": content}
        return self._done(item)


class CallItem(Writing):
    """A call of a function or of a custom tool."""

    __slots__ = ("_call_id", "_meaning", "_member", "_unwrapper")

    def __init__(self, frames: Frames, item_id: str, index: int, call_id: str, meaning: Meaning) -> None:
        super().__init__(frames, item_id, index)
        self._call_id, self._meaning = call_id, meaning
        self._member = "input" if meaning.is_custom else "arguments"
        self._unwrapper = Unwrapper() if meaning.is_wrapped else None
        self._added(self._item("in_progress", ""))
        if self._unwrapper is None:
            self.head = self._head()

    def _head(self) -> bytes:
        return head_of(
            "response.custom_tool_call_input.delta" if self._meaning.is_custom else "response.function_call_arguments.delta", self._at
        )

    def say(self, text: str, logprobs: Sequence[Any]) -> None:
        if self._unwrapper is None:
            super().say(text, logprobs)
        elif said := self._unwrapper.feed(text):
            self._unwrapped(said)

    def _unwrapped(self, said: str) -> None:
        self.texts.append(said)
        self._frames.add_delta(self._head(), said)

    def end(self) -> Item:
        if self._unwrapper is not None and (rest := self._unwrapper.finish()):
            self._unwrapped(rest)
        elif not self._meaning.is_custom and not self.texts:
            super().say("{}", ())  # what the API says of a call without arguments; clients parse it
        made = "".join(self.texts)
        kind = "response.custom_tool_call_input.done" if self._meaning.is_custom else "response.function_call_arguments.done"
        named = {} if self._meaning.is_custom else {"name": self._meaning.name}
        self._frames.add(kind, {**self._at, **named, self._member: made})
        return self._done(self._item("completed", made))

    def _item(self, status: str, made: str) -> Item:
        item: Item = {
            "id": self._id,
            "type": "custom_tool_call" if self._meaning.is_custom else "function_call",
            "status": status,
            "call_id": self._call_id,
            "name": self._meaning.name,
            self._member: made,
        }
        if self._meaning.namespace is not None:
            item["namespace"] = self._meaning.namespace
        return item


class ClientCallItem(Writing):
    """A call of a tool that OpenAI defines and the client runs: it comes whole."""

    __slots__ = ("_call_id", "_tool")

    def __init__(self, frames: Frames, item_id: str, index: int, call_id: str, tool: str) -> None:
        super().__init__(frames, item_id, index)
        self._call_id, self._tool = call_id, tool

    def say(self, text: str, logprobs: Sequence[Any]) -> None:
        self.texts.append(text)

    def end(self) -> Item:
        members = {"id": self._id, **call_members(self._tool, self._call_id, "".join(self.texts))}
        self._added({**members, "status": "in_progress"})
        return self._done({**members, "status": "completed"})


class WholeItem(Writing):
    """An item as its vendor wrote it."""

    __slots__ = ("_item",)

    def __init__(self, frames: Frames, index: int, item: Item) -> None:
        super().__init__(frames, "", index)
        self._item = item
        self._added(item)

    def end(self) -> Item:
        return self._done(self._item)


def _logprob(entry: Any) -> Item:
    """An entry as this API has it: none of its members may be missing."""
    token = str(entry.get("token", ""))
    return {
        "token": token,
        "logprob": entry.get("logprob", 0.0),
        "bytes": entry.get("bytes") or list(token.encode("utf-8", "replace")),
        "top_logprobs": [_logprob(each) for each in entry.get("top_logprobs") or ()],
    }
