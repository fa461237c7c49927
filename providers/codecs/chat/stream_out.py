"""Events → a chat stream: role, deltas, one finish reason, the usage chunk if it was asked for, `[DONE]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from providers.codecs import Frame
from providers.codecs.chat.answer_out import Answer, finish_reason
from providers.codecs.chat.failures import error_of
from providers.codecs.chat.reasoning import OPENAI
from providers.codecs.chat.usage import usage_object
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
)

DONE = b"data: [DONE]\n\n"
_MEMBERS: Mapping[BlockKind, bytes] = {
    BlockKind.TEXT: b'{"content":',
    BlockKind.REASONING: b'{"reasoning_content":',
    BlockKind.REFUSAL: b'{"refusal":',
}


class Encoder:
    """One answer. After an error event nothing more is written: whoever carries the stream ends it."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._answer = Answer(frame)
        head = orjson.dumps(self._answer.head("chat.completion.chunk"))[:-1]
        self._head = b"data: " + head + b',"choices":[{"index":0,"delta":'
        self._last = head
        self._has_started = self._is_over = False
        self._openings: dict[int, tuple[bytes, bytes]] = {}
        """What stands before and behind the text of a block's delta."""
        self._bare: set[int] = set()
        """Open calls without arguments so far."""

    def encode(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self._is_over:
                break
            if isinstance(event, Delta):
                self._answer.take(event)
                self._bare.discard(event.block)
                opening = self._openings.get(event.block)
                if opening is not None:
                    out.append(opening[0] + orjson.dumps(event.text) + opening[1])
                continue
            if isinstance(event, Failed):
                self._is_over = True
                out.append(b"data: " + orjson.dumps(error_of(event.failure)) + b"\n\n")
                break
            if not self._has_started:
                self._has_started = True
                out.append(self._chunk({"role": "assistant", "content": ""}))
            self._answer.take(event)
            self._write(event, out)
        return b"".join(out)

    def _write(self, event: Event, out: list[bytes]) -> None:
        match event:
            case BlockStarted(kind=BlockKind.TOOL_CALL):
                self._begin_call(event, out)
            case BlockStarted() if event.kind in _MEMBERS:
                self._openings[event.block] = (self._head + _MEMBERS[event.kind], _tail(b"}"))
            case Sealed():
                out += [self._chunk(delta) for delta in self._answer.sealed(event)]
            case Annotated(vendor=vendor, items=items) if vendor == OPENAI:
                out.append(self._chunk({"annotations": list(items)}))
            case LogProbs(items=items):
                out.append(self._chunk({}, {"content": list(items), "refusal": None}))
            case BlockEnded(block=block):
                self._end(block, out)
                out += [self._chunk(delta) for delta in self._answer.ended(block)]
            case Finished():
                self._finish(event, out)
            case _:
                pass

    def _begin_call(self, started: BlockStarted, out: list[bytes]) -> None:
        opened = self._answer.opened_call(started)
        if opened is None:
            return  # a custom tool's: told whole when it ends
        out.append(self._chunk({"tool_calls": [opened]}))
        before = self._head + b'{"tool_calls":[{"index":%d,"function":{"arguments":' % opened["index"]
        self._openings[started.block] = (before, _tail(b"}}]}"))
        self._bare.add(started.block)

    def _end(self, block: int, out: list[bytes]) -> None:
        opening = self._openings.pop(block, None)
        if opening is not None and block in self._bare:
            self._bare.discard(block)
            out.append(opening[0] + b'"{}"' + opening[1])  # clients parse the arguments, and nothing is no JSON

    def _finish(self, finished: Finished, out: list[bytes]) -> None:
        self._is_over = True
        for block in list(self._openings):
            self._end(block, out)
        for block in list(self._answer.open_calls):
            out += [self._chunk(delta) for delta in self._answer.ended(block)]
        reason = orjson.dumps(finish_reason(finished, self._answer))
        out.append(self._head + b'{},"logprobs":null,"finish_reason":' + reason + b"}]}\n\n")
        if self._frame.wants_usage:
            out.append(b"data: " + self._last + b',"choices":[],"usage":' + orjson.dumps(usage_object(self._answer.usage)) + b"}\n\n")
        out.append(DONE)

    def _chunk(self, delta: Mapping[str, Any], logprobs: Mapping[str, Any] | None = None) -> bytes:
        said = b"null" if logprobs is None else orjson.dumps(logprobs)
        return self._head + orjson.dumps(delta) + b',"logprobs":' + said + b',"finish_reason":null}]}\n\n'


def _tail(closing: bytes) -> bytes:
    return closing + b',"logprobs":null,"finish_reason":null}]}\n\n'
