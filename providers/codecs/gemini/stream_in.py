"""Google's stream (`alt=sse`) → events. https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from providers import sse
from providers.codecs.events import Event, Failed
from providers.codecs.gemini.answer_in import AnswerReader
from routing.facts import Failure, FailureKind


class Decoder:
    """Any split of the bytes gives the same events. Google's lines end in CRLF."""

    def __init__(self) -> None:
        self._held = b""
        self._reader = AnswerReader()

    def feed(self, data: bytes) -> list[Event]:
        if self._held:
            data = self._held + data
        end = sse.last_boundary(data)
        self._held = data[end:]
        if len(self._held) > sse.MAX_EVENT_BYTES:
            self._held = b""
            return self._reader.fail(_broken("an event of the upstream's is larger than 1 MiB"))
        return self._read(data[:end]) if end else []

    def finish(self) -> list[Event]:
        rest, self._held = self._held, b""
        return [*self._read(rest), *self._reader.finish()]

    def _read(self, data: bytes) -> list[Event]:
        found: list[Event] = []
        for event in sse.events(data):
            payload = sse.payload(event)
            if payload is None or payload.strip() in (b"", b"[DONE]"):  # relays end this format, too, as OpenAI does
                continue
            try:
                parsed = orjson.loads(payload)
            except orjson.JSONDecodeError:
                parsed = None
            if isinstance(parsed, list) and len(parsed) == 1:
                parsed = parsed[0]  # how Google sends errors
            if not isinstance(parsed, dict):
                return found + self._reader.fail(_broken("the upstream sent an event that is no JSON object"))
            found += self._reader.read(parsed)
        return found


def decode_answer(data: Mapping[str, Any]) -> list[Event]:
    """A whole answer as the events that a stream of it would have been."""
    reader = AnswerReader()
    return [*reader.read(data), *reader.finish()]


def _broken(message: str) -> Failed:
    return Failed(Failure(FailureKind.PROTOCOL, message))
