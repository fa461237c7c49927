"""Notices that `donut keys` changed the file of client keys, while the server runs.

The file is looked at once a second: it lies beside the journal, whose folder changes with every batch of rows, so that watching the folder
would wake the process for nothing all day. One look costs a few microseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from config.key_file import StoredKey, read_keys
from config.problems import ConfigError

log = structlog.get_logger("donut.keys")

INTERVAL_S = 1.0

Fingerprint = tuple[int, int, int] | None


class KeyWatch:
    """`keys` are those of the file, as of the last look that understood it."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError for a file that can not be used."""
        self._path = path
        self._seen = _fingerprint(path)
        self.keys: tuple[StoredKey, ...] = read_keys(path)

    async def run(self, changed: Callable[[], None]) -> None:
        """Look until cancelled; `changed` is called after `keys` has changed."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            fingerprint = _fingerprint(self._path)
            if fingerprint == self._seen:
                continue
            self._seen = fingerprint
            try:
                keys = await asyncio.to_thread(read_keys, self._path)
            except ConfigError as error:
                log.error("keys_refused", why=str(error), still="the keys of before are in force")
                continue
            if not keys and self.keys:
                log.error("keys_gone", file=str(self._path), still="the keys of before are in force until donut is restarted")
                continue
            self.keys = keys
            log.info("keys_reloaded", good=sum(key.is_good for key in keys), revoked=sum(not key.is_good for key in keys))
            changed()


def _fingerprint(path: Path) -> Fingerprint:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
