from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.journal.port import JournalStore, StoreError
from proxy.journal.records import AttemptRecord, ExchangeRecord, Status
from proxy.journal.rows import decision_text
from proxy.journal.sqlite import SqliteStore
from routing.facts import FailureKind
from routing.types import ModelTier, Usage
from tests.journal_samples import DECISION, attempt, exchange, in_rows, refused


def read(path: Path, query: str) -> list[dict[str, object]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


def names_of(record: ExchangeRecord | AttemptRecord) -> list[str]:
    return [field.name for field in dataclasses.fields(record)]


async def written(path: Path, *records: ExchangeRecord) -> None:
    store: JournalStore = SqliteStore(path)
    await store.open()
    await store.write(in_rows(records))
    await store.close()


async def test_every_field_of_an_exchange_has_its_column(tmp_path: Path) -> None:
    record = exchange(7, status=Status.TRUNCATED, error_code="cut", error_message="it ended early")
    await written(tmp_path / "j.db", record)
    (row,) = read(tmp_path / "j.db", "SELECT * FROM exchanges")
    expected = {name: getattr(record, name) for name in names_of(record) if name not in ("attempts", "decision", "last_decision")}
    assert json.loads(str(row.pop("decision"))) == DECISION
    assert row == {**expected, "stream": 1, "status": "truncated"}


async def test_every_field_of_an_attempt_has_its_column(tmp_path: Path) -> None:
    record = attempt(3, status=Status.UPSTREAM_ERROR, failure_kind=FailureKind.STALLED, failure_message="30 s of silence")
    await written(tmp_path / "j.db", exchange(7, attempts=[record]))
    (row,) = read(tmp_path / "j.db", "SELECT * FROM attempts")
    tokens = {"input_uncached": 70, "cache_read": 20, "cache_write": 10, "output": 40, "reasoning": 5}
    for name, value in tokens.items():
        assert row.pop(f"reported_{name}") == value
        assert row.pop(f"estimated_{name}") is None
    expected = {name: getattr(record, name) for name in names_of(record) if name != "usage"}
    assert row == {**expected, "exchange_id": "d000007", "connection_reused": 1, "status": "upstream_error", "failure_kind": "stalled"}


async def test_b2_estimated_tokens_never_reach_the_reported_columns(tmp_path: Path) -> None:
    usage = Usage(input_uncached=9, output=3, reported=False)
    await written(tmp_path / "j.db", exchange(attempts=[attempt(usage=usage), attempt(2, usage=None)]))
    first, second = read(tmp_path / "j.db", "SELECT * FROM attempts ORDER BY number")
    assert (first["estimated_input_uncached"], first["estimated_output"]) == (9, 3)
    assert all(value is None for name, value in first.items() if name.startswith("reported_"))
    assert all(value is None for name, value in second.items() if name.startswith(("reported_", "estimated_")))


async def test_b7_an_unknown_price_is_null_and_a_known_zero_is_zero(tmp_path: Path) -> None:
    await written(tmp_path / "j.db", exchange(attempts=[attempt(cost_usd=None, price_version=None), attempt(2, cost_usd=0.0)]))
    costs = [row["cost_usd"] for row in read(tmp_path / "j.db", "SELECT cost_usd FROM attempts ORDER BY number")]
    assert costs == [None, 0.0]


async def test_writing_an_id_again_changes_nothing(tmp_path: Path) -> None:
    await written(tmp_path / "j.db", exchange(1), refused(2))
    before = read(tmp_path / "j.db", "SELECT * FROM exchanges"), read(tmp_path / "j.db", "SELECT * FROM attempts")
    await written(tmp_path / "j.db", exchange(1, summary="another", attempts=[attempt(cost_usd=9.0)]), refused(2))
    assert (read(tmp_path / "j.db", "SELECT * FROM exchanges"), read(tmp_path / "j.db", "SELECT * FROM attempts")) == before


@pytest.mark.parametrize("count", [1, 2, 63, 255, 256, 257, 700])
async def test_batches_of_any_size_arrive_whole_and_in_order(tmp_path: Path, count: int) -> None:
    await written(tmp_path / "j.db", *(exchange(n, attempts=[attempt(1), attempt(2)]) for n in range(count)))
    assert [row["id"] for row in read(tmp_path / "j.db", "SELECT id FROM exchanges ORDER BY rowid")] == [f"d{n:06d}" for n in range(count)]
    assert read(tmp_path / "j.db", "SELECT count(*) AS n FROM attempts") == [{"n": 2 * count}]


async def test_values_that_sqlite_can_not_take_do_not_hold_up_their_batch(tmp_path: Path) -> None:
    odd = exchange(1, requested_model="gpt-\ud800", bytes_in=2**70, tier=ModelTier.MID, decision={"why": "\ud800", "at": {1: Path("/x")}})
    await written(tmp_path / "j.db", exchange(0), odd, exchange(2, summary=["not", "text"]))
    rows = read(tmp_path / "j.db", "SELECT * FROM exchanges ORDER BY id")
    assert [row["requested_model"] for row in rows] == ["auto", "gpt-?", "auto"]
    assert rows[1]["bytes_in"] == 2**63 - 1
    assert json.loads(str(rows[1]["decision"])) == {"why": "?", "at": {"1": "/x"}}
    assert rows[2]["summary"] == "['not', 'text']"


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "state" / "donut" / "j.db"
    store = SqliteStore(path)
    await store.open()
    await store.write(in_rows([exchange()]))
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["j.db", "j.db-shm", "j.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await store.close()


async def test_the_file_is_wal_and_gives_pages_back(tmp_path: Path) -> None:
    await written(tmp_path / "j.db", exchange())
    assert read(tmp_path / "j.db", "PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    assert read(tmp_path / "j.db", "PRAGMA auto_vacuum") == [{"auto_vacuum": 2}]
    assert read(tmp_path / "j.db", "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


async def test_a_refused_batch_leaves_nothing_behind(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked"):
        await store.write(in_rows([exchange(1)]))
    assert await store.recent(10) == []  # a reader is never locked out
    other.execute("ROLLBACK")
    other.close()
    await store.write(in_rows([exchange(2)]))
    assert [row["id"] for row in await store.recent(10)] == ["d000002"]
    await store.close()


async def test_a_cancelled_write_gives_the_lock_back(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    task = asyncio.create_task(store.write(in_rows([exchange(n) for n in range(200)])))
    while not store._lock.locked():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    other = sqlite3.connect(tmp_path / "j.db", isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")  # raises if the cancelled transaction were still open
    other.close()
    assert len(await store.recent(500)) in (0, 200)
    await store.close()


async def test_writing_and_forgetting_at_once_keep_their_transactions_apart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    await store.write(in_rows([exchange(n) for n in range(300)]))
    await asyncio.gather(
        *(store.write(in_rows([exchange(n)])) for n in range(1000, 1030)),
        *(store.delete_before(exchange(300).started_at, 20) for _ in range(20)),
    )
    assert sorted(row["id"] for row in await store.recent(500)) == [f"d{n:06d}" for n in range(1000, 1030)]
    await store.close()


async def test_two_stores_share_a_file(tmp_path: Path) -> None:
    stores = [SqliteStore(tmp_path / "j.db") for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.write(in_rows([exchange(n)])) for n, store in enumerate(stores)))
    assert len(await stores[0].recent(10)) == 3
    await asyncio.gather(*(store.close() for store in stores))


async def test_a_path_that_can_not_be_used_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "j.db", tmp_path):
        with pytest.raises(StoreError, match=str(path)):
            await SqliteStore(path).open()
    (tmp_path / "text").write_text("this is no database, whatever its name may say" * 100)
    with pytest.raises(StoreError, match="not a database"):
        await SqliteStore(tmp_path / "text").open()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="not open"):
        await store.write(in_rows([exchange()]))
    with pytest.raises(StoreError, match="not open"):
        await store.recent(1)
    with pytest.raises(StoreError, match="not open"):
        await store.delete_before(0.0, 1)


def test_weights_that_decisions_share_are_spelled_as_any_others() -> None:
    weights = {"local": 2.0, "latency": 1.0}
    decisions: list[dict[str, Any]] = [
        {"kind": "dispatch", "weights": weights, "panic": True},
        {"kind": "refusal", "weights": weights},
        {"weights": {"local": 3.0}},
        {"weights": {}},
        {"weights": None},
        {"kind": "refusal"},
    ]
    for decision in decisions:
        assert decision_text(decision).encode() == orjson.dumps(decision)
    assert json.loads(decision_text({"weights": {1: Path("/x")}})) == {"weights": {"1": "/x"}}
    assert json.loads(decision_text({"weights": weights, "why": "\ud800"})) == {"weights": weights, "why": "?"}
