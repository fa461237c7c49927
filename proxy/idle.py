"""Client connections that wait for their next request, and the one sweep that closes those which wait too long.

uvicorn arms a timer after every answer and takes it back with the next request; one look a second at the oldest does the same.
"""

from __future__ import annotations

import asyncio
import weakref
from itertools import takewhile
from typing import Protocol

SWEEP_S = 1.0
"""How much later than its time a connection may be closed."""


class Idle(Protocol):
    def timeout_keep_alive_handler(self) -> None:
        """Close the connection: nobody has asked anything for too long. uvicorn's name."""


class IdleConnections:
    """One per event loop."""

    __slots__ = ("_timer", "_until")

    def __init__(self) -> None:
        self._until: dict[Idle, float] = {}
        """Connection → loop time from which on it may be closed. All wait equally long, so the first one's time comes first."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Idle, keep_alive_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._until[connection] = loop.time() + keep_alive_s
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_S, self._sweep, loop)

    def discard(self, connection: Idle) -> None:
        self._until.pop(connection, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(takewhile(lambda each: self._until[each] <= now, self._until)):
            del self._until[connection]
            connection.timeout_keep_alive_handler()
        self._timer = loop.call_later(SWEEP_S, self._sweep, loop) if self._until else None


_of_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, IdleConnections] = weakref.WeakKeyDictionary()


def idle_connections(loop: asyncio.AbstractEventLoop) -> IdleConnections:
    found = _of_loop.get(loop)
    if found is None:
        found = _of_loop[loop] = IdleConnections()
    return found
