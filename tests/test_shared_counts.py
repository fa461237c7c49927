"""Several workers over a real Redis: of what they admit together no limit is exceeded, and nobody waits for a store that is gone."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import redis.asyncio
from structlog.testing import capture_logs

from proxy.shared import state
from proxy.shared.script import PREFIX
from routing.headroom.limits import Limit, Limits, Scope
from routing.headroom.storing import Subject, Use, replay
from routing.headroom.types import Unit, Window
from routing.types import Dispatch, Usage
from tests.processes import ROOT
from tests.real_redis import RedisServer
from tests.sharing import FITS, Worker, budget
from tests.upstreams import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def url(server: RedisServer) -> str:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.flushall()
    return server.url


@asynccontextmanager
async def workers(url: str, count: int, limits: Limits | None = None, *, answer_s: float = 5.0) -> AsyncIterator[list[Worker]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Worker(url, limits, answer_s=answer_s)) for _ in range(count)]


async def stored(url: str, counter: str = "all|requests|hour") -> dict[str, int]:
    """What the store says of one counter."""
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
        found = await client.hgetall(f"{PREFIX}c:{counter}")
    return {"used": int(found.get("t", 0)), "held": int(found.get("h", 0))}


async def settles(url: str, used: int, held: int = 0, within_s: float = 15.0, counter: str = "all|requests|hour") -> None:
    async with asyncio.timeout(within_s):
        while await stored(url, counter) != {"used": used, "held": held}:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_c1_of_200_concurrent_requests_37_are_admitted_when_37_fit(url: str, count: int) -> None:
    async with workers(url, count) as team:
        found = await asyncio.gather(*(worker.ask_at_once(200 // count) for worker in team))
        assert sum(map(len, found)) == FITS
        assert await stored(url) == {"used": 0, "held": FITS}
        for worker, admitted in zip(team, found, strict=True):
            assert worker.router.fleet.open_reservations == len(admitted), "who was not admitted holds nothing"
            for dispatch in admitted:
                worker.finish(dispatch)
        await settles(url, FITS)
        assert [await worker.ask() for worker in team] == [None] * count


class Process:
    """`tests.sharing` in a process of its own."""

    async def __aenter__(self) -> Process:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self._command, cwd=ROOT, stdin=pipe, stdout=pipe)
        assert await self._line() == "ready"
        return self

    def __init__(self, url: str, requests: int, lease_s: float = state.LEASE_S) -> None:
        self._command = (sys.executable, "-m", "tests.sharing", url, str(requests), str(lease_s))

    async def __aexit__(self, *exc_info: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def _line(self) -> str:
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), 30)).decode().strip()

    def _go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def admitted(self) -> int:
        self._go_on()
        return int(await self._line())

    async def end(self) -> None:
        self._go_on()
        await self.process.wait()


async def test_c1_four_processes_admit_37_together(url: str) -> None:
    async with Process(url, 50) as a, Process(url, 50) as b, Process(url, 50) as c, Process(url, 50) as d:
        assert sum(await asyncio.gather(*(process.admitted() for process in (a, b, c, d)))) == FITS
        assert await stored(url) == {"used": 0, "held": FITS}


async def test_c2_what_a_killed_worker_held_comes_back_when_its_lease_is_over(url: str) -> None:
    async with Worker(url) as survivor:
        async with Process(url, 50, lease_s=1.5) as dead:
            assert await dead.admitted() == FITS
            dead.process.kill()  # with its attempts open: nobody will ever settle them
            await dead.process.wait()
        assert await survivor.ask() is None
        await settles(url, 0)
        await eventually(lambda: survivor.taken() == 0, 10)
        assert len(await survivor.ask_at_once(50)) == FITS


async def test_c4_a_request_that_one_limit_rejects_is_charged_to_none(url: str) -> None:
    limits = Limits(
        (
            Limit(Scope.ALL, "*", Unit.TOKENS, Window.DAY, 1000.0, "day"),
            Limit(Scope.ALL, "*", Unit.REQUESTS, Window.MINUTE, 50.0, "minute"),
            Limit(Scope.ALL, "*", Unit.COST, Window.MONTH, 10.0, "month"),
        )
    )
    async with workers(url, 2, limits) as team:
        admitted = [await worker.ask_at_once(40) for worker in team]
        assert sum(map(len, admitted)) == 10
        assert await stored(url, "all|requests|minute") == {"used": 0, "held": 10}
        assert await stored(url, "all|tokens|day") == {"used": 0, "held": 1000}
        assert await stored(url, "all|cost|month") == {"used": 0, "held": 10 * 100 * 1000}


async def test_what_costs_nothing_is_stopped_by_no_budget_that_is_spent(url: str) -> None:
    limits = Limits(
        (
            Limit(Scope.ALL, "*", Unit.COST, Window.DAY, 0.001, "budget"),
            Limit(Scope.ALL, "*", Unit.REQUESTS, Window.DAY, 100.0, "requests"),
        )
    )
    async with Worker(url, limits) as dear, Worker(url, limits, usd=0.0) as free:
        assert len(await dear.ask_at_once(20)) == 10
        assert await dear.ask() is None
        assert len(await free.ask_at_once(60)) == 60
        assert len(await free.ask_at_once(60)) == 30


async def test_c3_requests_that_are_cancelled_while_they_wait_leave_nothing(url: str) -> None:
    async with workers(url, 2) as team:
        for number in range(300):
            task = asyncio.create_task(team[number % 2].ask())
            for _ in range(number % 5):
                await asyncio.sleep(0)
            if number % 7 == 0:
                await asyncio.sleep(0.001)
            task.cancel()
            found = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(found, Dispatch):
                team[number % 2].finish(found, 0)
        used = sum(worker.book.counters[next(iter(worker.book.counters))].settled for worker in team)
        await settles(url, used)
        assert [worker.router.fleet.open_reservations for worker in team] == [0, 0]
        admitted = await asyncio.gather(*(worker.ask_at_once(100) for worker in team))
        assert sum(map(len, admitted)) == max(0, FITS - used)


async def test_what_one_worker_uses_the_others_know_within_a_second_without_asking(url: str) -> None:
    async with workers(url, 2) as (one, other):
        first = await other.ask()
        assert first is not None
        for dispatch in await one.ask_at_once(30):
            one.finish(dispatch)
        await eventually(lambda: other.taken() == 31, 10)


async def test_real_usage_takes_the_place_of_the_estimate(url: str) -> None:
    limits = budget(1000.0, Window.DAY, Unit.TOKENS)
    async with workers(url, 2, limits) as (one, other):
        dispatch = await one.ask(900)
        assert dispatch is not None
        assert await other.ask(200) is None
        one.finish(dispatch, tokens=50)
        await settles(url, 50, counter="all|tokens|day")
        await eventually(lambda: other.taken() == 50, 10)  # it believes what it was told until it is told otherwise
        assert await other.ask(200) is not None


async def test_where_no_limit_binds_nobody_asks(url: str) -> None:
    async with workers(url, 1, Limits((Limit(Scope.HARNESS, "codex", Unit.REQUESTS, Window.HOUR, 1.0, "codex"),))) as (worker,):
        worker.link.call = None  # type: ignore[method-assign,assignment] # whoever calls it now finds nothing
        assert len(await worker.ask_at_once(20)) == 20
        worker.link = None  # type: ignore[assignment]
        del worker.shared._link.call


# A store that is not there


async def test_e1_a_frozen_store_holds_nobody_up_and_is_brought_up_to_date(server: RedisServer, url: str) -> None:
    with capture_logs() as lines:
        async with workers(url, 2, answer_s=0.5) as team:
            server.freeze()
            try:
                found = await asyncio.gather(*(worker.ask_at_once(100) for worker in team))
                again = await asyncio.gather(*(worker.ask_at_once(10) for worker in team))
            finally:
                server.thaw()
            # Each counts for itself: at most what was left, times the number of workers.
            assert [len(admitted) for admitted in found] == [FITS, FITS]
            assert again == [[], []]
            assert all(worker.slowest_s < 5 for worker in team)
            for worker, admitted in zip(team, found, strict=True):
                for dispatch in admitted:
                    worker.finish(dispatch)
            await settles(url, 2 * FITS)
            await eventually(lambda: team[0].taken() == 2 * FITS, 10)
    said = [line["event"] for line in lines if line["event"].startswith("shared_state")]
    assert sorted(said) == ["shared_state_found"] * 4 + ["shared_state_lost"] * 2, "one line per worker and transition"


async def test_a_store_that_comes_back_empty_is_told_what_was_used_and_what_is_held(server: RedisServer, url: str) -> None:
    async with workers(url, 2) as (one, other):
        used = await one.ask_at_once(10)
        for dispatch in used:
            one.finish(dispatch)
        open_ = await other.ask_at_once(5)
        await settles(url, 10, held=5)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await settles(url, 10, held=5)
        assert len(await one.ask_at_once(50)) + len(await other.ask_at_once(50)) == FITS - 15
        for dispatch in open_:
            other.finish(dispatch)
        await settles(url, 15, held=FITS - 15)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_the_store_ends_with_what_its_workers_used_and_hold(server: RedisServer, url: str, seed: int) -> None:
    """Requests that end, stay open or are given up at any moment; a store that is frozen for a while and one that loses everything."""
    chance = random.Random(seed)
    async with workers(url, 3, budget(60.0, Window.DAY, Unit.REQUESTS), answer_s=0.3) as team:
        open_: list[tuple[Worker, Dispatch]] = []
        for _ in range(250):
            worker = chance.choice(team)
            match chance.choices(["ask", "give up", "end", "wait", "freeze", "lose"], [40, 20, 30, 10, 1, 1])[0]:
                case "ask":
                    open_ += [(worker, dispatch) for dispatch in await worker.ask_at_once(chance.randrange(1, 6))]
                case "give up":
                    task = asyncio.create_task(worker.ask())
                    await asyncio.sleep(chance.choice([0, 0, 0.0005, 0.002]))
                    task.cancel()
                    (found,) = await asyncio.gather(task, return_exceptions=True)
                    if isinstance(found, Dispatch):
                        open_.append((worker, found))
                case "end" if open_:
                    owner, dispatch = open_.pop(chance.randrange(len(open_)))
                    owner.finish(dispatch)
                case "wait":
                    await asyncio.sleep(chance.random() * 0.2)
                case "freeze":
                    server.freeze()
                    await asyncio.sleep(0.6)
                    server.thaw()
                case "lose":
                    async with redis.asyncio.Redis.from_url(url) as client:
                        await client.flushall()
        counters = [counter for worker in team for counter in worker.book.counters.values()]
        held = sum(counter.held for counter in counters)
        assert held == len(open_)
        await settles(url, sum(counter.settled for counter in counters), held, counter="all|requests|day")


async def test_what_the_journal_remembers_at_the_start_is_in_the_store_once(url: str) -> None:
    use = Use(Subject("a", "a/m", "m"), 60.0, Usage(input_uncached=5), 0.0)
    async with Worker(url, earlier=(use,) * 20) as one, Worker(url, earlier=(use,) * 20) as other:
        assert len(await one.ask_at_once(50)) + len(await other.ask_at_once(50)) == FITS - 20
        assert await stored(url) == {"used": 20, "held": FITS - 20}


async def test_counting_anew_from_the_journal_is_no_news(url: str) -> None:
    uses = [Use(Subject("a", "a/m", "m"), 60.0, Usage(input_uncached=5), 0.0)] * 20
    async with Worker(url) as one, Worker(url) as other:
        for dispatch in await one.ask_at_once(5):
            one.finish(dispatch)
        await settles(url, 5)
        replay(one.book, uses, one.now())
        replay(other.book, uses, other.now())
        await asyncio.sleep(1.2)
        assert await stored(url) == {"used": 5, "held": 0}


async def test_a_wrong_password_is_said_once_and_without_it(server: RedisServer) -> None:
    with capture_logs() as lines:
        async with Worker(server.url.replace("only-for-tests", "hunter2")) as worker:
            assert len(await worker.ask_at_once(50)) == FITS
            await asyncio.sleep(1.2)
    (said,) = [line for line in lines if line["event"] == "shared_state_lost"]
    assert "password" in said["why"].lower()
    assert "hunter2" not in str(lines)
