from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.journal import history, queries
from proxy.journal.port import StoreError
from proxy.journal.reader import SqliteReader
from proxy.journal.records import ExchangeRecord, Status
from proxy.journal.sqlite import SqliteStore
from routing.types import Usage
from tests.journal_samples import DECISION, START_S, WHOLE, attempt, decided, exchange, in_rows, refused

HOUR = (START_S, START_S + 3600)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    yield store
    await store.close()


def failover(number: int) -> ExchangeRecord:
    """Tried at `cloud`, which spent tokens and failed; answered by `box`."""
    first = attempt(1, replica_id="cloud/up", provider_id="cloud", status=Status.UPSTREAM_ERROR, cost_usd=1.0, ttft_s=None)
    return exchange(number, attempts=[first, attempt(2)])


def row(rows: list[dict[str, Any]], key: str | None) -> dict[str, Any]:
    (found,) = [row for row in rows if row["key"] == key]
    return found


async def test_usage_counts_exchanges_attempts_and_tokens(store: SqliteStore) -> None:
    await store.write(in_rows([exchange(1), failover(2), exchange(3, status=Status.CLIENT_GONE), refused(4)]))
    rows = await store.usage(*HOUR, "model")
    model = row(rows, "qwen3-coder-30b")
    assert (model["exchanges"], model["ok"], model["client_gone"], model["errors"]) == (3, 2, 1, 0)
    assert (model["attempts"], model["retried"]) == (4, 1)
    assert (model["reported_input"], model["reported_cache_read"], model["reported_cache_write"]) == (400, 80, 40)
    assert (model["reported_output"], model["reported_reasoning"]) == (160, 20)
    assert model["cost_usd"] == pytest.approx(1.0 + 3 * 0.0123)
    assert (model["ttft_avg_ms"], model["ttft_count"]) == (250.0, 3)
    none = row(rows, None)
    assert (none["exchanges"], none["errors"], none["attempts"], none["cost_usd"]) == (1, 1, 0, 0.0)
    assert none["ttft_avg_ms"] is None


async def test_b2_usage_keeps_estimates_apart(store: SqliteStore) -> None:
    estimated = Usage(input_uncached=7, output=3, reported=False)
    await store.write(in_rows([exchange(1), exchange(2, attempts=[attempt(usage=estimated, cost_usd=0.5)])]))
    (model,) = await store.usage(*HOUR, "model")
    assert (model["reported_input"], model["reported_output"]) == (100, 40)
    assert (model["estimated_input"], model["estimated_output"]) == (7, 3)
    assert model["cost_usd"] == pytest.approx(0.5123)
    assert model["cost_usd_estimated"] == 0.5


async def test_b7_usage_does_not_take_an_unknown_price_for_zero(store: SqliteStore) -> None:
    unpriced = attempt(cost_usd=None)
    await store.write(in_rows([exchange(1, attempts=[unpriced]), exchange(2, attempts=[attempt(usage=None, cost_usd=None)])]))
    (model,) = await store.usage(*HOUR, "model")
    assert (model["cost_usd"], model["unpriced"]) == (None, 1)
    await store.write(in_rows([exchange(3)]))
    (model,) = await store.usage(*HOUR, "model")
    assert (model["cost_usd"], model["unpriced"]) == (0.0123, 1)


async def test_tokens_count_where_they_were_spent_and_the_exchange_where_it_was_answered(store: SqliteStore) -> None:
    await store.write(in_rows([failover(1)]))
    for by, keys in (("provider", ("cloud", "box")), ("replica", ("cloud/up", "box/up"))):
        rows = await store.usage(*HOUR, by)
        cloud, box = (row(rows, key) for key in keys)
        assert (cloud["exchanges"], cloud["attempts"], cloud["retried"], cloud["cost_usd"]) == (0, 1, 0, 1.0)
        assert (box["exchanges"], box["attempts"], box["retried"], box["cost_usd"]) == (1, 1, 1, 0.0123)


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("harness", ["codex", "unknown"]),
        ("key", ["laptop", None]),
        ("status", ["ok", "refused"]),
        ("day", ["2026-11-01", "2026-11-02"]),
    ],
)
async def test_usage_groups_by(store: SqliteStore, by: str, keys: list[str | None]) -> None:
    await store.write(in_rows([exchange(1), exchange(2), refused(90_000)]))
    assert [row["key"] for row in await store.usage(START_S, START_S + 1e6, by)] == keys


async def test_usage_takes_only_its_period(store: SqliteStore) -> None:
    await store.write(in_rows([exchange(n) for n in range(10)]))
    rows = await store.usage(START_S + 2, START_S + 5, "model")
    assert [row["exchanges"] for row in rows] == [3]
    assert await store.usage(START_S + 50, START_S + 60, "model") == []


async def test_usage_refuses_a_grouping_it_does_not_know(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="use one of model, replica"):
        await store.usage(*HOUR, "1; DROP TABLE exchanges")


