"""Deadlines that some exchanges have besides their own (`proxy.open_exchanges`), kept by one sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SWEEP_S = 0.05
"""How late a deadline may be noticed."""


class Deadlines:
    """`start` gives a ticket; `stop` takes it back; a ticket that is still out at its time has its callback called, once."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._open: dict[int, tuple[float, Callable[[], None]]] = {}
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, after_s: float, on_passed: Callable[[], None]) -> int:
        self._next += 1
        self._open[self._next] = (self._now() + after_s, on_passed)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return self._next

    def stop(self, ticket: int) -> None:
        """Forget `ticket`; harmless when it has passed or was stopped before."""
        self._open.pop(ticket, None)

    def _sweep(self) -> None:
        self._timer = None
        now = self._now()
        passed = [ticket for ticket, (at, _) in self._open.items() if at <= now]
        for ticket in passed:
            self._open.pop(ticket)[1]()
        if self._open:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
