"""A folder of heliosBench and helioscope results: read again whenever a file in it changes, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from config.adapter_settings import HeliosSettings, path_of
from config.adapting import Host, Learned, Worker, Workers
from providers.adapters import Found, read_file
from providers.adapters._fields import FILE_BYTES, FormatError
from providers.adapters.helios import ADAPTER

FILES_MOST = 2000
SUFFIXES = frozenset({".json", ".jsonl"})

Stamp = tuple[int, int]
"""Modification time in nanoseconds, and size."""


class Folder(NamedTuple):
    stamps: Mapping[Path, Stamp]
    found: Mapping[Path, Found]

    @property
    def readings(self) -> int:
        return sum(len(found.readings) for found in self.found.values())


def read_folder(folder: Path, names: Mapping[str, str], known: Folder) -> Folder:
    """The folder as it is now; files that have not changed are not read again. Raises OSError when the folder can not be listed."""
    stamps: dict[Path, Stamp] = {}
    found: dict[Path, Found] = {}
    for path in sorted(each for each in folder.iterdir() if each.suffix in SUFFIXES)[:FILES_MOST]:
        try:
            status = path.stat()
            stamps[path] = status.st_mtime_ns, status.st_size
            is_old = known.stamps.get(path) == stamps[path]
            found[path] = known.found[path] if is_old and path in known.found else read_result(path, names)
        except OSError as error:
            found[path] = Found((), (f"{path.name}: {error.strerror}",))
    return Folder(stamps, found)


def read_result(path: Path, names: Mapping[str, str]) -> Found:
    """One file. A file that is none of Helios's is a problem, not an error. Raises OSError."""
    if path.stat().st_size > FILE_BYTES:
        return Found((), (f"{path.name}: larger than {FILE_BYTES // 1024 // 1024} MiB",))
    try:
        found = read_file(path.read_bytes(), ADAPTER.formats, names)
    except FormatError as error:
        return Found((), (f"{path.name}: {error}",))
    readings = tuple(reading._replace(where=path.name) for reading in found.readings)
    return Found(readings, tuple(f"{path.name}: {problem}" for problem in found.problems))


class HeliosWorker(Worker):
    is_alone = True

    def __init__(self, settings: HeliosSettings, host: Host) -> None:
        super().__init__("helios")
        self._settings = settings
        self._host = host
        self._path = path_of(settings.folder)
        self._seen = Folder({}, {})

    async def run(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(self._settings.interval_seconds)

    async def _look(self) -> None:
        try:
            now = await asyncio.to_thread(read_folder, self._path, self._settings.models, self._seen)
        except OSError as error:
            self.trouble(f"{self._path}: {error.strerror}")
            return
        has_news, self._seen = now != self._seen, now
        problems = self._problems()
        if problems:
            self.trouble("; ".join(problems[:3]))
        else:
            self.well()
        if has_news:
            readings = [reading for found in now.found.values() for reading in found.readings]
            await self._host.learn(Learned("helios", readings, problems))

    def _problems(self) -> list[str]:
        return [problem for found in self._seen.found.values() for problem in found.problems]

    def status(self) -> dict[str, Any]:
        return {"files": len(self._seen.found), "figures": self._seen.readings, "problems": self._problems()[:20]}


WORKERS = Workers(lambda settings, host: [] if settings.helios is None else [HeliosWorker(settings.helios, host)])
