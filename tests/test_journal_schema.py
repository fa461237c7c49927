from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import aiosqlite
import pytest

from proxy.journal import schema
from proxy.journal.port import StoreError
from proxy.journal.reader import SqliteReader
from proxy.journal.sqlite import SqliteStore
from tests.journal_samples import exchange, in_rows

ADD_COLUMN: schema.Migration = ("ALTER TABLE exchanges ADD COLUMN mood TEXT", "UPDATE exchanges SET mood = 'calm'")


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


async def make(path: Path, **arguments: str) -> None:
    store = SqliteStore(path, **arguments)
    await store.open()
    await store.write(in_rows([exchange()]))
    await store.close()


async def migrate(path: Path, *migrations: schema.Migration, donut_version: str = "9.9") -> int:
    async with aiosqlite.connect(path) as connection:
        return await schema.migrate(connection, donut_version, migrations)


async def test_an_empty_file_of_version_0_becomes_a_journal(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "j.db").close()
    assert version(tmp_path / "j.db") == 0
    await make(tmp_path / "j.db")
    assert version(tmp_path / "j.db") == schema.SCHEMA_VERSION


async def test_an_older_journal_moves_up_with_its_rows(tmp_path: Path) -> None:
    await make(tmp_path / "j.db")
    assert await migrate(tmp_path / "j.db", *schema.MIGRATIONS, ADD_COLUMN) == schema.SCHEMA_VERSION
    assert version(tmp_path / "j.db") == schema.SCHEMA_VERSION + 1
    connection = sqlite3.connect(tmp_path / "j.db")
    assert connection.execute("SELECT id, mood FROM exchanges").fetchall() == [("d000000", "calm")]
    connection.close()


async def test_a_journal_of_version_1_learns_to_remember_conversations(tmp_path: Path) -> None:
    """A file as donut 0.1 left it: its rows stay, and new ones are written and found beside them."""
    await migrate(tmp_path / "j.db", *schema.MIGRATIONS[:1], donut_version="0.1")
    connection = sqlite3.connect(tmp_path / "j.db")
    connection.execute("INSERT INTO exchanges (id, request_id, started_at, status, total_s) VALUES ('old', 'old', 5, 'ok', 1)")
    connection.commit()
    connection.close()
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    await store.write(in_rows([exchange()]))
    old, new = await store.exchange("old"), await store.exchange("d000000")
    bindings, checkpoints = await store.bindings(0.0, 10), await store.checkpoints(0.0, 10)
    await store.close()
    assert version(tmp_path / "j.db") == 2
    assert old is not None
    assert new is not None
    assert (old["affinity_key"], old["idempotency_key"], old["total_s"]) == (None, None, 1)
    assert (new["affinity_key"], new["idempotency_key"]) == ("a000000", "i000000")
    assert [binding.key for binding in bindings] == ["a000000"]
    assert [checkpoint.key for checkpoint in checkpoints] == ["i000000"]


async def test_a_migration_that_fails_leaves_the_step_before(tmp_path: Path) -> None:
    await make(tmp_path / "j.db")
    with pytest.raises(sqlite3.OperationalError):
        await migrate(tmp_path / "j.db", *schema.MIGRATIONS, (*ADD_COLUMN, "ALTER TABLE nothing ADD COLUMN x"))
    assert version(tmp_path / "j.db") == schema.SCHEMA_VERSION
    await make(tmp_path / "j.db")  # and it is usable: the half-made step is gone


async def test_a_file_from_the_future_is_refused_by_name(tmp_path: Path) -> None:
    await make(tmp_path / "j.db", donut_version="0.1")
    await migrate(tmp_path / "j.db", *schema.MIGRATIONS, ADD_COLUMN, donut_version="7.3.1")
    for opening in (SqliteStore(tmp_path / "j.db").open(), SqliteReader(tmp_path / "j.db").open()):
        with pytest.raises(StoreError, match=r"written by donut 7\.3\.1 \(schema 3; this donut knows up to 2\)"):
            await opening


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "photos.db")
    connection.execute("CREATE TABLE photos (x)")
    connection.close()
    before = (tmp_path / "photos.db").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        await SqliteStore(tmp_path / "photos.db").open()
    assert (tmp_path / "photos.db").read_bytes() == before


async def test_a_reader_asks_for_the_server_to_migrate_first(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "j.db").close()
    with pytest.raises(StoreError, match="older donut"):
        await SqliteReader(tmp_path / "j.db").open()


async def test_workers_that_start_together_migrate_once(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "j.db") for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.close() for store in stores))
    assert version(tmp_path / "j.db") == schema.SCHEMA_VERSION
