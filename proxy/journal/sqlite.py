"""The journal in one SQLite file: WAL, one connection that writes and one that reads.

Rules: every transaction is short (a batch of rows, a batch of deletions), every failure is a StoreError, and nothing here
retries: the queue keeps the batch and knows when to come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import aiosqlite

from proxy.journal import queries, rows, schema
from proxy.journal.answers import Answers
from proxy.journal.bulk import BulkConnection
from proxy.journal.port import StoreError
from proxy.journal.reader import SqliteReader, store_errors

_OPEN_BUSY_S = 5.0
"""At start another worker may be migrating: wait for it."""
_BUSY_MS = 250
"""Afterwards give up early: the queue tries again, and a thread that sleeps inside SQLite can not be stopped."""
_WAL_LIMIT_BYTES = 64 * 1024 * 1024
_PAGE_BYTES = 8192
"""Of a new file. A row with its decision is 2 KB: of SQLite's 4,096 a quarter would stay empty, and a commit cost half as much again."""
_CACHE_KIB = 512
"""Of pages in memory: rows are appended, so hardly any page is seen again. SQLite's 2 MB stayed resident, and wrote no quicker."""
_VACUUM_PAGES = 500
"""At most 4 MB per call: about 20 ms under the write lock."""
_VACUUM_SHARE = 4
"""Pages are handed back only when more than a quarter of the file is free; below that, new rows will use them."""

_INSERT_EXCHANGE = rows.insert_statement("exchanges", rows.EXCHANGE_NAMES)
_INSERT_ATTEMPT = rows.insert_statement("attempts", rows.ATTEMPT_NAMES)

# What binding a value raises; an unsupported type is an InterfaceError in Python 3.11 and a ProgrammingError from 3.12 on.
_NOT_BINDABLE = (UnicodeEncodeError, OverflowError, sqlite3.InterfaceError, sqlite3.ProgrammingError)

_EXCHANGE, _ATTEMPTS = attrgetter("exchange"), attrgetter("attempts")

_Clean = Callable[[Iterable[rows.Row]], Iterable[rows.Row]]


class SqliteStore(Answers):
    """`JournalStore` over a file. Several processes may have the same file open; each needs its own store."""

    def __init__(self, path: Path, *, donut_version: str = "of an unknown version") -> None:
        self.path = path
        self._donut_version = donut_version
        self._connection: aiosqlite.Connection | None = None
        self._reader = SqliteReader(path)
        # One connection, several tasks (queue, retention): without this one would commit the other's half.
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Create the file (0600) and its folder (0700) where missing, migrate, connect. Raises StoreError."""
        with store_errors(self.path):
            _create_private(self.path)
            self._connection = await aiosqlite.connect(self.path, timeout=_OPEN_BUSY_S, isolation_level="IMMEDIATE", factory=BulkConnection)
        try:
            with store_errors(self.path):
                await _prepare(self._connection, self._donut_version)
            await self._reader.open()
        except BaseException:
            await self.close()
            raise

    async def write(self, batch: Sequence[rows.Rows]) -> None:
        """See the port."""
        with store_errors(self.path):
            try:
                await self._insert(batch, iter)
            except _NOT_BINDABLE:
                # A lone surrogate in a model name, a number beyond 64 bits: clients can send these. One such value must not
                # hold up the batch for ever, so it is replaced and everything else is kept.
                await self._insert(batch, rows.storable)

    async def find(self, statement: str, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return await self._reader.find(statement, values)

    async def delete_before(self, epoch_s: float, limit: int) -> int:
        """See the port. Also gives a bounded piece of a mostly empty file back to the file system."""
        with store_errors(self.path):
            async with self._transaction() as connection:
                cursor = await connection.execute(queries.DELETE_BEFORE, {"before": epoch_s, "limit": limit})
                deleted = cursor.rowcount
                await cursor.close()
            await self._shrink()
        return deleted

    async def close(self) -> None:
        """Safe to call again. The reader goes first: the last connection to close folds the WAL into the file."""
        try:
            await self._reader.close()
        finally:
            connection, self._connection = self._connection, None
            if connection is not None:
                with store_errors(self.path):
                    await connection.close()

    async def _insert(self, batch: Sequence[rows.Rows], clean: _Clean) -> None:
        async with self._transaction() as connection:
            await connection.executemany(_INSERT_EXCHANGE, clean(map(_EXCHANGE, batch)))
            await connection.executemany(_INSERT_ATTEMPT, clean(itertools.chain.from_iterable(map(_ATTEMPTS, batch))))

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """BEGIN IMMEDIATE comes with the first statement (isolation_level); COMMIT at the end, ROLLBACK on anything else."""
        async with self._lock:
            connection = self._connection
            if connection is None:
                raise StoreError("the journal is not open")
            try:
                yield connection
                await connection.commit()
            except BaseException:
                # Also on cancellation: an open transaction would keep the write lock from everybody.
                await connection.rollback()
                raise

    async def _shrink(self) -> None:
        async with self._lock:
            connection = self._connection
            if connection is None:
                raise StoreError("the journal is not open")
            free, pages = [next(iter(await connection.execute_fetchall(f"PRAGMA {name}")))[0] for name in ("freelist_count", "page_count")]
            if free * _VACUUM_SHARE > pages:
                # As a script: this pragma frees one page per step, and sqlite3 makes a single step of what returns no columns.
                await connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")


async def _prepare(connection: aiosqlite.Connection, donut_version: str) -> None:
    # Look before anything is changed: a file of another program stays as it was.
    version = await schema.read_version(connection)
    await schema.refuse_future(connection, version)
    if version == 0:
        # Has an effect before the first table exists. It takes the write lock, which a start with an up-to-date file never does:
        # donut starts while somebody holds that lock.
        await connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        await connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    await _switch_to_wal(connection)
    # NORMAL does not fsync at each commit, only at checkpoints. A killed donut loses nothing: what it wrote is with the OS. A
    # crash of the OS or a power cut may lose the last commits, and never damages the file. FULL would cost one fsync per batch.
    await connection.execute("PRAGMA synchronous = NORMAL")
    await connection.execute("PRAGMA foreign_keys = ON")
    await connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    await schema.migrate(connection, donut_version)
    await connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    await connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")


async def _switch_to_wal(connection: aiosqlite.Connection) -> None:
    """Tries for _OPEN_BUSY_S: when several workers turn a new file to WAL at once, SQLite fails all but one without waiting."""
    deadline = time.monotonic() + _OPEN_BUSY_S
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.02)


def _create_private(path: Path) -> None:
    """An empty file that only its owner can read; SQLite gives its -wal and -shm the same mode. What exists keeps its mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
