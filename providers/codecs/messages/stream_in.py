"""Anthropic's event stream → events. https://docs.anthropic.com/en/docs/build-with-claude/streaming"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from providers.codecs.event_stream import BrokenStreamError, EventStream
from providers.codecs.events import Event, Failed
from providers.codecs.messages.answer_in import AnswerReader


class Decoder:
    """Any split of the bytes gives the same events."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._reader = AnswerReader()

    def feed(self, data: bytes) -> list[Event]:
        return self._read(lambda: self._stream.feed(data))

    def finish(self) -> list[Event]:
        return [*self._read(self._stream.finish), *self._reader.finish()]

    def _read(self, parse: Callable[[], list[dict[str, Any]]]) -> list[Event]:
        try:
            return self._events(parse())
        except BrokenStreamError as error:
            return [*self._events(error.read), *self._reader.fail(Failed(error.failure))]

    def _events(self, parsed: list[dict[str, Any]]) -> list[Event]:
        return [event for data in parsed for event in self._reader.read(data)]


def decode_answer(data: Mapping[str, Any]) -> list[Event]:
    """A whole answer as the events that a stream of it would have been."""
    reader = AnswerReader()
    return reader.read(data) if data.get("type") == "error" or "error" in data else reader.whole(data)
