"""What one worker finds out about a replica the others know within a second, and what heals it heals it for all. Over a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
import redis.asyncio

from proxy.shared.redis_link import ANSWER_MOST_S
from proxy.shared.state import BEAT_S
from routing.facts import AttemptFailed, AttemptFinished, Failure, FailureKind
from routing.headroom.limits import NO_LIMITS
from routing.health import Health
from routing.types import Dispatch, Refusal, RejectReason, Usage
from tests.playbook import demand_for
from tests.real_redis import RedisServer
from tests.sharing import Worker
from tests.upstreams import eventually

A = "a/m"
WITHIN_S = 10.0
"""For a machine that is busy with something else. What the requirement says is in the next line."""
assert 2 * (BEAT_S + 2 * ANSWER_MOST_S) <= 1.0, "one tells with its next beat, the others ask with theirs"
BROKEN = Failure(FailureKind.OVERLOADED, "503 from the upstream")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def url(server: RedisServer) -> str:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.flushall()
    return server.url


def worker(url: str) -> Worker:
    return Worker(url, NO_LIMITS)


def fail(worker: Worker, failure: Failure = BROKEN, times: int = 3) -> None:
    for _ in range(times):
        decision = worker.router.decide(demand_for(), worker.now())
        assert isinstance(decision, Dispatch)
        worker.router.observe(AttemptFailed(decision.reservation, failure), worker.now())


def health(worker: Worker) -> Health:
    return worker.router.fleet.state(A).health.health


def until_s(worker: Worker) -> float:
    return worker.router.fleet.state(A).health.ejected_until_s


async def test_d2_an_ejection_reaches_every_worker_within_a_second_and_one_probe_heals_all(url: str) -> None:
    async with worker(url) as one, worker(url) as two, worker(url) as three:
        fail(one)
        assert health(one) is Health.EJECTED
        await eventually(lambda: health(two) is health(three) is Health.EJECTED, WITHIN_S)
        assert until_s(two) == pytest.approx(until_s(one), abs=0.2)
        assert "503 from the upstream" in two.router.fleet.state(A).health.reason
        decision = two.router.decide(demand_for(), two.now(), panicked=True)
        assert isinstance(decision, Refusal)
        assert [reject.reason for reject in decision.evidence.rejected] == [RejectReason.EJECTED]
        # The time is over: whoever probes first finds out for all.
        later = until_s(three) + 0.1
        probe = three.router.decide(demand_for(), later)
        assert isinstance(probe, Dispatch)
        three.router.observe(AttemptFinished(probe.reservation, Usage(1, output=1)), later)
        assert health(three) is Health.HEALTHY
        await eventually(lambda: health(one) is health(two) is Health.HEALTHY, WITHIN_S)


async def test_d1_the_later_deadline_wins_whoever_told_it(url: str) -> None:
    async with worker(url) as one, worker(url) as two:
        fail(one, Failure(FailureKind.OVERLOADED, "busy", retry_after_s=40.0))
        await eventually(lambda: health(two) is Health.EJECTED, WITHIN_S)
        fail_again = Failure(FailureKind.UNAUTHORIZED, "the key was refused", upstream_status=401)
        two.router.fleet.state(A).health.health = Health.HEALTHY  # as if it had not heard yet
        fail(two, fail_again, times=1)
        await eventually(lambda: until_s(one) > one.now() + 50, WITHIN_S)
        await asyncio.sleep(0.6)
        assert until_s(two) == pytest.approx(until_s(one), abs=0.2)


async def test_d2_a_rate_limit_reaches_every_worker_and_ends_for_all_with_the_first_answer(url: str) -> None:
    async with worker(url) as one, worker(url) as two:
        fail(one, Failure(FailureKind.RATE_LIMITED, "slow down", retry_after_s=30.0), times=1)
        limited = two.router.fleet.state(A).health
        await eventually(lambda: limited.limited_until_s > two.now() + 25, WITHIN_S)
        assert "slow down" in limited.limit_reason
        decision = two.router.decide(demand_for(), two.now())
        assert isinstance(decision, Refusal)
        one.reset(A)
        await eventually(lambda: not limited.limited_until_s, WITHIN_S)


async def test_a_worker_that_starts_later_knows_it_too(url: str) -> None:
    async with worker(url) as one:
        fail(one)
        await asyncio.sleep(0.7)
        async with worker(url) as late:
            await eventually(lambda: health(late) is Health.EJECTED, WITHIN_S)
            assert until_s(late) == pytest.approx(until_s(one), abs=0.2)


async def flush(server: RedisServer) -> None:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.flushall()


async def restart(server: RedisServer) -> None:
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


@pytest.mark.parametrize("lose", [flush, restart])
async def test_a_store_that_lost_everything_is_told_again_and_heals_nobody(
    server: RedisServer, url: str, lose: Callable[[RedisServer], Awaitable[None]]
) -> None:
    async with worker(url) as one, worker(url) as two:
        fail(one, Failure(FailureKind.OVERLOADED, "busy", retry_after_s=40.0))
        await eventually(lambda: health(two) is Health.EJECTED, WITHIN_S)
        await lose(server)
        began = time.monotonic()
        while time.monotonic() - began < 2:
            assert health(one) is health(two) is Health.EJECTED
            await asyncio.sleep(0.05)
        async with worker(url) as late:
            await eventually(lambda: health(late) is Health.EJECTED, WITHIN_S)
