"""The journal in a real PostgreSQL: the same answers as SQLite's, and what only a server can do to a store (go away, come back, hang)."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiosqlite
import asyncpg
import pytest

from proxy.journal import history, postgres_schema, queries, schema, spent
from proxy.journal.places import PostgresPlace
from proxy.journal.port import JournalStore, StoreError
from proxy.journal.postgres import PostgresReader, PostgresStore
from proxy.journal.postgres_link import Link
from proxy.journal.queue import JournalQueue
from proxy.journal.records import AttemptRecord, ExchangeRecord, Status
from proxy.journal.retention import Retention
from proxy.journal.sqlite import SqliteStore
from routing.headroom.limits import Scope
from routing.types import Usage
from tests.journal_samples import DECISION, START_S, attempt, exchange, in_rows, refused
from tests.real_postgres import PostgresServer

DAY_S = 86_400.0
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
async def url(server: PostgresServer) -> str:
    """An empty database."""
    name = f"journal_{next(_numbers)}"
    connection = await asyncpg.connect(server.url())
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return server.url(name)


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url)
    await store.open()
    yield store
    await store.close()


async def count(url: str, table: str = "exchanges") -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM donut.{table}"))
    finally:
        await connection.close()


def some_attempt(number: int, chance: random.Random) -> AttemptRecord:
    usage = chance.choice([None, Usage(70, 20, 10, 40, 5), Usage(input_uncached=9, output=3, reported=False), Usage(input_uncached=2**40)])
    return attempt(
        number,
        replica_id=chance.choice(["box/up", "cloud/up"]),
        provider_id=chance.choice(["box", "cloud"]),
        status=chance.choice(list(Status)),
        failure_kind=chance.choice([None, "connect", "bad_request"]),
        ttft_s=chance.choice([None, 0.25, chance.random()]),
        total_s=chance.random() * 3,
        usage=usage,
        cost_usd=chance.choice([None, 0.0, chance.random()]),
    )


def some_exchanges(seed: int, number: int) -> list[ExchangeRecord]:
    chance = random.Random(seed)
    return [
        exchange(
            n,
            request_id=chance.choice([f"d{n:06d}", "mine", f"r{n}"]),
            started_at=START_S + n * 1000 + chance.random(),
            harness=chance.choice(["codex", "Zed", "é"]),
            client_key=chance.choice([None, "laptop"]),
            stream=chance.random() < 0.5,
            status=chance.choice(list(Status)),
            logical_model_id=chance.choice([None, "small", "qwen3-coder-30b"]),
            replica_id=chance.choice([None, "box/up"]),
            affinity_key=chance.choice([None, "talk", "other"]),
            idempotency_key=chance.choice([None, "k"]),
            attempts=[some_attempt(k + 1, chance) for k in range(chance.randrange(4))],
        )
        for n in range(number)
    ]


async def everything(store: JournalStore) -> dict[str, object]:
    """Every question there is."""
    period = (START_S, START_S + 10 * DAY_S)
    told: dict[str, object] = {f"usage {by}": await store.usage(*period, by) for by in queries.GROUPINGS}
    told |= {f"performance {by}": await store.performance(*period, by) for by in history.PERFORMERS}
    told |= {f"exchange {n}": await store.exchange(f"d{n:06d}") for n in range(0, 200, 7)}
    wanted = history.Wanted(limit=20)
    pages = [wanted, wanted._replace(status="ok"), wanted._replace(model="small"), wanted._replace(since=START_S + 9000, replica="box/up")]
    told |= {str(one): await store.page(one) for one in (*pages, *(one._replace(before="d000100") for one in pages))}
    told["no such cursor"] = await store.page(wanted._replace(before="nobody"))
    told["by request id"] = await store.exchange("mine")
    told["recent"] = await store.recent(30)
    spans = [spent.Wanted(*period, grain_s, scopes) for grain_s in (None, 3600.0) for scopes in (frozenset(), frozenset(Scope))]
    told |= {f"spent {span}": sorted(await store.spent(span), key=_by_time) for span in spans}
    told["calibration"] = await store.calibration()
    told["bindings"] = await store.bindings(START_S + 5000, 40)
    told["checkpoints"] = await store.checkpoints(START_S + 5000, 40)
    return told


@pytest.mark.parametrize("seed", range(3))
async def test_every_answer_is_the_one_that_sqlite_gives(tmp_path: Path, store: PostgresStore, seed: int) -> None:
    records = [*some_exchanges(seed, 200), refused(1000)]
    other = SqliteStore(tmp_path / "j.db")
    await other.open()
    for one in (store, other):
        await one.write(in_rows(records))
    ours, theirs = await everything(store), await everything(other)
    await other.close()
    for question, answer in theirs.items():
        assert ours[question] == pytest.approx(answer) if question == "calibration" else _same(ours[question], answer), question


def _by_time(one: spent.Spent) -> tuple[object, ...]:
    return one.ended_at, one.replica_id, one.provider_id, str(one.usage), str(one.exchange_id)


def _same(one: object, other: object) -> bool:
    """Equal, sums of floats up to the order of their addition."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(itertools.starmap(_same, zip(one, other, strict=True)))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-9)
    return type(one) is type(other) and one == other


