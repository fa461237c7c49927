"""The bytes of an event stream → events: what every dialect's stream decoder is. The dialect is a reader of parsed events."""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from providers import sse
from providers.codecs.events import Event, Failed
from routing.facts import Failure, FailureKind


class EventReader(Protocol):
    """A dialect's state machine. Behind the end, however it came, it says nothing more."""

    def read(self, data: dict[str, Any]) -> list[Event]:
        """What one parsed event says."""
        ...

    def fail(self, failed: Failed) -> list[Event]:
        """The end, in the middle of it."""
        ...

    def finish(self) -> list[Event]:
        """The end, if the upstream said why it ended."""
        ...


class EventDecoder:
    """Any split of the bytes gives the same events.

    The `type` inside the data counts; an `event:` line only repeats it and is not looked at. Comments say nothing. `[DONE]` is the end in
    every format: relays close others' streams with it as well.
    """

    __slots__ = ("_held", "_reader")

    def __init__(self, reader: EventReader) -> None:
        self._held = b""
        self._reader = reader

    def feed(self, data: bytes) -> list[Event]:
        if self._held:
            data = self._held + data
        end = sse.last_boundary(data)
        self._held = data[end:]
        found = self._read(data[:end]) if end else []
        if len(self._held) > sse.MAX_EVENT_BYTES:
            self._held = b""
            found += self._too_large()
        return found

    def finish(self) -> list[Event]:
        """The last event, where its blank line is missing, and the end."""
        rest, self._held = self._held, b""
        return [*self._read(rest), *self._reader.finish()]

    def _read(self, data: bytes) -> list[Event]:
        found: list[Event] = []
        for event in sse.events(data):
            if len(event) > sse.MAX_EVENT_BYTES:  # whole or in pieces: it must not depend on how it was cut
                found += self._too_large()
                continue
            payload = _payload(event)
            if payload is None or not (payload := payload.strip()):
                continue
            found += self._reader.finish() if payload == b"[DONE]" else self._parsed(payload)
        return found

    def _parsed(self, payload: bytes) -> list[Event]:
        try:
            data = orjson.loads(payload)
        except orjson.JSONDecodeError:
            data = None
        if isinstance(data, list) and len(data) == 1:
            data = data[0]  # how Google sends errors
        return self._reader.read(data) if isinstance(data, dict) else self._broken("the upstream sent an event that is no JSON object")

    def _too_large(self) -> list[Event]:
        return self._broken("an event of the upstream's is larger than 1 MiB")

    def _broken(self, message: str) -> list[Event]:
        return self._reader.fail(Failed(Failure(FailureKind.PROTOCOL, message)))


def _payload(event: bytes) -> bytes | None:
    """The event's data. Nearly everyone sends one line of it, behind an `event:` line or none: those need no splitting into lines."""
    if b"\r" in event or event.count(b"data:") != 1:
        return sse.payload(event)
    start = event.find(b"data:")
    if start > 0 and event[start - 1 : start] != b"\n":
        return sse.payload(event)
    end = event.find(b"\n", start)
    return event[start + 5 : end] if end >= 0 else event[start + 5 :]
