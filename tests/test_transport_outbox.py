"""Writes put off to the end of a turn: nothing overtakes, nothing is lost, nothing is sent after an abort. Real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop

from providers.transport.outbox import BatchedTransport, outbox_of


class _Silent(asyncio.Protocol):
    pass


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[BatchedTransport, socket.socket]]:
    """A batched transport and the far end of its connection."""
    ours, far = socket.socketpair()
    far.setblocking(False)
    loop = asyncio.get_running_loop()
    inner, _ = await loop.create_connection(_Silent, sock=ours)
    try:
        yield BatchedTransport(inner, outbox_of(loop)), far
    finally:
        inner.abort()
        far.close()


def has_arrived(far: socket.socket) -> bytes:
    try:
        return far.recv(65536)
    except BlockingIOError:
        return b""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    return asyncio.Runner(loop_factory=request.param)


def test_who_speaks_alone_waits_for_the_end_of_the_turn_only(runner: asyncio.Runner) -> None:
    async def story() -> None:
        async with pair() as (one, far_one):
            for _ in range(3):
                one.write(b"a")
                one.write(b"b")
                assert has_arrived(far_one) == b""
                await asyncio.sleep(0)
                assert has_arrived(far_one) == b"ab"

    with runner:
        runner.run(story())


def test_where_several_speak_two_turns_go_out_together_and_no_more(runner: asyncio.Runner) -> None:
    async def story() -> None:
        async with pair() as (one, far_one), pair() as (two, far_two):
            for _ in range(3):
                one.write(b"a")
                two.write(b"1")
                await asyncio.sleep(0)
                assert (has_arrived(far_one), has_arrived(far_two)) == (b"", b"")
                one.write(b"b")
                await asyncio.sleep(0)
                assert (has_arrived(far_one), has_arrived(far_two)) == (b"ab", b"1")

    with runner:
        runner.run(story())


def test_writes_go_out_together_and_in_order(runner: asyncio.Runner) -> None:
    async def story() -> None:
        async with pair() as (one, far_one), pair() as (two, far_two):
            one.write(b"a")
            two.write(b"1")
            one.writelines([b"b", bytearray(b"c")])
            assert (has_arrived(far_one), has_arrived(far_two)) == (b"", b"")
            assert one.get_write_buffer_size() == 3
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert (has_arrived(far_one), has_arrived(far_two)) == (b"abc", b"1")
            assert one.get_write_buffer_size() == 0

    with runner:
        runner.run(story())


def test_what_another_callback_of_the_turn_writes_goes_along(runner: asyncio.Runner) -> None:
    async def story() -> None:
        async with pair() as (one, far_one), pair() as (two, far_two):
            asyncio.get_running_loop().call_soon(one.write, b"later")
            two.write(b"first")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert (has_arrived(far_one), has_arrived(far_two)) == (b"later", b"first")

    with runner:
        runner.run(story())


def test_close_sends_what_waits_and_abort_forgets_it(runner: asyncio.Runner) -> None:
    async def story() -> None:
        async with pair() as (closed, far_closed), pair() as (aborted, far_aborted):
            closed.write(b"the end")
            closed.close()
            aborted.write(b"never")
            aborted.abort()
            await asyncio.sleep(0.01)
            assert has_arrived(far_closed) == b"the end"
            assert has_arrived(far_aborted) == b""
            assert closed.is_closing()
            assert aborted.is_closing()

    with runner:
        runner.run(story())


def test_a_write_to_a_connection_that_went_meanwhile_hurts_nobody(runner: asyncio.Runner) -> None:
    async def story() -> None:
        async with pair() as (gone, _), pair() as (well, far_well):
            gone.write(b"too late")
            well.write(b"well")
            gone._inner.abort()  # as the loop does when the peer resets
            await asyncio.sleep(0.01)
            assert has_arrived(far_well) == b"well"

    with runner:
        runner.run(story())


def test_eof_follows_what_was_written(runner: asyncio.Runner) -> None:
    async def story() -> None:
        async with pair() as (transport, far):
            transport.write(b"last words")
            transport.write_eof()
            await asyncio.sleep(0.01)
            assert far.recv(64) == b"last words"
            assert far.recv(64) == b""

    with runner:
        runner.run(story())