async def test_both_databases_have_the_same_columns(tmp_path: Path, store: PostgresStore, url: str) -> None:
    assert schema.SCHEMA_VERSION == postgres_schema.SCHEMA_VERSION
    other = SqliteStore(tmp_path / "j.db")
    await other.open()
    await other.close()
    connection = await asyncpg.connect(url)
    async with aiosqlite.connect(tmp_path / "j.db") as file:
        for table in ("exchanges", "attempts", "meta"):
            columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'donut' AND table_name = $1"
            ours = {row[0] for row in await connection.fetch(columns, table)}
            assert ours - {"rowid"} == {row[1] for row in await file.execute_fetchall(f"PRAGMA table_info({table})")}
    await connection.close()


async def test_writing_an_id_again_changes_nothing(store: PostgresStore, url: str) -> None:
    await store.write(in_rows([exchange(1), refused(2)]))
    before = await store.exchange("d000001")
    await store.write(in_rows([exchange(1, summary="another", attempts=[attempt(cost_usd=9.0)]), refused(2), exchange(3)]))
    assert await store.exchange("d000001") == before
    assert (await count(url), await count(url, "attempts")) == (3, 2)


@pytest.mark.parametrize("number", [1, 31, 32, 33, 700])
async def test_batches_of_any_size_arrive_whole_and_in_order(store: PostgresStore, number: int) -> None:
    await store.write(in_rows([exchange(n, attempts=[attempt(1), attempt(2)]) for n in range(number)]))
    assert [row["id"] for row in await store.recent(1000)] == [f"d{n:06d}" for n in reversed(range(number))]
    (usage,) = await store.usage(0, 2e9, "model")
    assert usage["attempts"] == 2 * number


async def test_values_that_postgres_can_not_take_do_not_hold_up_their_batch(store: PostgresStore) -> None:
    odd = exchange(1, requested_model="gpt-\ud800\0", bytes_in=2**70, decision={"why": "\ud800"}, summary=["not", "text"])
    worse = exchange(2, http_status="none at all", attempts=[attempt(total_s="long", upstream_status=2.0)])
    await store.write(in_rows([exchange(0), odd, worse]))
    rows = {row["id"]: row for row in await store.recent(10)}
    assert rows["d000000"]["requested_model"] == "auto"
    assert (rows["d000001"]["requested_model"], rows["d000001"]["bytes_in"]) == ("gpt-?\N{REPLACEMENT CHARACTER}", 2**63 - 1)
    assert (rows["d000001"]["summary"], rows["d000002"]["http_status"]) == ("['not', 'text']", None)
    found = await store.exchange("d000002")
    assert found is not None
    assert (found["attempts"][0]["total_s"], found["attempts"][0]["upstream_status"]) == (None, 2)


async def test_a_batch_that_fails_in_the_middle_leaves_nothing(store: PostgresStore, url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER TABLE donut.attempts ADD CONSTRAINT few CHECK (number < 3)")
    with pytest.raises(StoreError, match="few"):
        await store.write(in_rows([exchange(n, attempts=[attempt(3 if n == 80 else 1)]) for n in range(100)]))
    assert await count(url) == 0
    await connection.execute("ALTER TABLE donut.attempts DROP CONSTRAINT few")
    await connection.close()
    await store.write(in_rows([exchange(1)]))
    assert await count(url) == 1


async def test_workers_that_start_at_once_make_the_tables_once(url: str) -> None:
    stores = [PostgresStore(url, donut_version="9.9") for _ in range(5)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.write(in_rows([exchange(n)])) for n, store in enumerate(stores)))
    assert len(await stores[0].recent(10)) == 5
    await asyncio.gather(*(store.close() for store in stores))


async def test_tables_of_another_donut(url: str) -> None:
    with pytest.raises(StoreError, match="holds no journal yet"):
        await PostgresReader(url).open()
    connection = await asyncpg.connect(url, server_settings={"search_path": "donut"})
    await postgres_schema.migrate(connection, "0.0.1", postgres_schema.MIGRATIONS[:1])
    with pytest.raises(StoreError, match="was written by an older donut"):
        await PostgresReader(url).open()
    store = PostgresStore(url)
    await store.open()  # which brings them up to date
    await store.write(in_rows([exchange(1)]))
    await store.close()
    await postgres_schema.migrate(connection, "7.0", (*postgres_schema.MIGRATIONS, ("CREATE TABLE more (x BIGINT)",)))
    for newer in (PostgresStore(url), PostgresReader(url)):
        with pytest.raises(StoreError, match=r"written by donut 7\.0"):
            await newer.open()
    await connection.close()


