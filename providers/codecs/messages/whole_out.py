"""Events → a whole Anthropic answer, for a client that did not ask for a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from providers.codecs import Frame
from providers.codecs.events import Annotated, BlockKind, BlockStarted, Delta, Event, Failed, Finished, FinishReason, Sealed
from providers.codecs.messages.answer_out import Told, stop_reason
from providers.codecs.messages.failures import error_object, status_of
from providers.codecs.messages.seals import ANTHROPIC, signature_of
from providers.codecs.messages.usage import usage_object


class _Gathered:
    """One block of the answer with all that was said of it."""

    def __init__(self, started: BlockStarted) -> None:
        self.started = started
        self.texts: list[str] = []
        self.citations: list[Any] = []
        self.seal: Sealed | None = None

    def take(self, event: Event) -> None:
        if isinstance(event, Delta):
            self.texts.append(event.text)
        elif isinstance(event, Annotated) and event.vendor == ANTHROPIC:
            self.citations += event.items
        elif isinstance(event, Sealed):
            self.seal = event


def encode_answer(events: Sequence[Event], frame: Frame) -> dict[str, Any]:
    """The message; an error body where the answer failed."""
    told, blocks = Told(frame), dict[int, _Gathered]()
    finished = Finished(FinishReason.STOP)
    for event in events:
        told.note(event)
        match event:
            case Failed(failure=failure):
                return error_object(status_of(failure), failure.policy.error_code, failure.message)
            case BlockStarted():
                blocks[event.block] = _Gathered(event)
            case Finished():
                finished = event
            case Delta() | Annotated() | Sealed() if event.block in blocks:
                blocks[event.block].take(event)
            case _:
                pass
    usage = usage_object(told.usage)
    if told.service_tier in ("standard", "priority", "batch"):
        usage["service_tier"] = told.service_tier
    return {
        **told.head(),
        "content": [block for gathered in blocks.values() if (block := _block(gathered, told)) is not None],
        "stop_reason": stop_reason(finished, has_calls=told.has_calls),
        "stop_sequence": finished.stop_sequence,
        "usage": usage,
    }


def _block(gathered: _Gathered, told: Told) -> dict[str, Any] | None:
    started, text = gathered.started, "".join(gathered.texts)
    match started.kind:
        case BlockKind.TEXT | BlockKind.REFUSAL:
            return {"type": "text", "text": text, **({"citations": gathered.citations} if gathered.citations else {})}
        case BlockKind.REASONING:
            return _thinking(gathered, text)
        case BlockKind.TOOL_CALL:
            return {"type": "tool_use", "id": told.call_id(started), "name": started.name or "", "input": _input(text)}
        case BlockKind.OPAQUE:
            return dict(started.raw) if started.vendor == ANTHROPIC and started.raw is not None else None


def _thinking(gathered: _Gathered, text: str) -> dict[str, Any]:
    started, sealed = gathered.started, gathered.seal
    if started.raw is not None and started.raw.get("type") == "redacted_thinking" and sealed is not None:
        return {"type": "redacted_thinking", "data": sealed.seal}
    vendor, seal = (sealed.vendor, sealed.seal) if sealed is not None else ("", "")
    return {"type": "thinking", "thinking": text, "signature": signature_of(vendor, started.item_id, seal)}


def _input(arguments: str) -> dict[str, Any]:
    """A call's arguments as the object that the format demands. What the model wrote wrongly goes along as text: a client that runs the
    tool says what is wrong with it, and the model may mend it."""
    if not arguments.strip():
        return {}
    try:
        data = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        data = None
    return data if isinstance(data, dict) else {"arguments": arguments}
