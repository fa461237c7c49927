"""Events → Google's stream: a chunk per piece, the last one with `finishReason` and usage. There is no other terminal event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from providers.codecs import Frame
from providers.codecs.events import BlockKind, BlockStarted, Delta, Event, Failed, Finished, Started, UsageSeen
from providers.codecs.gemini.answer_out import Block, PartTeller, finish_reason
from providers.codecs.gemini.failures import error_object, status_of
from providers.codecs.gemini.framing import Framer, GeminiConversation
from providers.codecs.gemini.logprobs import logprobs_result
from providers.codecs.gemini.usage import usage_object
from routing.types import Usage

_PLAIN = (BlockKind.TEXT, BlockKind.REFUSAL)


class Encoder:
    """One answer. No comments and no empty chunks before the end: Gemini CLI breaks on the former (reference/clients.md)."""

    def __init__(self, frame: Frame) -> None:
        conversation = frame.conversation
        self._framer = Framer(is_array=isinstance(conversation, GeminiConversation) and conversation.is_array)
        self._teller = PartTeller(frame)
        self._usage: Usage | None = None
        self._is_over = False
        self._text_block: int | None = None
        """The newest block of plain text: its deltas take the short way."""
        self._head = b'{"candidates":[{"content":{"parts":['
        self._tail = b'],"role":"model"},"index":0}],"modelVersion":%b,"responseId":%b}' % (
            orjson.dumps(frame.model),
            orjson.dumps(frame.answer_id),
        )
        self._about = {"modelVersion": frame.model, "responseId": frame.answer_id}

    def encode(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if self._is_over:
                break
            if isinstance(event, Delta):
                if event.block == self._text_block:
                    part = b'{"text":' + orjson.dumps(event.text) + b"}"
                    out.append(self._framer.chunk(self._head + part + self._tail))
                    continue
                told = self._teller.text_of(event)
                if told is not None:
                    out.append(self._chunk([told]))
                continue
            self._other(event, out)
        return b"".join(out)

    def _other(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Failed(failure=failure):
                self._is_over = True
                error = error_object(status_of(failure), failure.policy.error_code, failure.message, failure.retry_after_s)
                out.append(self._framer.chunk(orjson.dumps(error)) + self._framer.end())
            case Finished():
                out += self._finish(event)
            case Started(usage=usage):
                self._usage = usage
            case UsageSeen(usage=usage):
                self._usage = usage
            case _:
                if isinstance(event, BlockStarted) and event.kind in _PLAIN:
                    self._text_block = event.block
                parts = self._teller.tell(event)
                if parts:
                    out.append(self._chunk(parts))

    def _chunk(self, parts: list[Block]) -> bytes:
        return self._framer.chunk(self._head + b",".join(map(orjson.dumps, parts)) + self._tail)

    def _finish(self, finished: Finished) -> list[bytes]:
        self._is_over = True
        left = self._teller.close()
        candidate: dict[str, Any] = {
            "content": {"parts": left or [{"text": ""}], "role": "model"},
            "finishReason": finish_reason(finished),
            "index": 0,
            **self._teller.about_candidate,
        }
        if self._teller.probabilities:
            candidate["logprobsResult"] = logprobs_result(self._teller.probabilities)
        usage = {} if self._usage is None else {"usageMetadata": usage_object(self._usage)}
        return [self._framer.chunk(orjson.dumps({"candidates": [candidate], **usage, **self._about})), self._framer.end()]
