"""The pool alone: order, cap, fairness and cancelled waiters, without sockets."""

from __future__ import annotations

import asyncio

import pytest

from providers.transport.pool import Pool, PoolCounts
from providers.transport.port import TransportError
from routing.facts import FailureKind


class Line:
    """A connection as the pool sees it."""

    def __init__(self) -> None:
        self.is_open = True

    def abort(self) -> None:
        self.is_open = False


def filled(limit: int) -> tuple[Pool[Line], list[Line]]:
    """A pool with all its slots taken by active connections."""
    pool: Pool[Line] = Pool(limit)
    assert all(pool.reserve() for _ in range(limit))
    assert not pool.reserve()
    return pool, [Line() for _ in range(limit)]


async def queue(pool: Pool[Line], count: int, order: list[int]) -> list[asyncio.Task[Line | None]]:
    async def one(number: int) -> Line | None:
        got = await pool.wait()
        order.append(number)
        return got

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    await asyncio.sleep(0)
    return tasks


def test_the_freshest_idle_connection_goes_first_and_the_oldest_expire() -> None:
    pool, lines = filled(3)
    for now, line in enumerate(lines):
        pool.give_back(line, float(now))
    assert pool.counts() == PoolCounts(idle=3, active=0, waiting=0)
    assert pool.take() is lines[2]
    assert pool.idle_since() == 0.0
    pool.expire(before=0.5)
    assert (lines[0].is_open, lines[1].is_open) == (False, True)
    assert pool.counts() == PoolCounts(idle=1, active=1, waiting=0)


def test_a_closing_idle_connection_is_skipped_and_frees_its_slot() -> None:
    pool, lines = filled(2)
    for line in lines:
        pool.give_back(line, 0.0)
    lines[1].abort()
    assert pool.take() is lines[0]
    pool.forget(lines[1])
    assert pool.open == 1


async def test_waiters_are_served_in_order_with_connections_and_slots() -> None:
    pool, lines = filled(2)
    order: list[int] = []
    tasks = await queue(pool, 3, order)
    assert pool.counts() == PoolCounts(idle=0, active=2, waiting=3)
    pool.give_back(lines[0], 0.0)
    assert pool.take() is None, "nobody overtakes a waiter"
    assert not pool.reserve()
    pool.free_slot()
    pool.free_slot()
    assert await asyncio.gather(*tasks) == [lines[0], None, None]
    assert order == [0, 1, 2]
    assert pool.open == 2


async def test_a_waiter_cancelled_in_the_queue_is_skipped() -> None:
    pool, lines = filled(1)
    order: list[int] = []
    tasks = await queue(pool, 3, order)
    tasks[0].cancel()
    await asyncio.sleep(0)
    assert pool.counts().waiting == 2
    pool.give_back(lines[0], 0.0)
    assert await tasks[1] is lines[0]
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [1]


@pytest.mark.parametrize("grant_connection", [True, False])
async def test_a_waiter_cancelled_while_being_served_hands_on(grant_connection: bool) -> None:
    pool, lines = filled(1)
    order: list[int] = []
    tasks = await queue(pool, 2, order)
    if grant_connection:
        pool.give_back(lines[0], 0.0)
    else:
        pool.free_slot()
    tasks[0].cancel()  # it has been served but has not run yet
    assert await tasks[1] is (lines[0] if grant_connection else None)
    assert order == [1]
    assert pool.open == 1


async def test_close_fails_waiters_and_aborts_everything() -> None:
    pool, lines = filled(2)
    pool.give_back(lines[0], 0.0)
    pool.active.add(lines[1])
    pool.close(lambda: TransportError(FailureKind.CONNECT, "closed"))
    assert not any(line.is_open for line in lines)
    pool, _ = filled(1)
    tasks = await queue(pool, 2, [])
    pool.close(lambda: TransportError(FailureKind.CONNECT, "closed"))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, TransportError) for result in results)
    assert results[0] is not results[1]
