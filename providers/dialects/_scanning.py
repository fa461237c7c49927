"""The scanner of event streams whose events name their type: holds back unfinished events, and leaves runs of plain content unparsed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import orjson

from providers import sse
from providers.dialects import ErrorReply
from routing.facts import Failure
from routing.types import Usage


class EventScanner(ABC):
    """A dialect says which events matter (`is_marked`), how content looks (`content_mark`), and what an event means (`read`)."""

    __slots__ = ("_held", "aside", "content_events", "failure", "has_content", "is_finished", "usage")

    content_mark: ClassVar[bytes]
    """Stands once in every event of content, and in no text: inside JSON strings quotes are escaped."""

    def __init__(self) -> None:
        self._held = b""
        self.has_content = False
        self.is_finished = False
        self.usage: Usage | None = None
        self.failure: Failure | None = None
        self.content_events = 0
        self.aside: dict[str, Any] | None = None

    @staticmethod
    @abstractmethod
    def is_marked(data: bytes) -> bool:
        """Could something else than content stand in `data`? Runs for every piece of every stream, and CPython searches backwards twice
        as fast as forwards."""

    @abstractmethod
    def read(self, event: dict[str, Any]) -> None:
        """Take note of one parsed event."""

    @property
    def output_tokens_estimated(self) -> int:
        """Most servers send one token per event; calibration learns those that do not."""
        return self.content_events

    def feed(self, data: bytes) -> bytes:
        if self.has_content and not self._held and data.endswith(b"\n\n") and not self.is_marked(data):
            self.content_events += data.count(self.content_mark)
            return data
        if self._held:
            data = self._held + data
        end = sse.last_boundary(data)
        if not end and len(data) > sse.MAX_EVENT_BYTES:
            end = len(data)
        self._held = data[end:]
        return self._scan(data[:end]) if end else b""

    def finish(self) -> bytes:
        rest, self._held = self._held, b""
        if rest:
            rest = self._scan(rest)
            if self.failure is not None:
                rest += b"\n\n"  # an error event that lacked its blank line: what follows must not become part of it
        return rest

    @abstractmethod
    def end_with(self, reply: ErrorReply) -> bytes:
        """The frames that end the stream here."""

    def _scan(self, data: bytes) -> bytes:
        """Read what must be read of complete events; returns them up to an error."""
        position = 0
        for event in sse.events(data):
            position += len(event)
            if self.has_content and not self.is_marked(event):
                self.content_events += event.count(self.content_mark)
            else:
                self._read(event)
            if self.failure is not None:
                # Nothing behind an error is forwarded, or what the client sees would depend on how the bytes were cut.
                self._held = b""
                return data[:position]
        return data

    def _read(self, event: bytes) -> None:
        payload = sse.payload(event)
        if payload is None or payload.strip() == b"[DONE]":
            return
        try:
            parsed = orjson.loads(payload)
        except orjson.JSONDecodeError:
            parsed = None
        if isinstance(parsed, dict):
            self.read(parsed)
        else:
            self.has_content = True  # not ours to judge: it goes through, and counts as content, so that it is never sent twice
