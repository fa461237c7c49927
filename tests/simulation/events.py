"""Virtual time: what happens next, in order. Nothing here sleeps, so a day passes as fast as its events are handled."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Timer:
    """Something that will happen, unless it is cancelled first."""

    __slots__ = ("action",)

    def __init__(self, action: Action) -> None:
        self.action: Action | None = action

    def cancel(self) -> None:
        self.action = None


class Events:
    """The clock and the queue of what is to come. What is due at the same moment happens in the order in which it was arranged."""

    def __init__(self, start_s: float) -> None:
        self.now_s = start_s
        self.handled = 0
        self._due: list[tuple[float, int, Timer]] = []
        self._arranged = 0

    def after(self, delay_s: float, action: Action) -> Timer:
        assert delay_s >= 0.0, "the past is over"
        timer = Timer(action)
        self._arranged += 1
        heapq.heappush(self._due, (self.now_s + delay_s, self._arranged, timer))
        return timer

    def at(self, time_s: float, action: Action) -> Timer:
        return self.after(max(0.0, time_s - self.now_s), action)

    def run(self, after_each: Action) -> None:
        """Until nothing is left to happen."""
        while self._due:
            time_s, _, timer = heapq.heappop(self._due)
            if timer.action is None:
                continue
            self.now_s = time_s
            self.handled += 1
            timer.action()
            after_each()
