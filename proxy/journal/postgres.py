"""The journal in PostgreSQL: one connection that writes, one that reads, both made anew after a failure.

Rules as in `sqlite.py`: a batch is one transaction, every failure is a StoreError, and nothing here retries. A batch whose commit was
not acknowledged is written again by the queue, and what had got through is left as it is: the ids are unique.

asyncpg works on the event loop, so a batch goes out in slices that hold it up for no longer than a slow request would.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import asyncpg

from proxy.journal import postgres_schema, queries, rows
from proxy.journal.answers import Answers
from proxy.journal.port import StoreError
from proxy.journal.postgres_link import Link
from proxy.journal.postgres_spelling import spelled

_WRITE_S = 10.0
"""For a whole batch. A server that takes longer is in trouble, and the queue comes back."""
_READ_S = 20.0
_SLICE = 32
"""Exchanges per statement: about 1.5 ms of the event loop (64: 3 to 5 ms, measured with a task that sleeps beside it), 25 µs each."""

_EXCHANGE_TYPES: Mapping[str, str] = {
    "started_at": "float8",
    "stream": "int8",
    "input_tokens_estimated": "int8",
    "http_status": "int8",
    "total_s": "float8",
    "bytes_in": "int8",
    "bytes_out": "int8",
}
"""Columns that are not text."""
_ATTEMPT_TYPES: Mapping[str, str] = {
    "number": "int8",
    "started_at": "float8",
    "upstream_status": "int8",
    "connection_reused": "int8",
    **dict.fromkeys(("queue_s", "connect_s", "ttft_s", "between_tokens_s", "total_s", "cost_usd"), "float8"),
    **{
        f"{source}_{kind}": "int8"
        for source in ("reported", "estimated")
        for kind in ("input_uncached", "cache_read", "cache_write", "output", "reasoning")
    },
}

# What asyncpg says of a value that does not fit its column, and the server of a text with a NUL in it.
_NOT_STORABLE = (asyncpg.DataError, asyncpg.exceptions.DataError, asyncpg.CharacterNotInRepertoireError)

_Clean = Callable[[Iterable[rows.Row], Sequence[str]], Iterable[rows.Row]]


class PostgresReader(Answers):
    """Answers from a journal that somebody else writes."""

    def __init__(self, url: str) -> None:
        self._link = Link(url, timeout_s=_READ_S, settings={"default_transaction_read_only": "on"})

    async def open(self) -> None:
        """Raises StoreError when the server can not be reached, or holds no journal, or one of another version than this donut's."""
        await self._link.open()
        try:
            async with self._link.connection() as connection:
                version = await postgres_schema.read_version(connection)
                await postgres_schema.refuse_future(connection, version)
            if version < postgres_schema.SCHEMA_VERSION:
                state = "holds no journal yet" if version == 0 else "was written by an older donut"
                raise StoreError(f"{self._link.shown} {state}: start `donut serve` once")
        except BaseException:
            await self.close()
            raise

    async def find(self, statement: str, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        ours = spelled(statement)
        async with self._link.connection() as connection:
            return [dict(row) for row in await connection.fetch(ours.text, *ours.values(values))]

    async def close(self) -> None:
        await self._link.close()


class PostgresStore(PostgresReader):
    """`JournalStore` over a database that several processes and machines may share."""

    def __init__(self, url: str, *, donut_version: str = "of an unknown version") -> None:
        super().__init__(url)
        self._donut_version = donut_version
        self._writing = Link(url, timeout_s=_WRITE_S)

    async def open(self) -> None:
        """Connect, make the tables or bring them up to date. Raises StoreError."""
        try:
            await self._writing.open()
            async with self._writing.connection() as connection:
                await postgres_schema.migrate(connection, self._donut_version)
            await super().open()
        except BaseException:
            await self.close()
            raise

    async def write(self, batch: Sequence[rows.Rows]) -> None:
        """See the port."""
        async with self._writing.connection() as connection:
            try:
                await _insert(connection, batch, lambda found, _: found)
            except _NOT_STORABLE:
                # As in `sqlite.py`: a value that a client sent must not hold up its batch for ever.
                await _insert(connection, batch, _storable)

    async def delete_before(self, epoch_s: float, limit: int) -> int:
        ours = spelled(queries.DELETE_BEFORE)
        async with self._writing.connection() as connection:
            done = await connection.execute(ours.text, *ours.values({"before": epoch_s, "limit": limit}))
        return int(done.rpartition(" ")[2])  # "DELETE 12"

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            await self._writing.close()


async def _insert(connection: asyncpg.Connection, batch: Sequence[rows.Rows], clean: _Clean) -> None:
    async with connection.transaction():
        left = iter(batch)
        while some := list(itertools.islice(left, _SLICE)):
            await connection.execute(_INSERT_EXCHANGES, *_columns(clean(_exchanges(some), _EXCHANGE_KINDS)))
            attempts = _columns(clean(_attempts(some), _ATTEMPT_KINDS))
            if attempts:
                await connection.execute(_INSERT_ATTEMPTS, *attempts)


def _exchanges(batch: Iterable[rows.Rows]) -> Iterator[rows.Row]:
    return rows.whole((each.exchange for each in batch), len(rows.EXCHANGE_NAMES))


def _attempts(batch: Iterable[rows.Rows]) -> Iterator[rows.Row]:
    return rows.whole((row for each in batch for row in each.attempts), len(rows.ATTEMPT_NAMES))


def _columns(found: Iterable[rows.Row]) -> list[tuple[Any, ...]]:
    """One sequence per column, for `unnest`: a statement with as many rows as one likes, prepared once."""
    return list(zip(*found, strict=True))


def _storable(found: Iterable[rows.Row], kinds: Sequence[str]) -> Iterator[rows.Row]:
    """Every value in its column's type: text without what UTF-8 and PostgreSQL can not hold, numbers within their bounds."""
    for row in rows.storable(found):
        yield tuple(map(_in_kind, row, kinds))


def _in_kind(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "text":
        return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    try:
        return float(value) if kind == "float8" else int(value)
    except (ValueError, OverflowError):
        return None


def _kinds(names: Sequence[str], others: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(others.get(name, "text") for name in names)


def _insert_statement(table: str, names: Sequence[str], kinds: Iterable[str]) -> str:
    """`table` and `names` are ours, never input."""
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, 1))
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608 - constants only


_EXCHANGE_KINDS = _kinds(rows.EXCHANGE_NAMES, _EXCHANGE_TYPES)
_ATTEMPT_KINDS = _kinds(rows.ATTEMPT_NAMES, _ATTEMPT_TYPES)
_INSERT_EXCHANGES = _insert_statement("exchanges", rows.EXCHANGE_NAMES, _EXCHANGE_KINDS)
_INSERT_ATTEMPTS = _insert_statement("attempts", rows.ATTEMPT_NAMES, _ATTEMPT_KINDS)
