"""C3 and the load that issue 01 promises: a thousand random cancels leave nothing behind, a thousand streams run at once.

On uvloop, as in production.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
import random
import resource
import socket
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvloop

from proxy.server import raise_open_files_limit
from tests.serving import Donut, config_for
from tests.streams import DONE, ROLE, STOP, End, Framing, RawClient, ask, chunk
from tests.upstreams import ReceivedRequest, ScriptedUpstream, eventually

SEED = 20261120
FOR_EVER = 60.0

pytestmark = pytest.mark.slow


def on_uvloop(scenario: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario)


class Leaving(enum.Enum):
    """When a client leaves."""

    IN_THE_HEAD = "in the head"
    IN_THE_BODY = "in the body"
    AT_ONCE = "as soon as its request is out"
    BEFORE_THE_HEAD = "when the upstream has the request"
    IN_THE_PRELUDE = "when the upstream has said its role"
    IN_THE_STREAM = "after some frames"
    AT_RANDOM = "while the stream runs, perhaps behind its end"
    AT_THE_END = "with the whole answer"


UNFINISHED = (Leaving.IN_THE_HEAD, Leaving.IN_THE_BODY)
ENDLESS = (Leaving.AT_ONCE, Leaving.BEFORE_THE_HEAD, Leaving.IN_THE_PRELUDE, Leaving.IN_THE_STREAM)
"""The upstream then never ends by itself: only donut's closing the connection ends its handler."""


