"""Keeps a running process's ledger fresh: asks the feeds that config lists, each at its own pace, and notices what others put beside them
(`donut ledger refresh` and `import`, adapters, another worker).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from config.ledger.refreshing import Asking, feeds_named
from config.ledger.schedule import Schedule
from config.ledger.shelf import Shelf
from config.ledger.subjects import KnownSubjects
from config.ledger_settings import SourceSettings
from routing.ledger.readings import LIVE

log = structlog.get_logger("donut.ledger")

LOOK_S = 5.0
"""Between two looks at the folder: a dozen files, some 30 µs."""

Seen = frozenset[tuple[str, int, int]]
"""(name, time, size) of the files that are served by; what donut measured itself is none of them."""


def seen_in(folder: Path) -> Seen:
    """Empty while there is no folder."""
    try:
        found = [(entry.name, entry.stat()) for entry in os.scandir(folder) if entry.name.endswith(".json")]
    except OSError:
        return frozenset()
    return frozenset((name, stat.st_mtime_ns, stat.st_size) for name, stat in found if name != f"{LIVE}.json")


class Keeper:
    def __init__(self, shelf: Shelf, environ: Mapping[str, str], changed: Callable[[], None]) -> None:
        """`changed` is called on the loop when there is something new in the folder, whoever brought it."""
        self._shelf = shelf
        self._environ = environ
        self._changed = changed
        self._seen = seen_in(shelf.folder)
        self._listed: Mapping[str, SourceSettings] = {}
        self._task: asyncio.Task[None] | None = None

    async def take_over(self, listed: Mapping[str, SourceSettings]) -> None:
        """Ask these sources from now on; the same list again changes nothing."""
        if listed == self._listed and self._task is not None:
            return
        await self.stop()
        self._listed = dict(listed)
        if any(said.enabled for said in listed.values()):
            self._task = asyncio.create_task(self._run(), name="ledger-feeds")

    async def watch(self) -> None:
        """Look at the folder now and then, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        seen = seen_in(self._shelf.folder)
        if seen != self._seen:
            self._seen = seen
            self._changed()

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        # The names of all entries take some 40 ms to index: not on the loop that relays streams.
        library = await asyncio.to_thread(lambda: self._shelf.library)
        names = await asyncio.to_thread(lambda: library.names)
        subjects = KnownSubjects(library.entries, names.match)
        feeds = feeds_named(name for name, said in self._listed.items() if said.enabled)
        asking = Asking(self._listed, self._shelf.folder, self._environ, subjects, feeds)
        await Schedule(asking, self.look).run()
