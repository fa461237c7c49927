"""A Responses event stream, or a whole answer → events. https://platform.openai.com/docs/api-reference/responses-streaming"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.event_stream import BrokenStreamError, EventStream
from providers.codecs.events import Event
from providers.codecs.responses.answer_in import AnswerReader


class Decoder:
    """Any split of the bytes gives the same events."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._reader = AnswerReader()

    def feed(self, data: bytes) -> list[Event]:
        try:
            return self._read(self._stream.feed(data))
        except BrokenStreamError as error:
            return self._read(error.read) + self._reader.fail(error.failure)

    def finish(self) -> list[Event]:
        try:
            return self._read(self._stream.finish())
        except BrokenStreamError as error:
            return self._read(error.read) + self._reader.fail(error.failure)

    def _read(self, parsed: list[dict[str, Any]]) -> list[Event]:
        return [event for each in parsed for event in self._reader.read(each)]


def decode_answer(data: Mapping[str, Any]) -> list[Event]:
    """A whole answer as the events that a stream of it would have been."""
    reader = AnswerReader()
    return reader.read({"error": data["error"]}) if data.get("error") and "output" not in data else reader.whole(data)
