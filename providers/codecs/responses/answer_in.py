"""Events of a Responses answer, already parsed → ours. The state machine behind both the stream decoder and the whole answer.

What `response.output_item.done` says of an item completes what came of it before: servers differ in which of the smaller events they send,
and some send nothing but the whole answer at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers.codecs.events import (
    BlockKind,
    Delta,
    Event,
    Failed,
    Finished,
    FinishReason,
    LogProbs,
    Started,
    UsageSeen,
)
from providers.codecs.members import Data, text
from providers.codecs.responses.failures import failure_in
from providers.codecs.responses.open_items import CALL_KINDS, OpenItem
from providers.codecs.responses.usage import read_usage
from routing.facts import Failure, FailureKind

_INCOMPLETE: Mapping[str, FinishReason] = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_messages": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}


class AnswerReader:
    """Feeds on parsed events, in order; `read` returns what each of them says. Unknown events say nothing."""

    def __init__(self) -> None:
        self._items: dict[object, OpenItem] = {}
        """By output index, id and call id: llama-server sends no index, and names calls by their call id."""
        self._blocks = 0
        self._has_started = self._has_calls = self._is_over = False

    def read(self, data: Data) -> list[Event]:
        if self._is_over:
            return []
        kind = data.get("type")
        read = _EVENTS.get(kind) if isinstance(kind, str) else None
        if read is not None:
            return read(self, data)
        # Some servers behind this format send an OpenAI-style error object and no type.
        return self._error(data) if kind is None and data.get("error") else []

    def fail(self, failed: Failed) -> list[Event]:
        """The end, in the middle of it. Says nothing where the end has been."""
        is_news, self._is_over = not self._is_over, True
        return [failed] if is_news else []

    def finish(self) -> list[Event]:
        """Nothing: an answer that ended well has said so in an event of its own."""
        return []

    def whole(self, response: Data) -> list[Event]:
        """A whole answer, as the events that a stream of it would have been."""
        return [*self._start(response), *self._ended(response)]

    def _error(self, data: Data) -> list[Event]:
        inner = data.get("error")
        error = inner if isinstance(inner, Mapping) else data
        return self.fail(Failed(failure_in(error), text(error.get("code"))))

    def _start(self, response: object) -> list[Event]:
        if self._has_started or not isinstance(response, Mapping):
            return []
        self._has_started = True
        return [Started(text(response.get("id")), text(response.get("model")))]

    # Items

    def _item_of(self, data: Data) -> OpenItem | None:
        index = data.get("output_index")
        if isinstance(index, int) and index in self._items:
            return self._items[index]
        return self._items.get(text(data.get("item_id")))

    def _added(self, data: Data) -> list[Event]:
        item = data.get("item")
        return self._open(item, data.get("output_index"))[1] if isinstance(item, Mapping) else []

    def _open(self, item: Data, index: object) -> tuple[OpenItem, list[Event]]:
        opened = OpenItem(item, self._next_block)
        for name in (index if isinstance(index, int) else None, *_names(item)):
            if name is not None:
                self._items[name] = opened
        if text(item.get("type")) in CALL_KINDS:
            self._has_calls = True
            return opened, opened.begin_call(item)
        return opened, []

    def _next_block(self) -> int:
        self._blocks += 1
        return self._blocks - 1

    def _completed(self, data: Data) -> list[Event]:
        item = data.get("item")
        return self._complete(item, data.get("output_index")) if isinstance(item, Mapping) else []

    def _complete(self, item: Data, index: object) -> list[Event]:
        known = (*_names(item), index if isinstance(index, int) else None)
        opened = next((self._items[name] for name in known if name in self._items), None)
        if opened is not None:
            return [] if opened.is_done else opened.complete(item)
        opened, events = self._open(item, index)
        return events + opened.complete(item)

    # Pieces

    def _text(self, data: Data) -> list[Event]:
        return self._piece(data, BlockKind.TEXT)

    def _refusal(self, data: Data) -> list[Event]:
        return self._piece(data, BlockKind.REFUSAL)

    def _piece(self, data: Data, kind: BlockKind) -> list[Event]:
        item, delta = self._item_of(data), data.get("delta")
        if item is None or not isinstance(delta, str) or not delta:
            return []
        part = data.get("content_index")
        block, events = item.part(part if isinstance(part, int) else 0, kind)
        events.append(Delta(block, delta))
        item.has_text.add(block)
        logprobs = data.get("logprobs")
        if logprobs and isinstance(logprobs, list):
            events.append(LogProbs(block, tuple(logprobs)))
        return events

    def _thought(self, data: Data) -> list[Event]:
        return self._think(data, "content_index", is_summary=False)

    def _summary(self, data: Data) -> list[Event]:
        return self._think(data, "summary_index", is_summary=True)

    def _think(self, data: Data, index_key: str, *, is_summary: bool) -> list[Event]:
        item, delta, index = self._item_of(data), data.get("delta"), data.get(index_key)
        if item is None or not isinstance(delta, str) or not delta:
            return []
        return item.think(delta, index if isinstance(index, int) else 0, is_summary=is_summary)

    def _argument(self, data: Data) -> list[Event]:
        item, delta = self._item_of(data), data.get("delta")
        if item is None or item.block is None or not isinstance(delta, str) or not delta:
            return []
        item.has_text.add(item.block)
        return [Delta(item.block, delta)]

    def _annotated(self, data: Data) -> list[Event]:
        item, annotation, part = self._item_of(data), data.get("annotation"), data.get("content_index")
        if item is None or not isinstance(annotation, Mapping):
            return []
        return item.annotate(part if isinstance(part, int) else 0, annotation)

    def _part_completed(self, data: Data) -> list[Event]:
        item, part, index = self._item_of(data), data.get("part"), data.get("content_index")
        if item is None or not isinstance(part, Mapping):
            return []
        return item.complete_part(index if isinstance(index, int) else 0, part)

    # The end

    def _finished(self, data: Data) -> list[Event]:
        response = data.get("response")
        return self._ended(response) if isinstance(response, Mapping) else []

    def _ended(self, response: Data) -> list[Event]:
        """The whole answer is said again at its end: what of it did not come before comes now."""
        if response.get("status") in ("failed", "cancelled"):
            return self._failed({"response": response})
        events = self._start(response)
        output = response.get("output")
        for index, item in enumerate(output if isinstance(output, list) else ()):
            if isinstance(item, Mapping):
                events += self._complete(item, index)
        for opened in {id(each): each for each in self._items.values()}.values():
            events += opened.close()
        self._is_over = True
        usage = read_usage(response.get("usage"))
        if usage is not None:
            events.append(UsageSeen(usage, text(response.get("service_tier")) or None))
        return [*events, Finished(self._reason(response))]

    def _reason(self, response: Data) -> FinishReason:
        if response.get("status") == "incomplete":
            details = response.get("incomplete_details")
            reason = text(details.get("reason")) if isinstance(details, Mapping) else ""
            return _INCOMPLETE.get(reason, FinishReason.LENGTH)
        return FinishReason.TOOL_CALLS if self._has_calls else FinishReason.STOP

    def _failed(self, data: Data) -> list[Event]:
        response = data.get("response")
        error = response.get("error") if isinstance(response, Mapping) else None
        if error is None and isinstance(response, Mapping) and response.get("status") == "cancelled":
            return self.fail(Failed(Failure(FailureKind.OVERLOADED, "the upstream cancelled its answer"), "cancelled"))
        return self.fail(Failed(failure_in(error), text(error.get("code")) if isinstance(error, Mapping) else ""))


_EVENTS: Mapping[str, Callable[[AnswerReader, Data], list[Event]]] = {
    "response.output_text.delta": AnswerReader._text,
    "response.function_call_arguments.delta": AnswerReader._argument,
    "response.custom_tool_call_input.delta": AnswerReader._argument,
    "response.reasoning_summary_text.delta": AnswerReader._summary,
    "response.reasoning_text.delta": AnswerReader._thought,
    "response.refusal.delta": AnswerReader._refusal,
    "response.output_text.annotation.added": AnswerReader._annotated,
    "response.content_part.done": AnswerReader._part_completed,
    "response.output_item.added": AnswerReader._added,
    "response.output_item.done": AnswerReader._completed,
    "response.created": lambda reader, data: reader._start(data.get("response")),
    "response.in_progress": lambda reader, data: reader._start(data.get("response")),
    "response.completed": AnswerReader._finished,
    "response.incomplete": AnswerReader._finished,
    "response.failed": AnswerReader._failed,
    "error": AnswerReader._error,
}


def _names(item: Data) -> list[str]:
    """What later events may call the item."""
    return [name for name in (text(item.get("id")), text(item.get("call_id"))) if name]
