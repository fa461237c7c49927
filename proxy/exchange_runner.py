"""One task per client connection, which runs the connection's exchanges one after the other.

A task per exchange costs more than its making: asyncio enters it into a set of weak references and takes it out again, in Python, copies
the context for it, and calls whoever waits for its end. Together that was 3 % of a 2 KB request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.downstream import Exchanging

Ended = Callable[[], None]


class ExchangeRunner:
    """Belongs to one connection. An exchange that is cancelled must have dealt with it when it ends: the next one has the same task."""

    __slots__ = ("_loop", "_task", "_tasks", "_wanted")

    def __init__(self, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        """`tasks`: those that the server waits for when it stops."""
        self._loop = loop
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        """The one that goes on to the next exchange; None when there is none to come."""
        self._wanted: asyncio.Future[tuple[Exchanging, Ended]] | None = None
        """Pending while the task has nothing to do."""

    def run(self, exchange: Exchanging, ended: Ended) -> asyncio.Task[None]:
        """Start `exchange` when what is ready now has had its turn. Returns the task it runs in; `ended` is called when it is over, however
        it ends."""
        wanted, task = self._wanted, self._task
        self._wanted = None
        if task is None or wanted is None or wanted.done():
            # The first one; one that ended badly before this; or one that is still under way though its answer is complete.
            # Not by the loop's `create_task`: a task without a name makes itself one, which takes as long as the rest of it.
            task = self._task = asyncio.Task(self._run_all(exchange, ended), loop=self._loop, name="exchanges")
            task.add_done_callback(self._tasks.discard)
            self._tasks.add(task)
        else:
            wanted.set_result((exchange, ended))
        return task

    def end(self) -> None:
        """The connection is gone: the task ends, if it has something to do with that."""
        self._task = None
        if self._wanted is not None:
            self._wanted.cancel()

    async def _run_all(self, exchange: Exchanging, ended: Ended) -> None:
        task = asyncio.current_task()
        while True:
            try:
                await exchange
            finally:
                ended()
            del exchange, ended  # they know the connection, and through it this task
            if self._task is not task:
                return
            wanted = self._wanted = self._loop.create_future()
            try:
                exchange, ended = await wanted
            except asyncio.CancelledError:
                if wanted.done() and not wanted.cancelled():  # wanted and cancelled in the same turn: it has not begun, and will not
                    exchange, ended = wanted.result()
                    exchange.close()
                    ended()
                return
            del wanted
