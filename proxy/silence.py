"""Keeps one quiet stream's client from giving up: signs of life once the stream has begun, and its head in time where nobody has answered.

Which sign is for whom stands in `proxy.keepalive`; here is when an exchange needs one.
"""

from __future__ import annotations

from collections.abc import Callable

from providers.transport.port import Headers
from proxy.downstream import Downstream
from proxy.gateway import Gateway
from proxy.keepalive import keepalive_of, speak_by_s

OPENING: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


class Silence:
    """Of one streamed exchange, to a client that a sign helps. `may_speak` says whether the answer is between two events."""

    def __init__(self, gateway: Gateway, downstream: Downstream, sign: bytes, after_s: float, may_speak: Callable[[], bool]) -> None:
        self._gateway = gateway
        self._downstream = downstream
        self._sign = sign
        self._after_s = after_s
        self._may_speak = may_speak
        self._opening = self._watching = 0

    def open_in_time(self, harness: str, within_s: float, names: Callable[[], Headers]) -> None:
        """Some harnesses give up when no head of an answer has come, before donut's own `within_s`: those get one with `names` in time."""
        limit_s = speak_by_s(harness)
        if limit_s is not None and limit_s < within_s:
            self._opening = self._gateway.deadlines.start(limit_s, lambda: self._open(names()))

    def watch(self) -> None:
        """The stream has begun."""
        if not self._watching:
            self._watching = self._gateway.keepalives.start(self._downstream, self._sign, self._after_s, self._may_say)

    def end(self) -> None:
        """Nothing of ours goes out any more. Harmless at any time."""
        self._gateway.deadlines.stop(self._opening)
        self._gateway.keepalives.stop(self._watching)

    def _open(self, names: Headers) -> None:
        """Called by the sweep: the harness's patience is nearly over."""
        if not self._downstream.has_started:
            self._downstream.open_stream([*OPENING, *names], self._sign)
            if self._downstream.is_open:
                self.watch()

    def _may_say(self) -> bool:
        return not self._downstream.has_started or self._may_speak()


def silence_of(
    gateway: Gateway, downstream: Downstream, dialect: str, harness: str, *, after_s: float, may_speak: Callable[[], bool]
) -> Silence | None:
    """None where there is nothing that may be said to `harness`, or config wants nothing said."""
    sign = keepalive_of(dialect, harness) if after_s > 0 else None
    return Silence(gateway, downstream, sign, after_s, may_speak) if sign is not None else None
