"""Connections that wait too long for their next request are closed; those that are asked something are not."""

from __future__ import annotations

import asyncio

from proxy.idle import IdleConnections, idle_connections


class Connection:
    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def timeout_keep_alive_handler(self) -> None:
        self.closed.set()


async def test_those_whose_time_is_over_are_closed_and_no_others() -> None:
    idle = IdleConnections()
    short, asked, long = Connection(), Connection(), Connection()
    for connection, keep_alive_s in ((short, 0.0), (asked, 0.0), (long, 3600.0)):
        idle.add(connection, keep_alive_s)
    idle.discard(asked)
    async with asyncio.timeout(10):
        await short.closed.wait()
    assert not asked.closed.is_set()
    assert not long.closed.is_set()
    again = Connection()
    idle.discard(long)
    idle.add(again, 0.0)
    async with asyncio.timeout(10):
        await again.closed.wait()
    idle.discard(long)


async def test_there_is_one_sweep_per_event_loop() -> None:
    loop = asyncio.get_running_loop()
    assert idle_connections(loop) is idle_connections(loop)
