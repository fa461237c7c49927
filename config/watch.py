"""Reload: the config file changes, or SIGHUP comes, and the new configuration is applied – or refused, and the old one stays.

Rules:
- The directory is watched, not the file: editors replace a file by renaming a new one over it, and Kubernetes swaps a symbolic
  link beside it. What counts is whether the bytes behind the path changed.
- One reload at a time, in the order of the causes; several causes during a reload become one more.
- A file that can not be used is reported and changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path

import watchfiles

from config.problems import ConfigError
from config.source import Loaded

DEBOUNCE_MS = 200
"""An editor's save is a burst of events; they are taken together once the burst has lasted this long."""
STEP_MS = 50
"""Silence that ends a burst early."""

_EMPTY = hashlib.sha256(b"").digest()
"""`generate > donut.yaml` empties the file first and fills it later. To donut an empty file means all defaults, no keys among
them; nobody wants that between two configurations. Who does mean it can say so with SIGHUP."""


class ConfigWatcher:
    """Watches one config file for as long as `run` runs.

    `read` loads it (in a thread: parsing must not hold up the streams) and raises ConfigError; `apply` puts it to use, and may
    raise ConfigError as well if that is impossible; `refuse` is told about either. Any other exception is a bug and leaves `run`.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], Loaded],
        apply: Callable[[Loaded], Awaitable[None]],
        refuse: Callable[[ConfigError], None],
    ) -> None:
        self._path = path.absolute()
        self._read = read
        self._apply = apply
        self._refuse = refuse
        self._seen = _fingerprint(self._path)
        self._wake = asyncio.Event()
        self._asked = False
        """SIGHUP reloads even if the bytes are the same: whoever sends it wants to see something happen."""

    def reload(self) -> None:
        """Ask for a reload, as SIGHUP does. Only from the event loop's thread."""
        self._asked = True
        self._wake.set()

    async def run(self) -> None:
        """Watch until cancelled. The SIGHUP handler is installed for that time, where the platform has signals."""
        with _on_sighup(self.reload):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_files(), name="config-files")
                tasks.create_task(self._reload_when_woken(), name="config-reload")

    async def _reload_when_woken(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            fingerprint = await asyncio.to_thread(_fingerprint, self._path)
            if not self._asked and fingerprint in (self._seen, _EMPTY):
                continue
            self._asked = False
            self._seen = fingerprint
            try:
                await self._apply(await asyncio.to_thread(self._read))
            except ConfigError as error:
                self._refuse(error)

    async def _watch_files(self) -> None:
        """Wake on changes around the file, and around what it links to. Ends when the directory is gone: then SIGHUP is left."""
        while True:
            directories = await asyncio.to_thread(_directories, self._path)
            if not directories:
                return
            # Runs when this task first waits, which is after the watch is armed: what changed before that is not missed.
            asyncio.get_running_loop().call_soon(self._wake.set)
            async with contextlib.aclosing(_changes(directories)) as changes:
                async for _ in changes:
                    self._wake.set()
                    if await asyncio.to_thread(_directories, self._path) != directories:
                        break
                else:
                    return


async def _changes(directories: set[Path]) -> AsyncGenerator[None]:
    """One item per burst of changes directly below `directories`."""
    for force_polling in (None, True):
        changes = watchfiles.awatch(
            *directories, watch_filter=None, debounce=DEBOUNCE_MS, step=STEP_MS, recursive=False, force_polling=force_polling
        )
        # No inotify, or none left (fs.inotify.max_user_watches is an OSError, max_user_instances a RuntimeError of a class that
        # the library does not export): its own polling needs neither.
        with contextlib.suppress(OSError, RuntimeError):
            async with contextlib.aclosing(changes):
                async for _ in changes:
                    yield None
                return


def _directories(path: Path) -> set[Path]:
    """Where a change may touch `path`: its directory, and the one of the file behind a symbolic link. Without those that are gone."""
    return {directory for directory in (path.parent, path.resolve().parent) if directory.is_dir()}


def _fingerprint(path: Path) -> bytes | None:
    """Changes with the bytes behind `path`; None while there are none, which is normal in the middle of a replacement."""
    try:
        return hashlib.sha256(path.read_bytes().strip()).digest()
    except OSError:
        return None


@contextlib.contextmanager
def _on_sighup(callback: Callable[[], None]) -> Iterator[None]:
    """Python delivers signals to the main thread only, and Windows has no SIGHUP: elsewhere the files alone are watched."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, callback)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
