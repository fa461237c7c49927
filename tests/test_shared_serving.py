"""`donut serve` in several processes and on several machines over one Redis: together they admit what one would."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio

from proxy.shared.script import PREFIX
from tests.processes import DonutProcess
from tests.real_redis import RedisServer
from tests.real_servers import family
from tests.serving import config_for
from tests.streams import RawAnswer, RawClient, ask
from tests.test_lifecycle import DONE, streaming
from tests.upstreams import ScriptedUpstream, eventually

FITS = 37


def is_said(donut: DonutProcess, event: str) -> int:
    """How often."""
    return sum(line.get("event") == event for line in donut.events)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def url(server: RedisServer) -> str:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.flushall()
    return server.url


def config(port: int, url: str, requests: int = FITS) -> str:
    budget = f"budgets: [{{scope: all, window: hour, requests: {requests}, on_exceed: refuse}}]"
    return config_for(port, more=f"state: {{shared: '{url}'}}\n{budget}")


@asynccontextmanager
async def machines(folder: Path, config: str, count: int, workers: int) -> AsyncIterator[list[DonutProcess]]:
    """Each has a folder, a journal and a port of its own."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(count):
            home = folder / f"machine{number}"
            home.mkdir()
            arguments = ["--workers", str(workers)] if workers > 1 else []
            found.append(await stack.enter_async_context(DonutProcess(home, config, arguments=arguments)))
        yield found


async def answer_of(donut: DonutProcess) -> RawAnswer:
    """Over a connection of its own: any worker may get it."""
    async with RawClient(donut.port) as client:
        client.send(ask())
        head = await client.read_head()
        await client.read_body(head)
        return head


async def held(url: str) -> dict[str, int]:
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as client:
        found = await client.hgetall(f"{PREFIX}c:all|requests|hour")
    return {"used": int(found.get("t", 0)), "held": int(found.get("h", 0))}


@pytest.mark.slow
@pytest.mark.parametrize(("count", "workers"), [(1, 4), (2, 1), (2, 2)])
async def test_c1_of_200_concurrent_requests_37_are_answered_when_37_fit(tmp_path: Path, url: str, count: int, workers: int) -> None:
    async with (
        ScriptedUpstream(streaming(0.05, 20)) as upstream,
        machines(tmp_path, config(upstream.port, url), count, workers) as donuts,
    ):
        await eventually(lambda: sum(is_said(donut, "shared_state_found") for donut in donuts) == count * workers, 10)
        got = await asyncio.gather(*(answer_of(donuts[number % count]) for number in range(200)))
        answered = [answer for answer in got if answer.status == 200]
        refused = [answer for answer in got if answer.status == 429]
        assert len(answered) + len(refused) == 200
        assert all(answer.body.endswith(DONE) for answer in answered)
        assert b"budgets[0]" in refused[0].body
        async with asyncio.timeout(20):
            while await held(url) != {"used": len(answered), "held": 0}:
                await asyncio.sleep(0.1)
        if any(is_said(donut, "shared_state_lost") for donut in donuts):
            # This machine was so busy that Redis did not answer in time: then it is only bounded.
            assert FITS <= len(answered) <= FITS * count * workers
        else:
            assert len(answered) == FITS


@pytest.mark.slow
async def test_c2_what_a_killed_worker_held_is_released(tmp_path: Path, url: str) -> None:
    """Under load, one of three is killed: it held what nobody will settle."""
    async with (
        ScriptedUpstream(streaming(0.1, 300)) as upstream,
        machines(tmp_path, config(upstream.port, url, 30), 1, 3) as (donut,),
    ):
        await eventually(lambda: len(family(donut.process.pid)) == 4, 10)
        await asyncio.sleep(1.0)
        asking = [asyncio.create_task(answer_of(donut)) for _ in range(60)]
        async with asyncio.timeout(20):
            while (await held(url))["held"] < 30:
                await asyncio.sleep(0.1)
        before = (await held(url))["held"]
        os.kill(family(donut.process.pid)[1], signal.SIGKILL)
        async with asyncio.timeout(40):
            while (after := (await held(url))["held"]) == before or after != sum(not task.done() for task in asking):
                await asyncio.sleep(0.2)
        assert 0 < after < before
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


@pytest.mark.slow
async def test_e1_with_redis_frozen_every_request_is_answered(tmp_path: Path, server: RedisServer, url: str) -> None:
    async with (
        ScriptedUpstream(streaming(0.01, 5)) as upstream,
        machines(tmp_path, config(upstream.port, url, 100_000), 1, 2) as (donut,),
    ):
        await asyncio.sleep(0.7)
        before = [await answer_of(donut) for _ in range(20)]
        server.freeze()
        try:
            during = [await answer_of(donut) for _ in range(40)]
            lost = await donut.said("shared_state_lost", count=2)  # by each worker
            metrics = (await donut.client.get("/metrics")).text
        finally:
            server.thaw()
        assert {answer.status for answer in [*before, *during]} == {200}
        assert "donut_shared_state_lost 1.0" in metrics
        assert lost["why"] == "Redis does not answer"
        async with asyncio.timeout(20):
            while await held(url) != {"used": 60, "held": 0}:
                await asyncio.sleep(0.1)
