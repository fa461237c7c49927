"""One task per client connection, which runs the connection's exchanges one after the other.

A task per exchange costs more than its making: asyncio enters it into a set of weak references and takes it out again, in Python, copies
the context for it, and calls whoever waits for its end. Together that was 3 % of a 2 KB request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Exchanging = Coroutine[Any, Any, None]
Ended = Callable[["asyncio.Task[None]"], None]


class ExchangeRunner:
    """Belongs to one connection. An exchange that is cancelled must have dealt with it when it ends: the next one has the same task."""

    __slots__ = ("_is_over", "_loop", "_next", "_task", "_wanted")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._next: tuple[Exchanging, Ended] | None = None
        self._wanted: asyncio.Future[None] | None = None
        """Pending while the task has nothing to do."""
        self._is_over = False

    def run(self, exchange: Exchanging, ended: Ended) -> asyncio.Task[None]:
        """Start `exchange` when what is ready now has had its turn. Returns the task it runs in, with which `ended` is called when it is
        over, however it ends."""
        wanted, task = self._wanted, self._task
        if task is None or wanted is None or wanted.done():
            # The first one; one that ended badly before this; or one that is still under way though its answer is complete.
            self._next = (exchange, ended)
            self._wanted = None
            # Not by the loop's `create_task`: a task without a name makes itself one, which takes as long as the rest of it.
            task = self._task = asyncio.Task(self._run_all(), loop=self._loop, name="exchanges")
        else:
            self._next = (exchange, ended)
            self._wanted = None
            wanted.set_result(None)
        return task

    def end(self) -> None:
        """The connection is gone: the task ends, if it has something to do with that."""
        self._is_over = True
        if self._wanted is not None:
            self._wanted.cancel()

    async def _run_all(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        while (wish := self._take()) is not None:
            exchange, ended = wish
            try:
                await exchange
            finally:
                ended(task)
            del wish, exchange, ended  # they know the connection, and through it this task
            if self._is_over or self._task is not task:
                return
            self._wanted = self._loop.create_future()
            try:
                await self._wanted
            except asyncio.CancelledError:
                if (wish := self._take()) is not None:  # wanted and cancelled in the same turn: it has not begun, and will not
                    wish[0].close()
                    wish[1](task)
                return

    def _take(self) -> tuple[Exchanging, Ended] | None:
        wish, self._next = self._next, None
        return wish