async def test_an_account_that_may_make_nothing_else_can_use_a_schema_of_its_own(server: PostgresServer, url: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute(
        "CREATE ROLE guest LOGIN PASSWORD 'guest'; CREATE SCHEMA donut AUTHORIZATION guest; CREATE TABLE public.exchanges (x int)"
    )
    store = PostgresStore(f"postgresql://guest:guest@127.0.0.1:{server.port}/{url.rpartition('/')[2]}")
    await store.open()
    await store.write(in_rows([exchange(1)]))
    await store.close()
    assert await owner.fetchval("SELECT count(*) FROM public.exchanges") == 0
    await owner.close()


async def test_a_reader_can_not_write(store: PostgresStore, url: str) -> None:
    reader = PostgresReader(url)
    await reader.open()
    with pytest.raises(StoreError, match="read-only"):
        await reader.find("DELETE FROM exchanges", {})
    await reader.close()
    with pytest.raises(StoreError, match="not open"):
        await reader.recent(1)


async def test_e3_old_exchanges_go_in_bounded_batches_with_their_attempts(store: PostgresStore, url: str) -> None:
    await store.write(in_rows([exchange(n, started_at=START_S + n * 3600, attempts=[attempt(), attempt(2)]) for n in range(240)]))
    assert await store.delete_before(START_S + 100 * 3600, 30) == 30
    assert await Retention(store, 2, batch=50, pause_s=0, clock=lambda: START_S + 10 * DAY_S).sweep() == 162
    assert (await count(url), await count(url, "attempts")) == (48, 96)


async def test_no_message_has_the_password(server: PostgresServer, url: str) -> None:
    wrong = url.replace("only-for-tests", "hunter2")
    gone = url.replace(f":{server.port}", ":1") + "?password=hunter2&connect_timeout=1"
    missing = url.rpartition("/")[0] + "/nothing_there"
    for bad, words in ((wrong, "password authentication failed"), (gone, "refused|Connect"), (missing, "does not exist")):
        with pytest.raises(StoreError, match=words) as caught:
            await PostgresStore(bad).open()
        assert "hunter2" not in str(caught.value)
        assert "only-for-tests" not in str(caught.value)
        assert "donut@127.0.0.1:" in str(caught.value)


# What a server can do.


async def test_b4_a_server_that_restarts_costs_no_row_and_makes_none_twice(server: PostgresServer, store: PostgresStore, url: str) -> None:
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01)
    await queue.start()
    stopped = asyncio.create_task(asyncio.to_thread(server.stop))
    for n in range(3000):
        queue.put(exchange(n))
        if n % 10 == 0:
            await asyncio.sleep(0.001)
    await stopped
    async with asyncio.timeout(10):
        while queue.snapshot().failing_since is None:
            await asyncio.sleep(0.01)
    assert queue.snapshot().dropped == 0
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(20):
        while queue.snapshot().pending:
            await asyncio.sleep(0.02)
    await queue.aclose(5)
    assert (queue.snapshot().written, queue.snapshot().dropped) == (3000, 0)
    assert (await count(url), await count(url, "attempts")) == (3000, 3000)


async def test_b5_what_does_not_fit_while_the_server_is_away_is_counted(server: PostgresServer, store: PostgresStore, url: str) -> None:
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01, max_bytes=500_000)
    await queue.start()
    await asyncio.to_thread(server.stop)
    for n in range(500):
        queue.put(exchange(n))
        await asyncio.sleep(0)
    state = queue.snapshot()
    assert state.pending_bytes <= 500_000
    assert state.dropped == 500 - state.pending > 0
    await asyncio.to_thread(server.start)
    await queue.aclose(10)
    assert await count(url) == queue.snapshot().written == state.pending


async def test_e1_a_frozen_server_fails_in_bounded_time_and_is_found_again(server: PostgresServer, store: PostgresStore, url: str) -> None:
    link = Link(url, timeout_s=0.3)
    await link.open()
    server.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(StoreError, match="does not answer"):
            async with link.connection() as connection:
                await connection.fetchval("SELECT 1")
        with pytest.raises(StoreError, match="does not answer"):
            async with link.connection():
                pass
        assert time.monotonic() - began < 30  # 0.3 s of a question, 3 s of a new connection, and a busy machine
    finally:
        server.thaw()
    async with link.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await link.close()


async def test_what_could_not_be_written_at_the_end_is_imported_at_the_next_start(server: PostgresServer, url: str, tmp_path: Path) -> None:
    place = PostgresPlace(url, tmp_path / "new" / "folder")
    store = place.store("1.0")
    await store.open()
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01, spill_beside=place.beside)
    await queue.start()
    await asyncio.to_thread(server.stop)
    for n in range(40):
        queue.put(exchange(n))
    await queue.aclose(0.3)
    assert queue.snapshot().spilled == 40
    await asyncio.to_thread(server.start)
    again = JournalQueue(store, spill_beside=place.beside)
    await again.start()
    await again.aclose(1)
    found = await store.exchange("d000007")
    assert found is not None
    assert (await count(url), found["decision"]) == (40, DECISION)
    assert list(place.folder.iterdir()) == []
    await store.close()
