"""What keeps a quiet stream's client from giving up: which bytes it takes for life, and the sweep that sends them.

A stream that has begun is watched from outside: the sweep looks whether its byte count has moved, so a piece that passes costs nothing.
Nothing is sent before the commit, with one exception: a harness that would give up waiting for the head of an answer gets it in time, with
a sign of life and no word of anybody's answer. Who answers may still change after it; how a failure is told may not (an event, no status).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

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

_UNKNOWN = Temper(patience=frozenset({"comment", "event"}))

SWEEP_S = 1.0
MARGIN_S = 30.0
"""How long before a harness's limit donut has to have said something."""


def keepalive_of(dialect: str, harness: str) -> bytes | None:
    """What may be put between two events of a stream in `dialect` to `harness`; None: nothing."""
    known = HARNESSES.get(harness)
    patience = (known.temper if known is not None else _UNKNOWN).patience
    event = _EVENTS.get(dialect)
    if event is not None and "event" in patience and (dialect in _TAKES_EVENTS or "comment" not in patience):
        return event
    # Formats of which donut knows no such event (legacy completions) still are streams of events.
    return COMMENT if "comment" in patience and dialect in _COMMENTED else None


_COMMENTED = frozenset({*_EVENTS, "completions"})


def speak_by_s(harness: str) -> float | None:
    """Seconds after which `harness` must have seen the beginning of an answer; None: it is more patient than donut's own deadlines."""
    known = HARNESSES.get(harness)
    limit_s = known.temper.header_limit_s if known is not None else None
    return None if limit_s is None else max(1.0, limit_s - MARGIN_S)


class Stream(Protocol):
    """As `proxy.downstream.Downstream` has it."""

    bytes_out: int

    def try_write(self, data: bytes) -> bool: ...


class KeepAlives:
    """Watches streams that have begun. Every `after_s` seconds in which nothing went out, one sign of life goes out; 0 switches it off."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._watched: dict[int, _Watched] = {}
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, stream: Stream, sign: bytes, after_s: float, may_speak: Callable[[], bool]) -> int:
        """A ticket for `stop`. `may_speak`: is the stream between two events now, and not at its end?"""
        self._next += 1
        self._watched[self._next] = _Watched(stream, sign, after_s, may_speak, self._now())
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return self._next

    def stop(self, ticket: int) -> None:
        """Watch it no longer; before its last event goes out, and harmless at any time."""
        self._watched.pop(ticket, None)

    def _sweep(self) -> None:
        now = self._now()
        for watched in self._watched.values():
            watched.look(now)
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep) if self._watched else None


class _Watched:
    __slots__ = ("_after_s", "_bytes_out", "_may_speak", "_moved_at", "_sign", "_stream")

    def __init__(self, stream: Stream, sign: bytes, after_s: float, may_speak: Callable[[], bool], now: float) -> None:
        self._stream = stream
        self._sign = sign
        self._after_s = after_s
        self._may_speak = may_speak
        self._bytes_out = stream.bytes_out
        self._moved_at = now

    def look(self, now: float) -> None:
        stream = self._stream
        if stream.bytes_out == self._bytes_out and now - self._moved_at < self._after_s:
            return
        if stream.bytes_out == self._bytes_out:
            if not self._may_speak():
                return
            # A client that does not even read what it has needs no sign; the next sweep tries again.
            stream.try_write(self._sign)
        self._bytes_out = stream.bytes_out
        self._moved_at = now
