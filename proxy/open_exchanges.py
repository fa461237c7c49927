"""The exchanges under way: how many there are, and which of them are too late. One sweep looks at their deadlines, so that no timer has to
be made and taken back for every request.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from proxy.deadlines import SWEEP_S

NEVER = math.inf


class Open(Protocol):
    """What is asked of an exchange."""

    due_s: float
    """By when its answer must have begun, on the gateway's clock; `NEVER` where nobody waits any more."""
    is_draining: bool

    def deadline_passed(self) -> None: ...


class OpenExchanges(set[Open]):
    """Whoever adds to it while it is empty calls `begin_sweeping`."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._timer: asyncio.TimerHandle | None = None

    @property
    def draining(self) -> int:
        return sum(exchange.is_draining for exchange in self)

    def begin_sweeping(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now_s = self._now()
        for exchange in [exchange for exchange in self if exchange.due_s <= now_s]:
            exchange.due_s = NEVER
            exchange.deadline_passed()
        if self:
            self.begin_sweeping()
