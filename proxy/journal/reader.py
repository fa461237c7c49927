"""The reading side of the SQLite journal: its own read-only connection, so that no question ever blocks the writer.

Also what `donut usage` and `donut explain` open, while a server writes to the same file or while none runs.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiosqlite

from proxy.journal import schema
from proxy.journal.answers import Answers
from proxy.journal.port import StoreError

_BUSY_S = 2.0
"""A reader waits for nobody in WAL mode, except while the last writer closes the file or the first one recovers it."""


class SqliteReader(Answers):
    """Answers `JournalStore`'s questions from a file that somebody else writes. Every error is a StoreError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: aiosqlite.Connection | None = None

    async def open(self) -> None:
        """Raises StoreError when the file is missing, not a journal, or of another schema version than this donut's."""
        with store_errors(self.path):
            self._connection = await aiosqlite.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
        try:
            with store_errors(self.path):
                version = await schema.read_version(self._connection)
                await schema.refuse_future(self._connection, version)
            if version < schema.SCHEMA_VERSION:
                raise StoreError(f"{self.path} was written by an older donut: start `donut serve` once to bring it up to date")
            self._connection.row_factory = sqlite3.Row
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Safe to call again, and on a reader that never opened."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with store_errors(self.path):
                await connection.close()

    async def find(self, statement: str, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if self._connection is None:
            raise StoreError(f"{self.path}: the journal is not open")
        with store_errors(self.path):
            # aiosqlite types its parameters as an iterable; sqlite3 takes a mapping for named ones just as well.
            return [*await self._connection.execute_fetchall(statement, values)]  # type: ignore[list-item]


@contextlib.contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite, the file system and a closed aiosqlite connection (ValueError) raise into StoreError with the path."""
    try:
        yield
    except StoreError as error:
        raise StoreError(f"{path}: {error}") from error
    except (sqlite3.Error, OSError, ValueError) as error:
        raise StoreError(f"{path}: {error}") from error
