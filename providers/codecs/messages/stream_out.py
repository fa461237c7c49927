"""Events → Anthropic's event stream: message_start, balanced content blocks one after the other, message_delta, message_stop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

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
    Sealed,
    Started,
    UsageSeen,
)
from providers.codecs.messages.answer_out import BlockEvent, InOrder, Told, stop_reason
from providers.codecs.messages.failures import error_object, status_of
from providers.codecs.messages.seals import ANTHROPIC, signature_of
from providers.codecs.messages.usage import usage_object

_DELTAS: dict[BlockKind, tuple[bytes, bytes]] = {
    BlockKind.TEXT: (b"text_delta", b"text"),
    BlockKind.REFUSAL: (b"text_delta", b"text"),
    BlockKind.REASONING: (b"thinking_delta", b"thinking"),
    BlockKind.TOOL_CALL: (b"input_json_delta", b"partial_json"),
}


class Encoder:
    """One answer. Its balance is kept whatever comes: what lacks a start gets one, what lacks an end is ended with the answer."""

    def __init__(self, frame: Frame) -> None:
        self._told = Told(frame)
        self._order = InOrder()
        self._has_started = self._is_over = False
        self._index = -1
        self._open: BlockStarted | None = None
        """The block being written; None between blocks and in one that the format cannot show."""
        self._is_written = False
        """Has the open block's start gone out?"""
        self._needs_seal = False
        self._delta_head = b""

    def encode(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self._is_over:
                break
            if isinstance(event, Failed):
                self._is_over = True
                failure = event.failure
                out.append(_frame("error", error_object(status_of(failure), failure.policy.error_code, failure.message)))
                break
            if isinstance(event, Delta) and self._open is not None and event.block == self._open.block:
                self._needs_seal = True
                out.append(self._delta_head + orjson.dumps(event.text) + b"}}\n\n")
                continue
            self._told.note(event)
            if not self._has_started:
                out.append(self._start())
            if isinstance(event, Finished):
                out += self._finish(event)
            elif not isinstance(event, Started | UsageSeen):
                for each in self._order.feed(event):
                    self._write(each, out)
        return b"".join(out)

    def _start(self) -> bytes:
        self._has_started = True
        usage = usage_object(self._told.usage)
        message = {**self._told.head(), "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        return _frame("message_start", {"type": "message_start", "message": message})

    def _write(self, event: BlockEvent, out: list[bytes]) -> None:
        match event:
            case BlockStarted():
                self._begin(event, out)
            case Delta() if self._open is not None:
                self._needs_seal = True
                out.append(self._delta_head + orjson.dumps(event.text) + b"}}\n\n")
            case Sealed() if self._open is not None and self._open.kind is BlockKind.REASONING:
                self._seal(event, self._open, out)
            case Annotated(vendor=vendor, items=items) if self._open is not None and vendor == ANTHROPIC:
                out += [self._block_delta({"type": "citations_delta", "citation": item}) for item in items]
            case BlockEnded():
                self._end(out)
            case _:
                pass  # log probabilities, and citations of others: Anthropic's answers have no member for them

    def _begin(self, started: BlockStarted, out: list[bytes]) -> None:
        self._needs_seal = self._is_written = False
        if _is_redacted(started):
            self._open = started  # it is written when its seal comes: it is nothing else
            return
        block = self._block(started)
        if block is None:
            return
        self._open = started
        self._write_start(block, out)
        if started.kind in _DELTAS:
            kind, member = _DELTAS[started.kind]
            self._delta_head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":' % (
                self._index,
                kind,
                member,
            )

    def _write_start(self, block: dict[str, Any], out: list[bytes]) -> None:
        self._index += 1
        self._is_written = True
        out.append(_frame("content_block_start", {"type": "content_block_start", "index": self._index, "content_block": block}))

    def _block(self, started: BlockStarted) -> dict[str, Any] | None:
        match started.kind:
            case BlockKind.TEXT | BlockKind.REFUSAL:
                return {"type": "text", "text": ""}
            case BlockKind.REASONING:
                return {"type": "thinking", "thinking": "", "signature": ""}
            case BlockKind.TOOL_CALL:
                return {"type": "tool_use", "id": self._told.call_id(started), "name": started.name or "", "input": {}}
            case BlockKind.OPAQUE:
                return dict(started.raw) if started.vendor == ANTHROPIC and started.raw is not None else None

    def _seal(self, sealed: Sealed, opened: BlockStarted, out: list[bytes]) -> None:
        self._needs_seal = False
        if _is_redacted(opened):
            self._write_start({"type": "redacted_thinking", "data": sealed.seal}, out)
            return
        signature = signature_of(sealed.vendor, opened.item_id, sealed.seal)
        out.append(self._block_delta({"type": "signature_delta", "signature": signature}))

    def _end(self, out: list[bytes]) -> None:
        opened, self._open = self._open, None
        if opened is None or not self._is_written:
            return
        if self._needs_seal and opened.kind is BlockKind.REASONING:
            out.append(self._block_delta({"type": "signature_delta", "signature": signature_of("", opened.item_id, "")}))
        out.append(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._index)

    def _block_delta(self, delta: dict[str, Any]) -> bytes:
        return _frame("content_block_delta", {"type": "content_block_delta", "index": self._index, "delta": delta})

    def _finish(self, finished: Finished) -> list[bytes]:
        self._is_over = True
        out: list[bytes] = []
        for each in self._order.close():
            self._write(each, out)
        told = self._told
        delta = {"stop_reason": stop_reason(finished, has_calls=told.has_calls), "stop_sequence": finished.stop_sequence}
        out.append(_frame("message_delta", {"type": "message_delta", "delta": delta, "usage": usage_object(told.usage)}))
        out.append(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        return out


def _is_redacted(started: BlockStarted) -> bool:
    return started.raw is not None and started.raw.get("type") == "redacted_thinking"


def _frame(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))
