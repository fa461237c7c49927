"""Client connections that wait for their next request, and the one sweep that closes those which wait too long.

uvicorn arms a timer after every answer and takes it back with the next request. Here the sweep counts how often it has found a connection
waiting, and a request only has to set that count back: no clock is read, and nothing is put in or taken out.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Protocol

SWEEP_S = 1.0
"""How much later than its time a connection may be closed."""


class Idle(Protocol):
    """uvicorn's names, and one of ours."""

    timeout_keep_alive: int
    """Seconds."""
    sweeps_idle: int
    """Sweeps that found it waiting for its next request since it began to wait; below 0 while it does not wait for one."""

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection: nobody has asked anything for too long."""


class IdleConnections:
    """All connections of one event loop, waiting or not."""

    __slots__ = ("_connections", "_timer")

    def __init__(self) -> None:
        self._connections: set[Idle] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Idle) -> None:
        self._connections.add(connection)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SWEEP_S, self._sweep, loop)

    def discard(self, connection: Idle) -> None:
        self._connections.discard(connection)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        for connection in tuple(self._connections):
            if connection.sweeps_idle >= 0:
                connection.sweeps_idle += 1
                # The first of these sweeps may have come at once: only the time between them is sure to have passed.
                if (connection.sweeps_idle - 1) * SWEEP_S >= connection.timeout_keep_alive:
                    connection.timeout_keep_alive_handler()
        self._timer = loop.call_later(SWEEP_S, self._sweep, loop) if self._connections else None


_of_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, IdleConnections] = weakref.WeakKeyDictionary()


def idle_connections(loop: asyncio.AbstractEventLoop) -> IdleConnections:
    found = _of_loop.get(loop)
    if found is None:
        found = _of_loop[loop] = IdleConnections()
    return found
