"""What keeps a quiet stream's client from giving up: which bytes it takes for life, and the sweep that sends them.

A stream that has begun is watched from outside: the sweep looks whether its byte count has moved, so a piece that passes costs nothing.
Nothing is sent before the commit, with one exception: a harness that would give up waiting for the head of an answer gets it in time, with
a sign of life and no word of anybody's answer. Who answers may still change after it; how a failure is told may not (an event, no status).
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol

from proxy.harness import HARNESSES
from proxy.harnesses import Temper

COMMENT = b": keep-alive\n\n"
"""By the standard of server-sent events nobody sees it; what OpenRouter sends as well."""

_EVENTS: Mapping[str, bytes] = {
    # An empty `choices` is what the usage chunk has, so whoever asks for usage can take it.
    "chat": b'data: {"id":"keep-alive","object":"chat.completion.chunk","created":0,"model":"","choices":[]}\n\n',
    "messages": b'event: ping\ndata: {"type": "ping"}\n\n',
    # OpenAI's own name for it. Behind `response.created`, before which the SDK takes nothing.
    "responses": b'event: keepalive\ndata: {"type":"keepalive","sequence_number":0}\n\n',
}
_TAKES_EVENTS = frozenset({"messages", "responses"})
"""Here every client of the format has to pass over events that it does not know; in chat, programs read `choices[0]` of every chunk."""

_COMMENTED = frozenset({*_EVENTS, "completions"})
_UNKNOWN = Temper(patience=frozenset({"comment", "event"}))

SWEEP_S = 1.0
MARGIN_S = 30.0
"""How long before a harness's limit donut has to have said something."""


class Patience(NamedTuple):
    """How a harness bears silence in one dialect."""

    sign: bytes
    """What may be put between two events of a stream."""
    speak_by_s: float = math.inf
    """Seconds after which it must have seen the beginning of an answer; infinite: it is more patient than donut's own deadlines."""


@lru_cache(maxsize=256)
def patience_of(dialect: str, harness: str) -> Patience | None:
    """None: nothing may be said to it but the answer."""
    known = HARNESSES.get(harness)
    temper = known.temper if known is not None else _UNKNOWN
    by_s = math.inf if temper.header_limit_s is None else max(1.0, temper.header_limit_s - MARGIN_S)
    event = _EVENTS.get(dialect)
    if event is not None and "event" in temper.patience and (dialect in _TAKES_EVENTS or "comment" not in temper.patience):
        return Patience(event, by_s)
    # Formats of which donut knows no such event (legacy completions) still are streams of events.
    return Patience(COMMENT, by_s) if "comment" in temper.patience and dialect in _COMMENTED else None


class Stream(Protocol):
    """As `proxy.downstream.Downstream` has it."""

    bytes_out: int

    def try_write(self, data: bytes) -> bool: ...


class Watched(ABC):
    """One stream, of a client that a sign helps."""

    _stream: Stream
    _sign: bytes
    _after_s: float
    _bytes_seen = -1
    """What had gone out when the sweep looked last. Only the sweep takes note, so a stream that is over before it comes costs nothing."""
    _moved_at = 0.0

    @abstractmethod
    def may_speak(self) -> bool:
        """Is the stream between two events now, and not at its end?"""

    def look(self, now: float) -> None:
        stream = self._stream
        if stream.bytes_out == self._bytes_seen:
            if now - self._moved_at < self._after_s or not self.may_speak():
                return
            # A client that does not even read what it has needs no sign; the next sweep tries again.
            stream.try_write(self._sign)
        self._bytes_seen = stream.bytes_out
        self._moved_at = now


class KeepAlives:
    """Watches streams that have begun. Every `after_s` seconds in which nothing went out, one sign of life goes out."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, stream: Watched) -> None:
        """Harmless when it is watched already."""
        self._watched.add(stream)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def stop(self, stream: Watched) -> None:
        """Watch it no longer; before its last event goes out, and harmless at any time."""
        self._watched.discard(stream)

    def _sweep(self) -> None:
        now = self._now()
        for stream in self._watched:
            stream.look(now)
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep) if self._watched else None
