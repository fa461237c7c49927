"""Counters = Σ the journal's rows: after a restart, when a limit is new, and when a price was corrected (C2, C5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.recount import SINGLY_S, Basis, cost_now, segments
from proxy.journal.records import AttemptRecord, ExchangeRecord
from proxy.journal.spent import Spent, Wanted, scopes_told, spent_of
from proxy.journal.sqlite import SqliteStore
from routing.headroom.limits import Limit, Scope
from routing.headroom.types import WINDOW_S, Unit, Window
from routing.types import Price, Usage
from tests.journal_samples import in_rows
from tests.serving import Donut, config_for
from tests.test_budgets_serving import CHAT, chat, counted, used
from tests.upstreams import ReceivedRequest, ScriptedUpstream, eventually, saying

BUDGET = "budgets: [{window: day, cost: 1, on_exceed: refuse}]"


def priced(port: int, input_: float, more: str = BUDGET) -> str:
    return config_for(port, more=more).replace("price: {input: 1,", f"price: {{input: {input_:g},")


async def test_c2_what_was_spent_survives_a_restart(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(400_000, 50_000))) as upstream:
        async with Donut(config_for(upstream.port, more=BUDGET), tmp_path) as donut:
            assert (await chat(donut)).status_code == 200
        async with Donut(config_for(upstream.port, more=BUDGET), tmp_path) as donut:
            assert await counted(donut) == pytest.approx(0.5)
            assert (await chat(donut)).status_code == 200
            assert (await chat(donut)).status_code == 402
            assert donut.open_reservations == 0


async def test_c2_every_scope_is_counted_from_the_journal(tmp_path: Path) -> None:
    scopes = ("all", "key", "harness", "policy", "model", "provider", "session")
    budgets = [f"{{scope: {scope}, window: month, requests: 100}}" for scope in scopes]
    more = f"budgets: [{', '.join(budgets)}]\nserver: {{api_keys: [{{name: ci, key: a-long-config-key}}]}}"
    headers = {"x-api-key": "a-long-config-key", "x-donut-session": "s1", "x-donut-policy": "ops"}

    def rows(answer: httpx.Response) -> dict[str, tuple[str | None, float]]:
        return {f"{row['scope']}": (row["id"], row["used"]) for row in answer.json()["data"]}

    async with ScriptedUpstream(saying(used(20, 10))) as upstream:
        config = config_for(upstream.port, more=more).replace("model: test-model", "model: qwen3-coder-30b")
        async with Donut(config, tmp_path) as donut:
            for _ in range(3):
                got = await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "auto"}, headers=headers)
                assert got.status_code == 200
            before = rows(await donut.client.get("/api/headroom", headers=headers))
        async with Donut(config, tmp_path) as donut:
            book = donut.runtime.gateway.serving.router.fleet.headroom
            after = {key.key: int(counter.meter.used(donut.runtime.gateway.now())) for key, counter in book.counters.items()}
    assert {use for _, use in before.values()} == {3}
    assert before.keys() == set(scopes)
    assert after == {scope if id_ is None else f"{scope}:{id_}": 3 for scope, (id_, _) in before.items()}


async def test_c5_correcting_a_price_gives_back_what_the_wrong_one_cost(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(100_000, 0))) as upstream, Donut(priced(upstream.port, 1000), tmp_path) as donut:
        assert (await chat(donut)).status_code == 200
        assert (await chat(donut)).status_code == 402, "at $1000 per million the day's dollar is gone"
        await donut.reload(priced(upstream.port, 1))
        async with asyncio.timeout(5):
            while (await chat(donut)).status_code != 200:
                await asyncio.sleep(0.02)
        assert await counted(donut) == pytest.approx(0.2, abs=0.01)
        assert donut.rows("attempts")[0]["cost_usd"] == pytest.approx(100), "the journal keeps what was believed then"


async def test_c5_a_price_corrected_while_donut_was_down(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(100_000, 0))) as upstream:
        async with Donut(priced(upstream.port, 1000), tmp_path) as donut:
            assert (await chat(donut)).status_code == 200
        async with Donut(priced(upstream.port, 2), tmp_path) as donut:
            assert await counted(donut) == pytest.approx(0.2)


async def test_a_new_budget_counts_what_was_spent_before_it(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(600_000, 0))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        for _ in range(2):
            assert (await chat(donut)).status_code == 200
        await donut.reload(config_for(upstream.port, more=BUDGET))
        async with asyncio.timeout(5):
            while (await chat(donut)).status_code != 402:
                await asyncio.sleep(0.02)
        assert await counted(donut) >= 1.2


async def test_what_ends_while_it_is_counted_anew_is_counted_once(tmp_path: Path) -> None:
    """Prices change back and forth under load; in the end every row is in the counter, none twice."""
    more = "budgets: [{window: day, cost: 1000, on_exceed: refuse}]"
    async with ScriptedUpstream(saying(used(1000, 0))) as upstream, Donut(priced(upstream.port, 5, more), tmp_path) as donut:
        is_over = False

        async def ask() -> int:
            done = 0
            while not is_over:
                assert (await chat(donut)).status_code == 200
                done += 1
            return done

        asking = [asyncio.create_task(ask()) for _ in range(8)]
        for price in (7, 3, 9, 5):
            await asyncio.sleep(0.15)
            await donut.reload(priced(upstream.port, price, more))
        await asyncio.sleep(0.4)
        is_over = True
        done = sum(await asyncio.gather(*asking))
        await donut.wait_for_rows(done)
        await donut.runtime._recount.count()
        assert await counted(donut) == pytest.approx(done * 0.005)
        assert donut.open_reservations == 0


async def test_a_journal_that_does_not_answer_changes_no_counter(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(100_000, 0))) as upstream, Donut(priced(upstream.port, 1), tmp_path) as donut:
        assert (await chat(donut)).status_code == 200
        await donut.wait_for_rows(1)
        await donut.runtime.store.close()
        await donut.reload(priced(upstream.port, 2))
        await asyncio.sleep(0.3)
        assert await counted(donut) == pytest.approx(0.1)
        await donut.runtime.store.open()


async def test_c2_after_a_crash_nothing_is_held_and_what_was_written_is_counted(tmp_path: Path) -> None:
    """kill -9 in the middle of an answer, as the next process finds it: the row of what ended, and nothing of what did not."""
    release = asyncio.Event()

    async def second_hangs(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if b"hang" in request.body:
            await release.wait()
        writer.write(used(100_000, 0))

    async with ScriptedUpstream(second_hangs) as upstream, Donut(priced(upstream.port, 1), tmp_path) as donut:
        assert (await chat(donut)).status_code == 200
        await donut.wait_for_rows(1)
        hanging = asyncio.create_task(chat(donut, messages=[{"role": "user", "content": "hang"}]))
        await eventually(lambda: donut.open_reservations == 1)
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for path in tmp_path.glob("donut.db*"):
            (crashed / path.name).write_bytes(path.read_bytes())
        async with Donut(priced(upstream.port, 1), crashed) as after:
            assert after.open_reservations == 0
            assert await counted(after) == pytest.approx(0.1)
        release.set()
        await hanging


# The pieces

DAY = Limit(Scope.ALL, "*", Unit.COST, Window.DAY, 1.0, "a")
MINUTE = Limit(Scope.CLIENT, "ci", Unit.TOKENS, Window.MINUTE, 1.0, "b")
MONTH = Limit(Scope.ALL, "*", Unit.COST, Window.MONTH, 1.0, "c", calendar=True)
NOON = 1795262400.0
"""2026-11-21 12:00:00 UTC."""


def test_the_past_is_cut_where_windows_begin() -> None:
    found = segments([DAY, MINUTE, MONTH], NOON, frozenset())
    november = 1793491200.0
    assert [wanted.since for wanted in found] == [november, NOON - 86_400, NOON - 60, NOON - SINGLY_S]
    assert [wanted.until for wanted in found[:-1]] == [wanted.since for wanted in found[1:]]
    assert [wanted.grain_s for wanted in found] == [WINDOW_S[Window.MONTH] / 128, 86_400 / 128, 60 / 128, None]


def spent(usage: Usage | None, cost: float | None, version: str | None = "catalog:1", attempts: int = 1) -> Spent:
    return Spent(None, "p", "p/a", "m", None, None, None, None, version, attempts, attempts, usage, cost, NOON)


@pytest.mark.parametrize(
    ("row", "price", "is_served", "usd"),
    [
        (spent(Usage(1_000_000), 7.0), Price(1.0, 2.0, version="catalog:1"), True, 7.0),
        (spent(Usage(1_000_000), 7.0), Price(1.0, 2.0, version="catalog:2"), True, 1.0),
        (spent(Usage(1_000_000), 7.0, "config"), Price(1.0, 2.0, version="config"), True, 1.0),
        (spent(Usage(1_000_000), None), Price(1.0, 2.0, version="catalog:1"), True, 1.0),
        (spent(Usage(1_000_000), 7.0), None, False, 7.0),
        (spent(Usage(1_000_000), 7.0), None, True, None),
        (spent(None, None), Price(1.0, 2.0, version="catalog:2"), True, None),
        (spent(Usage(2_000_000), 7.0, attempts=4), Price(1.0, 2.0, version="catalog:2", request=0.5), True, 4.0),
    ],
)
def test_tokens_are_priced_at_the_price_in_force(row: Spent, price: Price | None, is_served: bool, usd: float | None) -> None:
    assert cost_now(row, price, is_served=is_served) == usd


def test_what_calls_for_counting_anew() -> None:
    one, other = Price(1.0, 1.0), Price(2.0, 1.0)
    basis = Basis((DAY,), {"p/a": one})
    assert not Basis((DAY,), {"p/a": one, "q/b": other}).differs_from(basis), "who is new has spent nothing yet"
    assert not Basis((DAY,), {}).differs_from(basis)
    assert not Basis((), {"p/a": other}).differs_from(basis), "nobody counts any more"
    assert Basis((DAY,), {"p/a": other}).differs_from(basis)
    assert Basis((DAY, MINUTE), {"p/a": one}).differs_from(basis)
    assert not Basis((MINUTE,), {"p/a": other}).differs_from(Basis((MINUTE,), {"p/a": one})), "tokens have no price"


SOME = Usage(10, 1, 2, 3, 0)


def record(number: int, ended_at: float, *attempts: AttemptRecord) -> ExchangeRecord:
    made = ExchangeRecord(f"e{number}", f"e{number}", ended_at - 1.0, "chat", "ci", requested_model="auto", harness="codex")
    made.affinity_key = f"s{number % 2}"
    made.logical_model_id = "m"
    made.decision = {"demand": {"policy": f"p{number % 2}"}}
    made.attempts = list(attempts)
    return made


def attempt(ended_at: float, usage: Usage | None = SOME, *, cost: float | None = 0.5, failure: str | None = None) -> AttemptRecord:
    made = AttemptRecord(1, "p/a", "p", "a", ended_at - 1.0, total_s=1.0, usage=usage, cost_usd=cost, price_version="config")
    made.failure_kind = failure
    return made


async def asked(folder: Path, records: Sequence[ExchangeRecord], wanted: Wanted) -> list[Spent]:
    store = SqliteStore(folder / "j.db")
    await store.open()
    try:
        await store.write(in_rows(records))
        return await store.spent(wanted)
    finally:
        await store.close()


async def test_attempts_that_nobody_can_tell_apart_are_told_as_one(tmp_path: Path) -> None:
    records = [
        record(1, NOON - 100, attempt(NOON - 100)),
        record(2, NOON - 101, attempt(NOON - 101)),
        record(3, NOON - 102, attempt(NOON - 102, cost=None)),
        record(4, NOON - 103, attempt(NOON - 103, cost=None, usage=None, failure="connect")),
        record(5, NOON - 104, attempt(NOON - 104, usage=Usage(100, reported=False))),
        record(6, NOON - 5000, attempt(NOON - 5000)),
        record(7, NOON - 200_000, attempt(NOON - 200_000)),
    ]
    found = await asked(tmp_path, records, Wanted(NOON - 86_400, NOON, 600.0))
    told = {(each.attempts, each.requests, each.usage, each.cost_usd) for each in found}
    assert told == {
        (2, 2, Usage(20, 2, 4, 6, 0), 1.0),
        (1, 1, Usage(10, 1, 2, 3, 0), None),
        (1, 0, None, None),
        (1, 1, Usage(100, reported=False), 0.5),
        (1, 1, Usage(10, 1, 2, 3, 0), 0.5),
    }
    assert found == sorted(found, key=lambda each: each.ended_at)
    assert {(each.client, each.harness, each.policy, each.session, each.exchange_id) for each in found} == {(None,) * 5}


async def test_subjects_are_told_apart_where_a_limit_asks_for_it(tmp_path: Path) -> None:
    records = [record(number, NOON - 100, attempt(NOON - 100)) for number in range(4)]
    scopes = scopes_told([Scope.ALL, Scope.CLIENT, Scope.POLICY, Scope.SESSION, Scope.HARNESS, Scope.PROVIDER])
    found = await asked(tmp_path, records, Wanted(NOON - 600, NOON, 600.0, scopes))
    assert {(each.client, each.harness, each.policy, each.session, each.attempts) for each in found} == {
        ("ci", "codex", "p0", "s0", 2),
        ("ci", "codex", "p1", "s1", 2),
    }
    singly = await asked(tmp_path, records, Wanted(NOON - 600, NOON, None, scopes))
    assert sorted(each.exchange_id or "" for each in singly) == ["e0", "e1", "e2", "e3"]


def test_a_row_as_a_database_gives_it() -> None:
    row: dict[str, Any] = dict.fromkeys(("exchange_id", "logical_model_id", "client", "harness", "policy", "session", "price_version"))
    row |= {"provider_id": "p", "replica_id": "p/a", "is_reported": 0, "is_estimated": 0, "attempts": 2, "requests": 1}
    row |= dict.fromkeys(("input_uncached", "cache_read", "cache_write", "output", "reasoning"), 0) | {"cost_usd": None, "ended_at": 1.0}
    assert spent_of(row).usage is None