class Fickle:
    """An upstream for leaving clients: how far it gets stands in the request."""

    def __init__(self) -> None:
        self.busy = 0
        self.reached: dict[str, asyncio.Event] = {}

    async def handle(self, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        self.busy += 1
        try:
            await self._answer(orjson.loads(request.body), writer)
        finally:
            self.busy -= 1

    async def _answer(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        leaving, frames = Leaving(asked["metadata"]["leaving"]), asked["metadata"]["frames"]
        if leaving in (Leaving.AT_ONCE, Leaving.BEFORE_THE_HEAD):
            self.reached[asked["user"]].set()
            await asyncio.sleep(FOR_EVER)
        writer.write(Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(ROLE))
        if leaving is Leaving.IN_THE_PRELUDE:
            await asyncio.sleep(0.001)
            self.reached[asked["user"]].set()
            await asyncio.sleep(FOR_EVER)
        for number in range(frames):
            writer.write(Framing.CHUNKED.piece(chunk(content=str(number))))
            await asyncio.sleep(0 if leaving is Leaving.AT_THE_END else 0.0005)
            if writer.is_closing():
                return
        if leaving is Leaving.IN_THE_STREAM:
            await asyncio.sleep(FOR_EVER)
        writer.write(Framing.CHUNKED.piece(STOP + DONE) + Framing.CHUNKED.ending)


async def leave(donut: Donut, fickle: Fickle, name: str, leaving: Leaving, chance: random.Random) -> None:
    """One client, from its connection to its leaving."""
    frames, end, patience_s = chance.randrange(1, 8), chance.choice(list(End)), chance.random() * 0.006
    body = orjson.dumps(ask(user=name, metadata={"leaving": leaving.value, "frames": frames}))
    request = RawClient.request(body, headers={"x-request-id": name})
    arrived = fickle.reached[name] = asyncio.Event()
    client = RawClient(donut.port)
    await client.__aenter__()
    match leaving:
        case Leaving.IN_THE_HEAD:
            client.writer.write(request[: chance.randrange(1, len(request) - len(body))])
        case Leaving.IN_THE_BODY:
            client.writer.write(request[: -chance.randrange(1, len(body))])
        case _:
            client.writer.write(request)
    if leaving in (Leaving.BEFORE_THE_HEAD, Leaving.IN_THE_PRELUDE):
        await arrived.wait()
    elif leaving is Leaving.IN_THE_STREAM:
        await client.read_head()
        for _ in range(chance.randrange(1, frames + 1)):
            await client.read_frame()
    elif leaving is Leaving.AT_THE_END:
        answer = await client.read_head()
        await client.read_body(answer)
        assert answer.is_complete
        assert answer.body.endswith(DONE)
    else:
        await asyncio.sleep(patience_s * (20 if leaving is Leaving.AT_RANDOM else 1))
    client.close(end)


def test_c3_a_thousand_random_cancels_leave_nothing_behind(tmp_path: Path) -> None:
    on_uvloop(thousand_cancels(tmp_path))


async def thousand_cancels(folder: Path) -> None:
    chance = random.Random(SEED)
    plan = {f"client-{number}": chance.choice(list(Leaving)) for number in range(1000)}
    fickle = Fickle()
    turnstile = asyncio.Semaphore(80)

    async def run(name: str, leaving: Leaving) -> None:
        async with turnstile:
            await leave(donut, fickle, name, leaving, random.Random(f"{SEED} {name}"))

    async with ScriptedUpstream(fickle.handle) as upstream, Donut(config_for(upstream.port), folder) as donut:
        await asyncio.gather(*(run(name, leaving) for name, leaving in plan.items()))
        await eventually(lambda: donut.in_flight == 0 and fickle.busy == 0, within_s=1)
        assert donut.open_reservations == 0
        complete = {name for name, leaving in plan.items() if leaving not in UNFINISHED}
        await donut.wait_for_rows(len(complete))
        await asyncio.sleep(0.1)  # a row too many would be written by now
        rows = donut.rows()
        seen = Counter(row["request_id"] for row in rows)
        assert not [name for name in complete if seen[name] != 1], "exactly one row each"
        assert not [name for name in plan if seen[name] > 1]
        statuses = {row["request_id"]: row["status"] for row in rows}
        assert set(statuses.values()) == {"ok", "client_gone"}
        for name, leaving in plan.items():
            if name in statuses and leaving is not Leaving.AT_RANDOM:
                assert statuses[name] == ("ok" if leaving is Leaving.AT_THE_END else "client_gone"), (SEED, name, leaving)
        health = donut.runtime.gateway.serving.router.fleet.state("p0/up-model")
        assert health.failed == 0, "a client that leaves blames no replica"
        await upstream_is_idle(donut, upstream)


async def upstream_is_idle(donut: Donut, upstream: ScriptedUpstream) -> None:
    """What is still open waits in the pool, clean: the next request takes it."""
    before = upstream.connections_made
    async with RawClient(donut.port) as client:
        got = await client.ask(ask(user="last", metadata={"leaving": Leaving.AT_THE_END.value, "frames": 1}))
        assert got.body == ROLE + chunk(content="0") + STOP + DONE
    assert upstream.connections_made - before <= (0 if upstream.connections_open else 1)


# A thousand streams at once

STREAMS_AT_ONCE = 1000
SLOW_READERS = 20
SLOW_BYTES = 12 * 1024 * 1024
SLOW_FRAME = chunk(content="x" * 16_000)
FRAMES = 12
GROWTH_BYTES = 160 * 1024 * 1024
"""Far above what a thousand streams need (about 30 KB each on all three sides), far below what slow readers would cost unbounded."""


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Crowd:
    """An upstream that begins a thousand streams, waits until all of them run, and tells how much it could write to slow readers."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self.written: Counter[str] = Counter()

    async def handle(self, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        user = orjson.loads(request.body)["user"]
        writer.write(Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(ROLE + chunk(content=user)))
        self.begun += 1
        await self.go.wait()
        for piece in frames_for(user):
            writer.write(Framing.CHUNKED.piece(piece))
            self.written[user] += len(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(Framing.CHUNKED.piece(STOP + DONE) + Framing.CHUNKED.ending)


def frames_for(user: str) -> list[bytes]:
    if user.startswith("slow"):
        return [SLOW_FRAME] * (SLOW_BYTES // len(SLOW_FRAME))
    return [chunk(content=f"{user} {number}") for number in range(FRAMES)]


def expected_digest(user: str) -> str:
    whole = hashlib.sha256()
    for piece in (ROLE, chunk(content=user), *frames_for(user), STOP, DONE):
        whole.update(piece)
    return whole.hexdigest()


async def connect_slowly(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose client side takes little unread: what it does not read has to wait elsewhere."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=sock, limit=16 * 1024)


@pytest.mark.skipif(raise_open_files_limit() < 4 * STREAMS_AT_ONCE + 200, reason="a thousand streams need four sockets each in one process")
def test_a_thousand_streams_at_once_with_slow_readers_are_right_and_bounded(tmp_path: Path) -> None:
    on_uvloop(thousand_streams(tmp_path))


async def thousand_streams(folder: Path) -> None:
    crowd = Crowd()
    slow_may_read = asyncio.Event()
    doorway = asyncio.Semaphore(60)  # the far end's listen queue is short
    wrong: list[str] = []

    async def read(user: str) -> None:
        client = RawClient(donut.port)
        async with doorway:
            if user.startswith("slow"):
                client.reader, client.writer = await connect_slowly(donut.port)
            else:
                await client.__aenter__()
            client.send(ask(user=user))
            await client.read_head()
            seen = hashlib.sha256(await client.read_frame())
        if user.startswith("slow"):
            await slow_may_read.wait()
        while frame := await client.read_frame():
            seen.update(frame)
        if seen.hexdigest() != expected_digest(user):
            wrong.append(user)
        client.close()

    users = [f"slow-{number}" for number in range(SLOW_READERS)] + [f"user-{number}" for number in range(STREAMS_AT_ONCE - SLOW_READERS)]
    async with ScriptedUpstream(crowd.handle) as upstream, Donut(config_for(upstream.port), folder) as donut:
        before = resident_bytes()
        readers = [asyncio.create_task(read(user)) for user in users]
        await eventually(lambda: crowd.begun == STREAMS_AT_ONCE and not doorway.locked(), within_s=15)
        assert donut.in_flight == donut.open_reservations == STREAMS_AT_ONCE
        crowd.go.set()
        await asyncio.wait(readers[SLOW_READERS:])
        await plateau(crowd.written)
        assert donut.in_flight == SLOW_READERS, "the others are done, however slow these are"
        stuck = [crowd.written[f"slow-{number}"] for number in range(SLOW_READERS)]
        assert max(stuck) < SLOW_BYTES - len(SLOW_FRAME), "a reader that does not read stops its upstream from writing"
        assert resident_bytes() - before < GROWTH_BYTES
        slow_may_read.set()
        await asyncio.gather(*readers)
        assert wrong == []
        assert {row["status"] for row in await donut.wait_for_rows(STREAMS_AT_ONCE)} == {"ok"}
        assert donut.in_flight == donut.open_reservations == 0
        assert resident_bytes() - before < GROWTH_BYTES


async def plateau(written: Counter[str]) -> None:
    """Wait until nobody writes any more."""
    last = -1
    while (total := written.total()) != last:
        last = total
        await asyncio.sleep(0.25)
