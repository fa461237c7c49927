"""Watches an upstream's stream in one dialect and hands on the same answer in another: a `providers.dialects.StreamScanner`, so that
whoever carries the bytes need not know that they are others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from providers.codecs import StreamDecoder, StreamEncoder
from providers.codecs.events import BlockKind, BlockStarted, Delta, Event, Failed, Finished, Started, UsageSeen
from providers.dialects import ErrorReply
from routing.facts import Failure
from routing.types import Usage

_ACTED_ON = frozenset({BlockKind.TOOL_CALL, BlockKind.OPAQUE})
"""Blocks that mean something as soon as they begin: a call may have no arguments."""


class TranslatingScanner:
    """Bytes of the upstream's dialect in, bytes of the client's out. `end_events` follow an error of donut's own (`Dialect.end_events`)."""

    __slots__ = ("_decoder", "_encoder", "_end_events", "aside", "content_events", "failure", "has_content", "is_finished", "usage")

    def __init__(self, decoder: StreamDecoder, encoder: StreamEncoder, end_events: bytes = b"") -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._end_events = end_events
        self.has_content = False
        self.is_finished = False
        self.usage: Usage | None = None
        self.failure: Failure | None = None
        self.content_events = 0
        self.aside: dict[str, Any] | None = None

    @property
    def output_tokens_estimated(self) -> int:
        """Most servers send one token per event; calibration learns those that do not."""
        return self.content_events

    def passes(self, data: bytes) -> bool:
        del data
        return False

    def feed(self, data: bytes) -> bytes:
        return self._take(self._decoder.feed(data))

    def finish(self) -> bytes:
        return self._take(self._decoder.finish())

    def end_with(self, reply: ErrorReply) -> bytes:
        """The encoder knows what it has said so far: its frames go on where they stopped."""
        return self._encoder.encode([Failed(reply.failure, reply.code)]) + self._end_events

    def _take(self, events: Sequence[Event]) -> bytes:
        if not events:
            return b""
        for event in events:
            if isinstance(event, Delta):
                self.has_content = True
                self.content_events += 1
            else:
                self._note(event)
        return self._encoder.encode(events)

    def _note(self, event: Event) -> None:
        if isinstance(event, BlockStarted):
            self.has_content = self.has_content or event.kind in _ACTED_ON
        elif isinstance(event, UsageSeen):
            self.usage = event.usage
        elif isinstance(event, Started):
            self.usage = event.usage or self.usage
        elif isinstance(event, Finished):
            self.is_finished = True
        elif isinstance(event, Failed):
            self.failure = event.failure
            self.is_finished = False  # the stream still needs an end


class GatheringScanner(TranslatingScanner):
    """For a client that did not ask for a stream, of an upstream that sends nothing else: the whole answer at its end.

    Until then nothing has content, so that a failure can still go elsewhere.
    """

    __slots__ = ("_encode_answer", "_events")

    def __init__(self, decoder: StreamDecoder, encode_answer: Callable[[Sequence[Event]], bytes]) -> None:
        super().__init__(decoder, _Silence())
        self._events: list[Event] = []
        self._encode_answer = encode_answer

    def _take(self, events: Sequence[Event]) -> bytes:
        self._events += events
        super()._take(events)
        self.has_content = False
        if not (self.is_finished and self._events):
            return b""
        gathered, self._events = self._events, []
        return self._encode_answer(gathered)


class _Silence:
    def encode(self, events: object) -> bytes:
        del events
        return b""
