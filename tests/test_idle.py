"""Connections that wait too long for their next request are closed; those that are asked something are not."""

from __future__ import annotations

import asyncio

from proxy.idle import IdleConnections, idle_connections


class Connection:
    def __init__(self, keep_alive_s: int, sweeps_idle: int = 0) -> None:
        self.timeout_keep_alive = keep_alive_s
        self.sweeps_idle = sweeps_idle
        self.closed = asyncio.Event()

    def timeout_keep_alive_handler(self) -> None:
        self.closed.set()


async def test_those_whose_time_is_over_are_closed_and_no_others() -> None:
    idle = IdleConnections()
    short, asked, gone, long = Connection(0), Connection(0, -1), Connection(0), Connection(3600)
    for connection in (short, asked, gone, long):
        idle.add(connection)
    idle.discard(gone)
    async with asyncio.timeout(10):
        await short.closed.wait()
    assert not asked.closed.is_set()
    assert not gone.closed.is_set()
    assert not long.closed.is_set()
    idle.discard(long)
    asked.sweeps_idle = 0  # it has its answer, and waits again
    async with asyncio.timeout(10):
        await asked.closed.wait()
    idle.discard(asked)
    idle.discard(short)


async def test_nobody_is_closed_before_its_time() -> None:
    loop = asyncio.get_running_loop()
    idle, connection = IdleConnections(), Connection(1)
    idle.add(Connection(3600, -1))  # the sweep is under way already
    await asyncio.sleep(0.5)
    began = loop.time()
    idle.add(connection)
    async with asyncio.timeout(10):
        await connection.closed.wait()
    assert loop.time() - began >= 1


async def test_there_is_one_sweep_per_event_loop() -> None:
    loop = asyncio.get_running_loop()
    assert idle_connections(loop) is idle_connections(loop)
