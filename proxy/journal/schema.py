"""The SQLite journal's tables, and how a file gets from any older shape to today's.

Rules: `MIGRATIONS[n]` takes a file from version n to n + 1 in one transaction, `PRAGMA user_version` included; a migration
that was released is never edited, a new one is appended. No NOT NULL and no CHECK on purpose: rows are inserted with OR IGNORE
so that writing an id again changes nothing, and OR IGNORE would swallow a row that breaks a constraint.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import aiosqlite

from proxy.journal.port import StoreError

APPLICATION_ID = 0x444E5554
"""`DNUT` in the file header: keeps donut from writing into somebody else's database."""

Migration = tuple[str, ...]
"""The statements of one step."""

# Reported and estimated tokens live in separate columns: an attempt has one set or the other, never both, and a sum over
# both has to be written out by whoever wants it. `decision` comes last: it is the widest, and a scan stops before it.
_CREATE_TABLES: Migration = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
    """
    CREATE TABLE exchanges (
        id TEXT PRIMARY KEY, request_id TEXT, started_at REAL, dialect TEXT, requested_model TEXT, harness TEXT, client_key TEXT,
        stream INTEGER, input_tokens_estimated INTEGER, status TEXT, http_status INTEGER, logical_model_id TEXT, replica_id TEXT,
        provider_id TEXT, tier TEXT, use_case TEXT, error_code TEXT, error_message TEXT, total_s REAL, bytes_in INTEGER,
        bytes_out INTEGER, summary TEXT, decision TEXT
    )
    """,
    """
    CREATE TABLE attempts (
        exchange_id TEXT REFERENCES exchanges (id) ON DELETE CASCADE, number INTEGER, replica_id TEXT, provider_id TEXT,
        upstream_model TEXT, started_at REAL, status TEXT, failure_kind TEXT, failure_message TEXT, upstream_status INTEGER,
        upstream_request_id TEXT, connection_reused INTEGER, queue_s REAL, connect_s REAL, ttft_s REAL, between_tokens_s REAL,
        total_s REAL,
        reported_input_uncached INTEGER, reported_cache_read INTEGER, reported_cache_write INTEGER, reported_output INTEGER,
        reported_reasoning INTEGER,
        estimated_input_uncached INTEGER, estimated_cache_read INTEGER, estimated_cache_write INTEGER, estimated_output INTEGER,
        estimated_reasoning INTEGER,
        cost_usd REAL, price_version TEXT,
        PRIMARY KEY (exchange_id, number)
    ) WITHOUT ROWID
    """,
    # Every index costs about 3 µs per row. Time serves `usage` and retention; `recent` and `calibration` walk the rowid.
    "CREATE INDEX exchanges_by_time ON exchanges (started_at)",
    # Partial: where the request id is the decision id, as it is unless the client brought its own, the row costs no entry.
    "CREATE INDEX exchanges_by_request ON exchanges (request_id) WHERE request_id <> id",
)

# What a restart must not forget: which replica a conversation is with, and what an idempotency key has tried. Both are digests. The index
# holds only rows that carry an idempotency key: few clients send one.
_REMEMBER_CONVERSATIONS: Migration = (
    "ALTER TABLE exchanges ADD COLUMN affinity_key TEXT",
    "ALTER TABLE exchanges ADD COLUMN idempotency_key TEXT",
    "CREATE INDEX exchanges_by_idempotency ON exchanges (started_at) WHERE idempotency_key IS NOT NULL",
)

MIGRATIONS: tuple[Migration, ...] = (_CREATE_TABLES, _REMEMBER_CONVERSATIONS)
SCHEMA_VERSION = len(MIGRATIONS)


async def read_version(connection: aiosqlite.Connection) -> int:
    """`PRAGMA user_version` of a file that is donut's, or new (0). Raises StoreError on somebody else's database."""
    version = await _number(connection, "PRAGMA user_version")
    # In this order: another worker may be making the tables right now, and their commit sets the id too.
    tables = await _number(connection, "SELECT count(*) FROM sqlite_master")
    if tables and await _number(connection, "PRAGMA application_id") != APPLICATION_ID:
        raise StoreError("this is a SQLite database of another program, not a donut journal")
    return version


async def refuse_future(connection: aiosqlite.Connection, version: int, known: int = SCHEMA_VERSION) -> None:
    """Raise StoreError when the file's shape is newer than `known`, and name the donut that wrote it."""
    if version <= known:
        return
    rows = await connection.execute_fetchall("SELECT value FROM meta WHERE key = 'donut_version'")
    writer = next((row[0] for row in rows), "a newer version")
    raise StoreError(
        f"the journal was written by donut {writer} (schema {version}; this donut knows up to {known}): "
        "run that version or a newer one, or choose another file"
    )


async def migrate(connection: aiosqlite.Connection, donut_version: str, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the file to version `len(migrations)`; the version it had before.

    Safe when several workers start at once: each step takes the write lock first and looks again. Raises StoreError on a
    file from the future or of another program, sqlite3.Error when SQLite refuses; then the file is as the last complete
    step left it.
    """
    before = await read_version(connection)
    await refuse_future(connection, before, len(migrations))
    version = before
    while version < len(migrations):
        version = await _step(connection, donut_version, migrations)
    return before


async def _step(connection: aiosqlite.Connection, donut_version: str, migrations: Sequence[Migration]) -> int:
    """One migration in one transaction, unless another process made it meanwhile; the file's version afterwards."""
    await connection.execute("BEGIN IMMEDIATE")
    try:
        version = await read_version(connection)
        if version >= len(migrations):
            await connection.rollback()
            return version
        for statement in migrations[version]:
            await connection.execute(statement)
        stamp = (("donut_version", donut_version), (f"schema_{version + 1}_since", f"{time.time():.0f}"))
        for key, value in stamp:
            await connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
        await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.execute(f"PRAGMA user_version = {version + 1}")  # a PRAGMA takes no bound parameter
        await connection.commit()
    except BaseException:
        await connection.rollback()
        raise
    return version + 1


async def _number(connection: aiosqlite.Connection, query: str) -> int:
    rows = list(await connection.execute_fetchall(query))
    return int(rows[0][0])
