"""Reload: the config file changes, or SIGHUP comes, and the new configuration is applied – or refused, and the old one stays.

Rules:
- The path is looked at, not the directory watched: editors replace a file by renaming a new one over it, Kubernetes swaps a symbolic link
  beside it, network file systems announce nothing. And a directory that holds the journal, too, announces every write to it, which cost
  6 % of the CPU of a 2 KB request. What counts is whether the bytes behind the path changed.
- One reload at a time, in the order of the causes; several causes during a reload become one more.
- A file that can not be used is reported and changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from config.benchmarks import beside
from config.problems import ConfigError
from config.source import Loaded

LOOK_S = 0.2
"""An editor's save is a burst of changes: it is over when two looks in a row see the same."""

Mark = tuple[int, ...]
Marks = tuple[Mark | None, Mark | None]
"""Of the config and its companion: differ as soon as one of them is written, replaced, linked elsewhere or removed."""

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
        """Wake once what stands behind the path has changed, and changes no more."""
        settled: Marks | None = None  # so that the first look wakes: what changed before it is not missed
        before: Marks | None = None
        while True:
            now = await asyncio.to_thread(_marks, self._path)
            if now == before and now != settled:
                settled = now
                self._wake.set()
            before = now
            await asyncio.sleep(LOOK_S)


def _marks(path: Path) -> Marks:
    return _mark(path), _mark(beside(path))


def _mark(path: Path) -> Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _fingerprint(path: Path) -> bytes | None:
    """Changes with the bytes behind `path`; None while there are none, which is normal in the middle of a replacement."""
    try:
        raw = path.read_bytes().strip()
    except OSError:
        return None
    try:
        # An empty config counts as none, whatever its companion says.
        return hashlib.sha256(raw + beside(path).read_bytes().strip() if raw else raw).digest()
    except OSError:
        return hashlib.sha256(raw).digest()


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