async def test_an_exchange_is_found_by_either_id(store: SqliteStore) -> None:
    await store.write(in_rows([failover(1), exchange(2, request_id="mine"), exchange(3, request_id="mine"), refused(4)]))
    found = await store.exchange("d000001")
    assert found is not None
    assert found == await store.exchange("r000001")
    assert found["decision"] == DECISION
    assert found["stream"] is True
    assert [(one["number"], one["status"], one["connection_reused"]) for one in found["attempts"]] == [
        (1, "upstream_error", True),
        (2, "ok", True),
    ]
    assert found["attempts"][0]["reported"] == {"input_uncached": 70, "cache_read": 20, "cache_write": 10, "output": 40, "reasoning": 5}
    assert found["attempts"][0]["estimated"] is None
    assert not any(name.startswith(("reported_", "estimated_")) for name in found["attempts"][0])
    newest = await store.exchange("mine")
    assert newest is not None
    assert newest["id"] == "d000003"
    plain = await store.exchange("d000004")
    assert plain is not None
    assert (plain["decision"], plain["attempts"]) == (None, [])
    assert await store.exchange("nobody") is None


async def test_recent_is_newest_first_and_without_decisions(store: SqliteStore) -> None:
    await store.write(in_rows([exchange(n) for n in range(5)]))
    rows = await store.recent(3)
    assert [row["id"] for row in rows] == ["d000004", "d000003", "d000002"]
    assert "decision" not in rows[0]


async def test_calibration_compares_recent_reported_with_estimated(store: SqliteStore) -> None:
    old = [exchange(n, input_tokens_estimated=1) for n in range(50)]
    recent = [exchange(n) for n in range(100, 300)]  # 100 reported, 80 estimated
    other = exchange(
        400, logical_model_id="small", input_tokens_estimated=200, attempts=[attempt(status=Status.UPSTREAM_ERROR), attempt(2)]
    )
    useless = [
        exchange(500, logical_model_id="silent", attempts=[attempt(usage=Usage(input_uncached=5, reported=False))]),
        exchange(501, logical_model_id="blind", input_tokens_estimated=0),
        refused(502),
    ]
    await store.write(in_rows([*old, *recent, other, *useless]))
    assert await store.calibration() == {"qwen3-coder-30b": 1.25, "small": 0.5}


async def test_questions_use_their_indexes(store: SqliteStore) -> None:
    connection = sqlite3.connect(store.path)

    def plan(statement: str, values: Any) -> str:
        return " / ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    assert "SCAN exchanges" not in plan(queries.EXCHANGE, {"id": "x"})
    assert "exchanges_by_request" in plan(queries.EXCHANGE, {"id": "x"})
    for by in queries.GROUPINGS:
        assert plan(queries.USAGE[by], {"since": 0, "until": 1}).count("SEARCH e USING INDEX exchanges_by_time") == 2
    assert "exchanges_by_time" in plan(queries.DELETE_BEFORE, {"before": 0, "limit": 1})
    connection.close()


async def test_a_reader_waits_for_no_writer_and_stops_none(store: SqliteStore) -> None:
    await store.write(in_rows([exchange(n) for n in range(100)]))
    reader = SqliteReader(store.path)
    await reader.open()
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert len(await reader.recent(200)) == 100
    other.execute("ROLLBACK")
    other.close()
    await store.write(in_rows([exchange(100)]))
    assert len(await reader.recent(200)) == 101
    await reader.close()


async def test_a_reader_can_not_write_and_needs_a_file(tmp_path: Path, store: SqliteStore) -> None:
    reader = SqliteReader(store.path)
    await reader.open()
    with pytest.raises(StoreError, match="readonly"):
        await reader.find("DELETE FROM exchanges", {})
    await reader.close()
    with pytest.raises(StoreError, match="unable to open"):
        await SqliteReader(tmp_path / "missing.db").open()
    assert not (tmp_path / "missing.db").exists()


async def test_a_summary_that_the_decision_tells_is_not_kept_and_read_all_the_same(store: SqliteStore) -> None:
    record = decided(1)
    before = exchange(2, decision=WHOLE, summary="as it was written then")
    await store.write(in_rows([record, before, refused(3)]))
    with sqlite3.connect(store.path) as connection:
        kept = dict(connection.execute("SELECT id, summary FROM exchanges").fetchall())
    assert kept == {"d000001": None, "d000002": "as it was written then", "d000003": ""}
    assert record.summary.startswith("box/up because model m: the client named it; best of 2 with score ")
    summaries = [record.summary, "as it was written then", ""]
    listed = [*reversed(await store.recent(5))]
    assert [each["summary"] for each in listed] == summaries
    page = await store.page(history.Wanted())
    assert page == [*reversed(listed)]
    assert all("decision" not in each for each in listed)
    found = await store.exchange("d000001")
    assert found is not None
    assert found["summary"] == record.summary
    assert [each["replica_id"] for each in found["decision"]["candidates"]] == ["box/up", "cloud/up"]
    assert found["decision"]["rejected_candidates"][0]["id"] == "old/up"
    old = await store.exchange("d000002")
    assert old is not None
    assert old["summary"] == "as it was written then"
    assert [each["score"] for each in old["decision"]["candidates"]] == [4.9833, 4.55]
