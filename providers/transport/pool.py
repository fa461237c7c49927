"""Which connections of one origin are open, and who gets the next one. Bookkeeping only: it opens nothing and knows no HTTP.

Rules:
- A *slot* is the right to have one connection open. `open` counts the slots that are taken: idle, active or connecting.
- Waiters are served first come, first served. While somebody waits nothing is idle and no slot is free, so nobody can overtake.
- A waiter that is cancelled hands on what it was just given.
- The idle connection that was used last goes first (LIFO): the others grow old and expire, so the pool shrinks with the load.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

MAX_CONNECTIONS = 2048
"""Per origin. More than the streams one worker is built for (DESIGN §6: 1,000), below a usual limit of 4,096 open files."""
IDLE_EXPIRY_S = 55.0
"""Below the 60 s after which common servers and load balancers hang up: whoever closes first avoids the race."""


class Closable(Protocol):
    is_open: bool

    def abort(self) -> None:
        """Close now, synchronously, whatever is going on."""
        ...


C = TypeVar("C", bound=Closable)


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """Connections of one origin at one moment."""

    idle: int
    active: int
    """Answering, or being connected."""
    waiting: int
    """Requests in the queue for a slot."""


class Pool(Generic[C]):
    """The connections of one origin, at most `limit` of them open."""

    __slots__ = ("_idle", "_waiters", "active", "limit", "open")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.open = 0
        self.active: set[C] = set()
        """Connections that carry a request now: what the deadline sweep looks at."""
        self._idle: dict[C, float] = {}
        """Connection → loop time since when it is idle; the oldest first."""
        self._waiters: OrderedDict[asyncio.Future[C | None], None] = OrderedDict()

    def counts(self) -> PoolCounts:
        return PoolCounts(len(self._idle), self.open - len(self._idle), len(self._waiters))

    def take(self) -> C | None:
        """An idle connection, the freshest, or None."""
        while self._idle:
            connection = self._idle.popitem()[0]
            if connection.is_open:
                return connection
            self.free_slot()  # it is closing, its last callback has not run yet
        return None

    def reserve(self) -> bool:
        """Take a slot for a new connection, if there is one. Call only when `take()` found nothing."""
        if self.open >= self.limit:
            return False
        self.open += 1
        return True

    async def wait(self) -> C | None:
        """Queue for a connection; None means: a slot, open one yourself. Either way the caller owns one slot afterwards."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[C | None] = loop.create_future()
        self._waiters[waiter] = None
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._waiters.pop(waiter, None)
            elif waiter.exception() is None:  # granted in the same turn of the loop in which we were cancelled
                connection = waiter.result()
                if connection is None:
                    self.free_slot()
                else:
                    self.give_back(connection, loop.time())
            raise

    def give_back(self, connection: C, now: float) -> None:
        """A connection that is clean and still open: to the first waiter, else idle."""
        waiter = self._next_waiter() if self._waiters else None
        if waiter is None:
            self._idle[connection] = now
        else:
            waiter.set_result(connection)

    def free_slot(self) -> None:
        """A connection is gone, or was never made: its slot goes to the first waiter, else it is free."""
        waiter = self._next_waiter()
        if waiter is None:
            self.open -= 1
        else:
            waiter.set_result(None)

    def forget(self, connection: C) -> None:
        """A connection closed by itself. Frees its slot if it was idle; otherwise the slot belongs to whoever uses it."""
        if self._idle.pop(connection, None) is not None:
            self.free_slot()

    def idle_since(self) -> float | None:
        """Loop time since when the oldest idle connection is idle."""
        return next(iter(self._idle.values()), None)

    def expire(self, before: float) -> None:
        """Close every connection that is idle since `before` (loop time) or longer."""
        oldest = self.idle_since()
        if oldest is None or oldest > before:
            return
        for connection, since in list(self._idle.items()):
            if since > before:
                break
            self.forget(connection)
            connection.abort()

    def close(self, make_error: Callable[[], Exception]) -> None:
        """Shutdown: abort every connection and let every waiter fail with an error of its own."""
        while (waiter := self._next_waiter()) is not None:
            waiter.set_exception(make_error())
        self.expire(float("inf"))
        for connection in tuple(self.active):
            connection.abort()

    def _next_waiter(self) -> asyncio.Future[C | None] | None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                return waiter
        return None
