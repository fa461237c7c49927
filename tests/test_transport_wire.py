"""The wire over real sockets, on asyncio's loop and on uvloop: reuse, staleness, cap, cancellation, back-pressure, deadlines."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator

import pytest
import uvloop

from providers.pieces import Body, Pieces
from providers.transport.pool import PoolCounts
from providers.transport.port import Answer, Deadlines, Origin, TransportError, UpstreamRequest
from providers.transport.wire import WireTransport
from routing.facts import FailureKind
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer, chunked, eventually, reset, saying

# The newer way to choose a loop is a hook in conftest.py, which would rename every async test of the project.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:pytest.PytestDeprecationWarning")


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


@pytest.fixture
async def wire() -> AsyncIterator[WireTransport]:
    transport = WireTransport()
    yield transport
    await transport.aclose()


def to(
    upstream: ScriptedUpstream | int, body: Body = b"{}", *, deadlines: Deadlines | None = None, replayable: bool = True
) -> UpstreamRequest:
    port = upstream if isinstance(upstream, int) else upstream.port
    return UpstreamRequest(Origin("http", "127.0.0.1", port), b"POST", b"/v1/x", [(b"a", b"b")], body, deadlines or Deadlines(), replayable)


async def body_of(answer: Answer) -> bytes:
    pieces = []
    while piece := await answer.read():
        pieces.append(piece)
    return b"".join(pieces)


async def ask(wire: WireTransport, request: UpstreamRequest) -> tuple[int, bytes, bool]:
    """(status, body, reused) of one whole exchange."""
    got = await wire.send(request)
    try:
        return got.status, await body_of(got), got.timings.reused
    finally:
        got.close()


async def failure(wire: WireTransport, request: UpstreamRequest) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await ask(wire, request)
    return caught.value


def counts(wire: WireTransport) -> PoolCounts:
    return next(iter(wire.snapshot().values()), PoolCounts(0, 0, 0))


async def test_one_exchange_and_the_next_on_the_same_connection(wire: WireTransport) -> None:
    async with ScriptedUpstream(saying(chunked(b"data: 1\n\n", b"data: 2\n\n"))) as upstream:
        assert await ask(wire, to(upstream)) == (200, b"data: 1\n\ndata: 2\n\n", False)
        assert counts(wire) == PoolCounts(idle=1, active=0, waiting=0)
        assert await ask(wire, to(upstream, b"x" * 300_000)) == (200, b"data: 1\n\ndata: 2\n\n", True)
        assert upstream.connections_made == 1
        assert [len(request.body) for request in upstream.requests] == [2, 300_000]
        assert upstream.requests[0].head == (
            b"POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:%d\r\na: b\r\ncontent-length: 2\r\n\r\n" % upstream.port
        )


async def test_a_body_in_pieces_is_one_body(wire: WireTransport) -> None:
    whole = b"x" * 100_000 + b"changed" + b"y" * 300_000
    view = memoryview(whole)
    async with ScriptedUpstream(saying(answer(b"fine"))) as upstream:
        assert await ask(wire, to(upstream, Pieces((view[:100_000], b"changed", view[100_007:])))) == (200, b"fine", False)
        assert [request.body for request in upstream.requests] == [whole]
        assert b"\r\ncontent-length: 400007\r\n" in upstream.requests[0].head
        assert await ask(wire, to(upstream, Pieces((view[:2], b"small", view[-2:])))) == (200, b"fine", True)
        assert upstream.requests[1].body == b"xxsmallyy"


async def test_pieces_arrive_as_they_are_sent_and_queued_ones_together(wire: WireTransport) -> None:
    go = asyncio.Event()

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await go.wait()
        writer.write(b"3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")

    async with ScriptedUpstream(handle) as upstream:
        got = await wire.send(to(upstream))
        assert await got.read() == b"one"
        go.set()
        assert await got.read() == b"twothree"
        assert await got.read() == b""
        assert await got.read() == b""
        got.close()
        got.close()
        assert counts(wire).idle == 1


async def test_redirects_cookies_and_codings_come_back_as_they_are(wire: WireTransport) -> None:
    raw = answer(b"\x1f\x8bzip", status=b"302 Found", headers=b"Location: /x\r\nSet-Cookie: a=b\r\nContent-Encoding: gzip\r\n")
    async with ScriptedUpstream(saying(raw)) as upstream:
        got = await wire.send(to(upstream))
        assert got.status == 302
        assert (b"location", b"/x") in got.headers
        assert await body_of(got) == b"\x1f\x8bzip"
        got.close()
        await ask(wire, to(upstream))
        assert upstream.requests[1].header(b"cookie") is None


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_stale_pooled_connection_is_retried_once_on_a_fresh_one(wire: WireTransport, how: str) -> None:
    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if request.connection == 1 and len(upstream.requests) > 1:
            reset(writer) if how == "rst" else writer.close()
        else:
            writer.write(answer())

    async with ScriptedUpstream(handle) as upstream:
        assert (await ask(wire, to(upstream)))[2] is False
        assert await ask(wire, to(upstream)) == (200, b"ok", False)
        assert (upstream.connections_made, len(upstream.requests)) == (2, 3)
        assert counts(wire) == PoolCounts(idle=1, active=0, waiting=0)


async def test_the_retry_is_only_one(wire: WireTransport) -> None:
    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if len(upstream.requests) > 1:
            writer.close()
        else:
            writer.write(answer())

    async with ScriptedUpstream(handle) as upstream:
        await ask(wire, to(upstream))
        error = await failure(wire, to(upstream))
        assert error.kind is FailureKind.CUT
        assert str(error) == f"http://127.0.0.1:{upstream.port} closed the connection without answering"
        assert len(upstream.requests) == 3
        assert counts(wire) == PoolCounts(0, 0, 0)


@pytest.mark.parametrize(
    ("replayable", "says", "pause_s"),
    [(False, b"", 0.0), (True, b"HTTP/1.1 100 Continue\r\n\r\n", 0.0), (True, b"H", 0.0), (True, b"", 1.1)],
    ids=["not replayable", "an interim answer came", "one byte came", "it worked on it for a second"],
)
async def test_no_retry_when_the_upstream_may_have_worked_on_it(wire: WireTransport, replayable: bool, says: bytes, pause_s: float) -> None:
    async with ScriptedUpstream() as upstream:
        await ask(wire, to(upstream))
        upstream.handler = saying(says, pause_s, close=True)
        error = await failure(wire, to(upstream, replayable=replayable))
        assert error.kind is FailureKind.CUT
        assert error.timings.reused
        assert (upstream.connections_made, len(upstream.requests)) == (1, 2)


async def test_a_fresh_connection_is_not_retried(wire: WireTransport) -> None:
    async with ScriptedUpstream(saying(close=True)) as upstream:
        assert (await failure(wire, to(upstream))).kind is FailureKind.CUT
        assert len(upstream.requests) == 1


async def test_idle_connections_that_end_or_speak_leave_the_pool(wire: WireTransport) -> None:
    async with ScriptedUpstream() as upstream:
        await ask(wire, to(upstream))
        upstream.close_connections()
        await eventually(lambda: counts(wire).idle == 0)
        await ask(wire, to(upstream))
        upstream.reset_connections()
        await eventually(lambda: counts(wire).idle == 0)
        upstream.handler = saying(answer(), 0.05, b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await ask(wire, to(upstream))
        await eventually(lambda: counts(wire).idle == 0)
        await eventually(lambda: upstream.connections_open == 0)


@pytest.mark.parametrize(
    "raw",
    [
        answer() + b"surplus",
        answer(headers=b"connection: close\r\n"),
        answer().replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive, close\r\n\r\nok",
    ],
    ids=["surplus bytes", "connection: close", "HTTP/1.0", "close in a list"],
)
async def test_connections_with_a_doubt_are_not_reused(wire: WireTransport, raw: bytes) -> None:
    async with ScriptedUpstream(saying(raw)) as upstream:
        for _ in range(2):
            assert await ask(wire, to(upstream)) == (200, b"ok", False)
        assert upstream.connections_made == 2


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        (saying(answer(b"hello")[:-1], close=True), FailureKind.CUT, "closed the connection before the end of the body"),
        (saying(chunked(b"hello")[:-2], close=True), FailureKind.CUT, "before the end of the body"),
        (saying(b"HTTP/1.1 200 OK\r\nx", close=True), FailureKind.CUT, "before the end of the headers"),
        (saying(b"hello, this is not HTTP\r\n"), FailureKind.PROTOCOL, "malformed answer"),
        (saying(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"), FailureKind.PROTOCOL, "unexpected status 101"),
        (saying(answer(headers=b"x: y\r\n" * 300)), FailureKind.PROTOCOL, "more than 256 headers"),
    ],
)
async def test_broken_answers(wire: WireTransport, handler: Handler, kind: FailureKind, words: str) -> None:
    async with ScriptedUpstream(handler) as upstream:
        error = await failure(wire, to(upstream))
        assert error.kind is kind
        assert words in str(error)
        assert f"127.0.0.1:{upstream.port}" in str(error)
        await eventually(lambda: upstream.connections_open == 0)
        assert counts(wire) == PoolCounts(0, 0, 0)


async def test_a_close_delimited_body_ends_by_fin_and_not_by_rst(wire: WireTransport) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    async with ScriptedUpstream(saying(head, b"some", close=True)) as upstream:
        assert await ask(wire, to(upstream)) == (200, b"some", False)

        async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
            writer.write(head + b"some")
            await taken.wait()
            reset(writer)

        taken = asyncio.Event()
        upstream.handler = handle
        got = await wire.send(to(upstream))
        assert await got.read() == b"some"
        taken.set()
        with pytest.raises(TransportError) as caught:
            await got.read()
        assert caught.value.kind is FailureKind.CUT
        got.close()


async def test_an_answer_before_the_body_was_read_is_delivered(wire: WireTransport) -> None:
    body = b"x" * 20_000_000  # more than the kernel's buffers take
    async with ScriptedUpstream(saying(answer(b"too big", status=b"413 Too Large"), 0.3), reads_body=False) as upstream:
        assert await ask(wire, to(upstream, body)) == (413, b"too big", False)
        assert counts(wire) == PoolCounts(0, 0, 0)


async def test_the_cap_queues_first_come_first_served() -> None:
    wire = WireTransport(max_connections=2)
    async with ScriptedUpstream(saying(0.02, answer())) as upstream:
        requests = [to(upstream, b"%d" % number) for number in range(8)]
        tasks = [asyncio.create_task(ask(wire, request)) for request in requests]
        await asyncio.sleep(0)
        assert counts(wire) == PoolCounts(idle=0, active=2, waiting=6)
        tasks[4].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[4], asyncio.CancelledError)
        assert [result[0] for result in results if not isinstance(result, BaseException)] == [200] * 7
        order = [int(request.body) for request in upstream.requests]
        assert sorted(order[:2]) == [0, 1]
        assert [sorted(order[2:4]), sorted(order[4:6]), order[6:]] == [[2, 3], [5, 6], [7]]
        assert upstream.connections_made == 2
        assert counts(wire) == PoolCounts(idle=2, active=0, waiting=0)
    await wire.aclose()


async def test_the_queue_ends_with_the_total_deadline() -> None:
    wire = WireTransport(max_connections=1)
    async with ScriptedUpstream(saying(b"HTTP/1.1 200 OK\r\n\r\n", 5.0)) as upstream:
        first = await wire.send(to(upstream))
        error = await failure(wire, to(upstream, deadlines=Deadlines(total_s=0.1)))
        assert error.kind is FailureKind.STALLED
        assert "all 1 connections busy until the total deadline of 0.1 s" in str(error)
        assert error.timings.queue_s >= 0.09
        first.close()
        assert counts(wire) == PoolCounts(0, 0, 0)
    await wire.aclose()


async def test_a_slot_in_the_queue_survives_failed_connections() -> None:
    """Every holder of the one slot fails; each must hand it on."""
    wire = WireTransport(max_connections=1)
    async with ScriptedUpstream(saying(close=True)) as upstream:
        errors = await asyncio.gather(*[failure(wire, to(upstream)) for _ in range(5)])
        assert {error.kind for error in errors} == {FailureKind.CUT}
        assert counts(wire) == PoolCounts(0, 0, 0)
    errors = await asyncio.gather(*[failure(wire, to(upstream)) for _ in range(5)])
    assert {error.kind for error in errors} == {FailureKind.CONNECT}
    await wire.aclose()


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"], ids=["head", "read"])
async def test_cancelling_closes_the_connection_and_frees_the_slot(wire: WireTransport, says: bytes) -> None:
    async with ScriptedUpstream(saying(says, 30.0)) as upstream:
        asking = asyncio.create_task(ask(wire, to(upstream)))
        await eventually(lambda: len(upstream.requests) == 1)
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert counts(wire) == PoolCounts(0, 0, 0)
        await eventually(lambda: upstream.connections_open == 0, within_s=1.0)


async def test_a_cancelled_read_closes_and_later_reads_say_so(wire: WireTransport) -> None:
    async with ScriptedUpstream(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", 30.0)) as upstream:
        got = await wire.send(to(upstream))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(got.read(), 0.02)
        with pytest.raises(TransportError, match="closed before it was read"):
            await got.read()
        assert counts(wire) == PoolCounts(0, 0, 0)


async def test_closing_wakes_a_reader_in_another_task(wire: WireTransport) -> None:
    async with ScriptedUpstream(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", 30.0)) as upstream:
        got = await wire.send(to(upstream))
        reading = asyncio.create_task(got.read())
        await asyncio.sleep(0.01)
        got.close()
        with pytest.raises(TransportError, match="closed before it was read"):
            await reading


async def test_a_slow_reader_pauses_the_upstream(wire: WireTransport) -> None:
    sent = 0
    total = 32 * 1024 * 1024

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        while sent < total:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with ScriptedUpstream(handle) as upstream:
        got = await wire.send(to(upstream))
        before = -1
        while before != sent:  # until the upstream stands still
            before = sent
            await asyncio.sleep(0.1)
        assert sent < total
        first = await got.read()
        assert len(first) <= 64 * 1024 + 256 * 1024, "64 KiB and one read of the loop"
        assert len(first) + len(await body_of(got)) == total
        got.close()
        assert counts(wire).idle == 1


DEADLINES = [
    ([], Deadlines(first_byte_s=0.1), "first byte"),
    ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"x"], Deadlines(idle_s=0.1), "idle"),
    ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"x"], Deadlines(total_s=0.1), "total"),
    ([], Deadlines(total_s=0.1), "total"),
]


@pytest.mark.parametrize(("says", "deadlines", "name"), DEADLINES)
async def test_deadlines(wire: WireTransport, says: list[bytes], deadlines: Deadlines, name: str) -> None:
    async with ScriptedUpstream(saying(*says, 30.0)) as upstream:
        error = await failure(wire, to(upstream, deadlines=deadlines))
        assert error.kind is FailureKind.STALLED
        assert str(error) == f"http://127.0.0.1:{upstream.port} passed the {name} deadline of 0.1 s"
        assert counts(wire) == PoolCounts(0, 0, 0)


async def test_drops_of_bytes_keep_the_idle_deadline_away(wire: WireTransport) -> None:
    drops: list[bytes | float] = [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"]
    for _ in range(5):
        drops += [0.1, b"x"]
    async with ScriptedUpstream(saying(*drops)) as upstream:
        assert (await ask(wire, to(upstream, deadlines=Deadlines(idle_s=0.3))))[1] == b"xxxxx"


async def test_idle_connections_expire() -> None:
    wire = WireTransport(idle_expiry_s=0.1)
    async with ScriptedUpstream() as upstream:
        await ask(wire, to(upstream))
        assert counts(wire).idle == 1
        await eventually(lambda: upstream.connections_open == 0)
        assert wire.snapshot() == {}
    await wire.aclose()


async def test_the_sweep_sleeps_when_nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.transport.wire.SWEEP_LINGER_S", 0.1)
    wire = WireTransport(idle_expiry_s=0.1)
    async with ScriptedUpstream() as upstream:
        await ask(wire, to(upstream))
        await eventually(lambda: wire._timer is None)
        assert wire._pools == {}
        error = await failure(wire, to(upstream, deadlines=Deadlines(total_s=0.0)))
        assert error.kind is FailureKind.STALLED
        assert wire._timer is not None
    await wire.aclose()


async def test_aclose_closes_everything_and_nothing_starts_afterwards(wire: WireTransport) -> None:
    async with ScriptedUpstream() as upstream:
        await ask(wire, to(upstream))
        upstream.handler = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", 30.0)
        got = await wire.send(to(upstream))
        waiting = asyncio.create_task(failure(wire, to(upstream)))
        await asyncio.sleep(0.02)
        await wire.aclose()
        assert (await waiting).kind is FailureKind.CUT
        with pytest.raises(TransportError):
            await got.read()
        got.close()
        error = await failure(wire, to(upstream))
        assert (error.kind, "shutting down" in str(error)) == (FailureKind.CONNECT, True)


async def test_origins_for_the_other_transport_are_refused(wire: WireTransport) -> None:
    for origin in (Origin("https", "a", 1, http2=True), Origin("http", "a", 1, proxy="http://p"), Origin("ftp", "a", 1)):
        with pytest.raises(ValueError, match="wire cannot serve"):
            await wire.send(UpstreamRequest(origin, b"GET", b"/", [], b""))


async def test_a_bug_of_the_caller_takes_no_slot(wire: WireTransport) -> None:
    with pytest.raises(ValueError, match="line break"):
        await wire.send(UpstreamRequest(Origin("http", "127.0.0.1", 1), b"GET", b"/", [(b"a", b"b\r\nc: d")], b""))
    assert wire.snapshot() == {}


async def test_random_cancels_leave_nothing_behind() -> None:
    """C3: cancels at every stage (queue, connect, head, body); afterwards no slot is taken and no socket open."""
    wire = WireTransport(max_connections=20)
    async with ScriptedUpstream(saying(0.003, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", 0.003, b"good")) as upstream:

        async def one(number: int) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout((number * 7919 % 100) / 1500):
                    assert (await ask(wire, to(upstream)))[1] == b"good"

        await asyncio.gather(*[one(number) for number in range(300)])
        now = counts(wire)
        assert (now.active, now.waiting) == (0, 0)
        await eventually(lambda: upstream.connections_open == counts(wire).idle)
        assert await ask(wire, to(upstream)) == (200, b"good", now.idle > 0)
    await wire.aclose()


def hang_up_on(listener: socket.socket) -> None:
    """Accept, and reset the connection in the same moment, until the listener is closed. In a thread: no turn of the loop lies between."""
    with contextlib.suppress(OSError):
        while True:
            accepted, _ = listener.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()


async def test_a_connection_that_dies_before_the_request_is_written_fails_at_once(wire: WireTransport) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=hang_up_on, args=[listener])
    thread.start()
    try:
        for _ in range(100):  # the reset arrives before, with or after the request
            async with asyncio.timeout(5):
                assert (await failure(wire, to(listener.getsockname()[1]))).kind in (FailureKind.CUT, FailureKind.CONNECT)
            assert counts(wire) == PoolCounts(0, 0, 0)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
