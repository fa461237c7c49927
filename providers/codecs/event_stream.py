"""The bytes of an event stream → its events' data, parsed: what every stream decoder begins with. Any split of the bytes gives the same."""

from __future__ import annotations

from typing import Any

import orjson

from providers import sse
from routing.facts import Failure, FailureKind


class BrokenStreamError(Exception):
    """What came is no event stream of JSON objects. `read` holds what was good before it."""

    def __init__(self, message: str, read: list[dict[str, Any]]) -> None:
        super().__init__(message)
        self.read = read

    @property
    def failure(self) -> Failure:
        return Failure(FailureKind.PROTOCOL, str(self))


class EventStream:
    """The `type` inside the data counts; an `event:` line only repeats it and is not looked at. `[DONE]` and comments say nothing."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The events that are complete now. Raises BrokenStreamError."""
        if self._held:
            data = self._held + data
        end = sse.last_boundary(data)
        self._held = data[end:]
        found = self._parse(data[:end]) if end else []
        if len(self._held) > sse.MAX_EVENT_BYTES:
            self._held = b""
            raise BrokenStreamError("an event of the upstream's is larger than 1 MiB", found)
        return found

    def finish(self) -> list[dict[str, Any]]:
        """The last event, where its blank line is missing. Raises BrokenStreamError."""
        rest, self._held = self._held, b""
        return self._parse(rest)

    def _parse(self, data: bytes) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for event in sse.events(data):
            payload = _payload(event)
            if payload is None or payload.strip() in (b"", b"[DONE]"):
                continue
            try:
                parsed = orjson.loads(payload)
            except orjson.JSONDecodeError:
                parsed = None
            if not isinstance(parsed, dict):
                raise BrokenStreamError("the upstream sent an event that is no JSON object", found)
            found.append(parsed)
        return found


def _payload(event: bytes) -> bytes | None:
    """The event's data. Nearly everyone sends one line of it, behind an `event:` line or none: those need no splitting into lines."""
    if b"\r" in event or event.count(b"data:") != 1:
        return sse.payload(event)
    start = event.find(b"data:")
    if start > 0 and event[start - 1 : start] != b"\n":
        return sse.payload(event)
    end = event.find(b"\n", start)
    return event[start + 5 : end] if end >= 0 else event[start + 5 :]
