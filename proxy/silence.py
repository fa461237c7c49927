"""Keeps one quiet stream's client from giving up: signs of life once the stream has begun, and its head in time where nobody has answered.

Which sign is for whom stands in `proxy.keepalive`; here is when an exchange needs one.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.downstream import Downstream, Lines
from proxy.gateway import Gateway
from proxy.keepalive import Patience, Watched

OPENING = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


class Silence(Watched):
    """Of one streamed exchange. `is_between_events` says whether its answer is."""

    _opening = 0
    """The ticket of the deadline for the head, where there is one."""

    def __init__(
        self, gateway: Gateway, downstream: Downstream, patience: Patience, after_s: float, is_between_events: Callable[[], bool]
    ) -> None:
        self._gateway = gateway
        self._stream = self._downstream = downstream
        self._sign = patience.sign
        self._after_s = after_s
        self._is_between_events = is_between_events

    def open_in_time(self, limit_s: float, names: Callable[[], Lines]) -> None:
        """A harness that gives up when no head of an answer has come gets one with `names` after `limit_s`, unless there is one."""
        self._opening = self._gateway.deadlines.start(limit_s, lambda: self._open(names()))

    def watch(self) -> None:
        """The stream has begun."""
        self._gateway.keepalives.start(self)

    def end(self) -> None:
        """Nothing of ours goes out any more. Harmless at any time."""
        if self._opening:
            self._gateway.deadlines.stop(self._opening)
        self._gateway.keepalives.stop(self)

    def may_speak(self) -> bool:
        return not self._downstream.has_started or self._is_between_events()

    def _open(self, names: Lines) -> None:
        """Called by the sweep: the harness's patience is nearly over."""
        if not self._downstream.has_started:
            self._downstream.open_stream(OPENING + names, self._sign)
            if self._downstream.is_open:
                self.watch()
