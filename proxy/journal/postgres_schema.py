"""The PostgreSQL journal's tables, in a schema of their own: `donut`. The versions are those of `schema.py`, column by column.

Rules as there: `MIGRATIONS[n]` takes the tables from version n to n + 1 in one transaction, one that was released is never edited, and
there is no NOT NULL and no CHECK, so that a row that is written again is the only one that ON CONFLICT DO NOTHING ever drops.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import asyncpg

from proxy.journal.port import StoreError
from proxy.journal.schema import Migration

SCHEMA = "donut"
"""Keeps donut's tables apart from another program's in the same database."""

_LOCK = 0x444E5554
"""`DNUT`: the advisory lock that workers starting at once take in turn."""

# COLLATE "C" compares bytes, as SQLite does: the same order on every server, and quicker. REAL would be four bytes here.
_CREATE_TABLES: Migration = (
    'CREATE TABLE meta (key TEXT COLLATE "C" PRIMARY KEY, value TEXT COLLATE "C")',
    """
    CREATE TABLE exchanges (
        rowid BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
        id TEXT COLLATE "C" PRIMARY KEY, request_id TEXT COLLATE "C", started_at DOUBLE PRECISION, dialect TEXT COLLATE "C",
        requested_model TEXT COLLATE "C", harness TEXT COLLATE "C", client_key TEXT COLLATE "C", stream BIGINT,
        input_tokens_estimated BIGINT, status TEXT COLLATE "C", http_status BIGINT, logical_model_id TEXT COLLATE "C",
        replica_id TEXT COLLATE "C", provider_id TEXT COLLATE "C", tier TEXT COLLATE "C", use_case TEXT COLLATE "C",
        error_code TEXT COLLATE "C", error_message TEXT COLLATE "C", total_s DOUBLE PRECISION, bytes_in BIGINT, bytes_out BIGINT,
        summary TEXT COLLATE "C", decision TEXT COLLATE "C"
    )
    """,
    """
    CREATE TABLE attempts (
        exchange_id TEXT COLLATE "C" REFERENCES exchanges (id) ON DELETE CASCADE, number BIGINT, replica_id TEXT COLLATE "C",
        provider_id TEXT COLLATE "C", upstream_model TEXT COLLATE "C", started_at DOUBLE PRECISION, status TEXT COLLATE "C",
        failure_kind TEXT COLLATE "C", failure_message TEXT COLLATE "C", upstream_status BIGINT, upstream_request_id TEXT COLLATE "C",
        connection_reused BIGINT, queue_s DOUBLE PRECISION, connect_s DOUBLE PRECISION, ttft_s DOUBLE PRECISION,
        between_tokens_s DOUBLE PRECISION, total_s DOUBLE PRECISION,
        reported_input_uncached BIGINT, reported_cache_read BIGINT, reported_cache_write BIGINT, reported_output BIGINT,
        reported_reasoning BIGINT,
        estimated_input_uncached BIGINT, estimated_cache_read BIGINT, estimated_cache_write BIGINT, estimated_output BIGINT,
        estimated_reasoning BIGINT,
        cost_usd DOUBLE PRECISION, price_version TEXT COLLATE "C",
        PRIMARY KEY (exchange_id, number)
    )
    """,
    "CREATE INDEX exchanges_by_time ON exchanges (started_at)",
    "CREATE INDEX exchanges_by_request ON exchanges (request_id) WHERE request_id <> id",
)

_REMEMBER_CONVERSATIONS: Migration = (
    'ALTER TABLE exchanges ADD COLUMN affinity_key TEXT COLLATE "C", ADD COLUMN idempotency_key TEXT COLLATE "C"',
    "CREATE INDEX exchanges_by_idempotency ON exchanges (started_at) WHERE idempotency_key IS NOT NULL",
)

MIGRATIONS: tuple[Migration, ...] = (_CREATE_TABLES, _REMEMBER_CONVERSATIONS)
SCHEMA_VERSION = len(MIGRATIONS)

_PUT = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


async def read_version(connection: asyncpg.Connection) -> int:
    """The version of donut's tables; 0 where there are none."""
    if await connection.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.meta") is None:
        return 0
    return int(await connection.fetchval("SELECT value FROM meta WHERE key = 'schema_version'") or 0)


async def refuse_future(connection: asyncpg.Connection, version: int, known: int = SCHEMA_VERSION) -> None:
    """Raise StoreError when the tables' shape is newer than `known`, and name the donut that made it."""
    if version <= known:
        return
    writer = await connection.fetchval("SELECT value FROM meta WHERE key = 'donut_version'") or "a newer version"
    raise StoreError(
        f"the journal was written by donut {writer} (schema {version}; this donut knows up to {known}): "
        "run that version or a newer one, or choose another database"
    )


async def migrate(connection: asyncpg.Connection, donut_version: str, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the tables to version `len(migrations)`; the version they had before.

    Safe when several workers start at once: the first takes a lock, the others find the work done. Raises StoreError on tables from the
    future, asyncpg's errors when the server refuses; then everything is as it was.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        # Looked for first: an account that may not make schemas can use one that was made for it.
        if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", SCHEMA):
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        before = await read_version(connection)
        await refuse_future(connection, before, len(migrations))
        for version in range(before, len(migrations)):
            for statement in migrations[version]:
                await connection.execute(statement)
            await connection.execute(_PUT, f"schema_{version + 1}_since", f"{time.time():.0f}")
            await connection.execute(_PUT, "schema_version", str(version + 1))
            await connection.execute(_PUT, "donut_version", donut_version)
    return before
