"""Events → a Responses event stream: response.created … response.completed, with every item and part begun, ended and said whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from providers.codecs import Frame
from providers.codecs.events import (
    Annotated,
    BlockEnded,
    BlockKind,
    BlockStarted,
    Delta,
    Event,
    Failed,
    Finished,
    LogProbs,
    Sealed,
    Started,
    UsageSeen,
)
from providers.codecs.messages.answer_out import BlockEvent, InOrder
from providers.codecs.responses.answer_out import Item, Told
from providers.codecs.responses.failures import error_member
from providers.codecs.responses.frames import Frames
from providers.codecs.responses.output_items import CallItem, ClientCallItem, MessageItem, ReasoningItem, WholeItem, Writing
from providers.codecs.responses.seals import OPENAI
from routing.facts import Failure


class Encoder:
    """One answer. Its balance is kept whatever comes: what lacks an end is ended with the answer."""

    def __init__(self, frame: Frame) -> None:
        self._told = Told(frame)
        self._frames = Frames()
        self._order = InOrder()
        self._has_started = self._is_over = False
        self._message: MessageItem | None = None
        """Stays open behind a text: another one may follow."""
        self._open: Writing | None = None
        self._block = -1
        self._items = 0
        self.response: Item | None = None
        """The whole answer, when it has ended."""

    def encode(self, events: Iterable[Event]) -> bytes:
        kept = events if isinstance(events, Sequence) else tuple(events)
        for index, event in enumerate(kept):
            if self._is_over:
                break
            if isinstance(event, Delta) and event.block == self._block and self._open is not None:
                self._open.say(event.text, _logprobs_behind(kept, index))
                continue
            self._take(event)
        return self._frames.take()

    def _take(self, event: Event) -> None:
        self._told.note(event)
        if not self._has_started:
            self._start()
        match event:
            case Failed(failure=failure):
                self._fail(failure)
            case Finished():
                self._finish(event)
            case Started() | UsageSeen():
                pass
            case _:
                for each in self._order.feed(event):
                    self._write(each)

    def _start(self) -> None:
        self._has_started = True
        response = self._told.begun()
        self._frames.add("response.created", {"response": response})
        self._frames.add("response.in_progress", {"response": response})

    def _write(self, event: BlockEvent) -> None:
        match event:
            case BlockStarted():
                self._begin(event)
            case Delta() if self._open is not None:
                self._open.say(event.text, ())
            case Annotated() | LogProbs() | Sealed() if self._open is not None:
                self._open.note(event)
            case BlockEnded():
                self._end()
            case _:
                pass

    def _begin(self, started: BlockStarted) -> None:
        self._block = started.block
        if started.kind in (BlockKind.TEXT, BlockKind.REFUSAL):
            if self._message is None:
                self._message = MessageItem(self._frames, *self._next_item("msg"))
            self._open = self._message.part(started.kind)
            return
        self._close_message("completed")
        self._open = self._item(started)

    def _item(self, started: BlockStarted) -> Writing | None:
        if started.kind is BlockKind.REASONING:
            return ReasoningItem(self._frames, *self._next_item("rs"), started)
        if started.kind is BlockKind.TOOL_CALL:
            return self._call(started)
        if started.vendor == OPENAI and started.raw is not None:
            return WholeItem(self._frames, self._next_item("")[1], dict(started.raw))
        return None  # what another vendor's server did: the format has no item for it

    def _call(self, started: BlockStarted) -> Writing:
        meaning = self._told.meaning_of(started)
        item_id, index = self._next_item("ctc" if meaning.is_custom else "fc")
        call_id = started.id or f"call_{self._told.frame.answer_id}_{started.block}"
        if meaning.client_tool:
            return ClientCallItem(self._frames, item_id, index, call_id, meaning.client_tool)
        return CallItem(self._frames, item_id, index, call_id, meaning)

    def _next_item(self, prefix: str) -> tuple[str, int]:
        """(id, index) of the next item."""
        index = self._items
        self._items += 1
        return f"{prefix}_{self._told.frame.answer_id}_{index}", index

    def _end(self) -> None:
        opened, self._open, self._block = self._open, None, -1
        item = opened.end() if opened is not None else None
        if item is not None:
            self._told.output.append(item)

    def _close_message(self, status: str) -> None:
        message, self._message = self._message, None
        if message is not None:
            self._told.output.append(message.end(status))

    def _finish(self, finished: Finished) -> None:
        self._is_over = True
        for each in self._order.close():
            self._write(each)
        self._close_message("completed" if self._told.is_whole(finished) else "incomplete")
        self.response = self._told.ended(finished)
        self._frames.add(f"response.{self.response['status']}", {"response": self.response})

    def _fail(self, failure: Failure) -> None:
        """What is open stays so: half an item must not pass for a whole one."""
        self._is_over = True
        error = error_member(failure.kind, failure.message, failure.policy.error_code)
        # Codex looks at the second of these only, others at the first (reference/clients.md).
        self._frames.add("error", {key: error[key] for key in ("code", "message", "param")})
        self._frames.add("response.failed", {"response": self._told.failed(error)})


def _logprobs_behind(events: Sequence[Event], index: int) -> Sequence[Any]:
    """The log probabilities of the delta at `index`: they come right behind it."""
    behind = events[index + 1] if index + 1 < len(events) else None
    return behind.items if isinstance(behind, LogProbs) else ()
