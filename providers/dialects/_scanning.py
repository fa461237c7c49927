"""The scanner of event streams whose events name their type: holds back unfinished events, and leaves runs of plain content unparsed."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import orjson

from providers import sse
from providers.dialects import ErrorReply
from providers.sse import EVENT_ENDS
from routing.facts import Failure
from routing.types import Usage


class EventScanner(ABC):
    """A dialect says which events matter (`marks`), how content looks (`content_mark`), and what an event means (`read`)."""

    __slots__ = ("_held", "aside", "content_events", "failure", "has_content", "is_finished", "usage")

    content_mark: ClassVar[bytes]
    """Stands once in every event of content, and in no text: inside JSON strings quotes are escaped."""

    marks: ClassVar[tuple[bytes, ...]]
    """One of them stands in every event that is something else than content."""

    _any_mark: ClassVar[re.Pattern[bytes]]
    """All of them in one search, for a piece of a stream: an event or two. In long runs looking for each is quicker, and backwards, because
    CPython searches so twice as fast as forwards."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._any_mark = re.compile(b"|".join(map(re.escape, cls.marks)))

    def __init__(self) -> None:
        self._held = b""
        self.has_content = False
        self.is_finished = False
        self.usage: Usage | None = None
        self.failure: Failure | None = None
        self.content_events = 0
        self.aside: dict[str, Any] | None = None

    @abstractmethod
    def read(self, event: dict[str, Any]) -> None:
        """Take note of one parsed event."""

    @property
    def output_tokens_estimated(self) -> int:
        """Most servers send one token per event; calibration learns those that do not."""
        return self.content_events

    def passes(self, data: bytes) -> bool:
        if self.has_content and not self._held and data.endswith(EVENT_ENDS) and self._any_mark.search(data) is None:
            self.content_events += data.count(self.content_mark)
            return True
        return False

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
            self._held = b""
        if not data.endswith(EVENT_ENDS):
            data = self._without_unfinished(data)
        return self._scan(data) if data else data

    def _without_unfinished(self, data: bytes) -> bytes:
        """Up to the last blank line; what stands behind it is held."""
        end = sse.last_boundary(data)
        if end or len(data) <= sse.MAX_EVENT_BYTES:
            self._held = data[end:]
            return data[:end]
        return data

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
        """Read what must be read of complete events; returns them up to an error.

        A stream that comes in one piece is the beginning, one run of plain content and the end, and no work is done for every event of it.
        """
        position, size = 0, len(data)
        while not self.has_content and position < size:
            end = sse.event_end(data, position)
            self._read(data[position:end])
            position = end
            if self.failure is not None:
                return self._up_to_failure(data, end)
        plain, position = position, self._marked_event(data, position)
        self.content_events += data.count(self.content_mark, plain, position)
        if position == size:
            return data
        for event in sse.events(data[position:]):
            position += len(event)
            if self._any_mark.search(event) is None:
                self.content_events += event.count(self.content_mark)
            else:
                self._read(event)
            if self.failure is not None:
                return self._up_to_failure(data, position)
        return data

    def _up_to_failure(self, data: bytes, end: int) -> bytes:
        """Nothing behind an error is forwarded, or what the client sees would depend on how the bytes were cut."""
        self._held = b""
        return data[:end]

    def _marked_event(self, data: bytes, position: int) -> int:
        """Where the first event that carries a mark begins, from the one at `position` on; the end of `data` where there is none."""
        size = first = len(data)
        for mark in self.marks:
            if data.rfind(mark, position, first) >= 0:
                first = data.find(mark, position, first)
        return size if first == size else position + sse.last_boundary(data[position:first])

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
