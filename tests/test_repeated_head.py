"""What a client says again to the byte is not parsed again, and nobody can tell: every way in which the next request may differ."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from providers.dialects.chat import DIALECT
from providers.transport.port import Headers
from proxy.caller import Caller
from proxy.downstream import Downstream
from proxy.repeated_head import RepeatedHead, repeated_head
from proxy.server import HELD_BYTES, DonutProtocol, _WholeRequest
from tests.serving import Donut, config_for
from tests.streams import CHAT, End, RawAnswer, RawClient, ask, chunk, playing
from tests.upstreams import ScriptedUpstream, answer, eventually, saying

WHOLE = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}'
BODY = orjson.dumps(ask())


class Known:
    """A client whose next head donut knows, and donut's side of its connection."""

    def __init__(self, donut: Donut, upstream: ScriptedUpstream, client: RawClient) -> None:
        self.donut = donut
        self.upstream = upstream
        self.client = client

    @property
    def connection(self) -> DonutProtocol:
        (connection,) = [each for each in self.donut._server.server_state.connections if isinstance(each, DonutProtocol)]
        return connection

    @property
    def was_known(self) -> bool:
        """Was the last request not parsed?"""
        return isinstance(self.connection.cycle, _WholeRequest)

    async def read(self) -> RawAnswer:
        got = await self.client.read_head()
        await self.client.read_body(got)
        return got

    async def say(self, *pieces: bytes) -> RawAnswer:
        for piece in pieces:
            self.client.writer.write(piece)
            await asyncio.sleep(0.02)
        return await self.read()


@asynccontextmanager
async def known(folder: Path, *pieces: bytes | float, more: str = "") -> AsyncIterator[Known]:
    async with (
        ScriptedUpstream(saying(*pieces) if pieces else saying(answer(WHOLE))) as upstream,
        Donut(config_for(upstream.port, upstream.port, more=more), folder) as donut,
        RawClient(donut.port) as client,
    ):
        it = Known(donut, upstream, client)
        for expected in (False, False, True):
            assert (await client.ask(BODY)).status == 200
            assert it.was_known is expected
        yield it


async def test_only_the_length_may_differ(tmp_path: Path) -> None:
    async with known(tmp_path) as it:
        for size in (10, 2000, 100):
            got = await it.client.ask(ask(messages=[{"role": "user", "content": "x" * size}]))
            assert (got.status, got.json(), it.was_known) == (200, orjson.loads(WHOLE), True)
            assert b"x" * size + b'"' in it.upstream.requests[-1].body
        rows = await it.donut.wait_for_rows(6)
        assert len({row["id"] for row in rows}) == 6


@pytest.mark.parametrize("at", [1, 40, -len(BODY) - 3, -len(BODY) - 1, -len(BODY), 1 - len(BODY), -1])
async def test_however_the_bytes_are_split(tmp_path: Path, at: int) -> None:
    async with known(tmp_path) as it:
        request = RawClient.request(BODY)
        assert (await it.say(request[:at], request[at:])).status == 200
        assert it.was_known is (-len(BODY) <= at < 0), "a head in pieces goes through the parser"
        assert (await it.say(request)).status == 200
        assert it.upstream.requests[-1].body == it.upstream.requests[-2].body


async def test_a_body_in_many_pieces(tmp_path: Path) -> None:
    async with known(tmp_path) as it:
        request = RawClient.request(BODY)
        head = len(request) - len(BODY)
        assert (await it.say(request[: head + 3], *(request[at : at + 9] for at in range(head + 3, len(request), 9)))).status == 200
        assert it.was_known


async def test_a_long_body_is_not_held_back(tmp_path: Path) -> None:
    async with known(tmp_path, more="server: {body_limit_mb: 2}") as it:
        long = orjson.dumps(ask(messages=[{"role": "user", "content": "x" * (HELD_BYTES + 100_000)}]))
        request = RawClient.request(long)
        assert (await it.say(request[:500], request[500:])).status == 200
        assert not it.was_known
        head = RawClient.request(b"")[:-4].replace(b"content-length: 0", b"content-length: 3000000")
        assert (await it.say(head + b"\r\n\r\n")).status == 413, "without waiting for the body"


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"content-length: ", b"content-length: 0", 200),
        (b"content-length: ", b"content-length: +", 400),
        (b"content-length: ", b"content-length: -", 400),
        (b"content-length: ", b"content-length: 1 ", 400),
        (b"content-length: ", b"content-length: 99999999999999999999999999", 400),
        (b"content-length: ", b"transfer-encoding: chunked\r\ncontent-length: ", 400),
        (b"content-length: ", b"content-length: 3\r\ncontent-length: ", 400),
        (b"content-type:", b"Content-Type:", 200),
        (b"\r\ncontent-length", b"\nx: y\r\ncontent-length", 400),
        (b"host: 127.0.0.1", b"host: evil.example", 421),
        (b"POST /v1/chat/completions", b"POST /v1/chat/completionz", 404),
        (b"POST /v1/chat/completions", b"GET /v1/chat/completions", 405),
    ],
)
async def test_whatever_else_differs_is_parsed(tmp_path: Path, old: bytes, new: bytes, status: int) -> None:
    async with known(tmp_path) as it:
        seen = len(it.upstream.requests)
        assert (await it.say(RawClient.request(BODY).replace(old, new, 1))).status == status
        assert len(it.upstream.requests) == seen + (status == 200)


async def test_bytes_behind_a_known_request_are_the_next_one(tmp_path: Path) -> None:
    async with known(tmp_path, 0.05, answer(WHOLE)) as it:
        request = RawClient.request(BODY)
        it.client.writer.write(request + request)
        assert [(await it.read()).status for _ in range(2)] == [200, 200]
        it.client.writer.write(request + b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert [(await it.read()).status for _ in range(2)] == [200, 200]
        assert (await it.say(request)).status == 200
        # And the next one may come while a known one is answered.
        it.client.writer.write(request)
        await asyncio.sleep(0.02)
        assert it.was_known
        it.client.writer.write(RawClient.request(BODY, headers={"x-request-id": "second"}) + request)
        assert [(await it.read()).headers["x-request-id"] == "second" for _ in range(3)] == [False, True, False]
        assert (await it.say(request + b"nonsense")).status == 400
        assert await it.client.is_closed()


async def test_a_client_that_leaves_in_the_middle_of_its_body_has_a_row(tmp_path: Path) -> None:
    async with known(tmp_path) as it:
        it.client.writer.write(RawClient.request(BODY)[:-1])
        await eventually(lambda: it.connection._held is not None)
        it.client.close()
        assert (await it.donut.wait_for_rows(4))[-1]["status"] == "client_gone"


@pytest.mark.parametrize("end", [End.FIN, End.RST])
async def test_a_client_that_leaves_in_the_middle_of_the_answer(tmp_path: Path, end: End) -> None:
    async with known(tmp_path, 0.1, answer(WHOLE)) as it:
        it.client.send(BODY)
        await asyncio.sleep(0.02)
        assert it.was_known
        it.client.close(end)
        assert (await it.donut.wait_for_rows(4))[-1]["status"] == "client_gone"
        assert it.donut.open_reservations == 0


async def test_stopping_waits_for_a_body_that_is_on_its_way(tmp_path: Path) -> None:
    async with known(tmp_path) as it:
        request = RawClient.request(BODY)
        it.client.writer.write(request[:-1])
        await eventually(lambda: it.connection._held is not None)
        connection = it.connection
        connection.shutdown()
        got = await it.say(request[-1:])
        assert (got.status, got.headers["connection"]) == (200, "close")
        assert await it.client.is_closed()


async def test_stopping_waits_for_the_answer(tmp_path: Path) -> None:
    async with known(tmp_path, 0.1, answer(WHOLE)) as it:
        it.client.send(BODY)
        await asyncio.sleep(0.02)
        assert it.was_known
        it.connection.shutdown()
        got = await it.read()
        assert (got.status, got.headers["connection"], got.body) == (200, "close", WHOLE)
        assert await it.client.is_closed()


async def test_a_slow_reader_gets_all_of_it(tmp_path: Path) -> None:
    size = 8 * 1024 * 1024
    whole = WHOLE.replace(b"Hi", b"x" * size)
    async with known(tmp_path) as it:
        it.upstream.handler = saying(answer(whole))
        it.client.send(BODY)
        await asyncio.sleep(0.3)
        assert it.was_known
        assert (await it.read()).body == whole
        it.upstream.handler = saying(answer(WHOLE))
        assert (await it.say(RawClient.request(BODY))).body == WHOLE


async def test_what_config_changed_holds_at_once(tmp_path: Path) -> None:
    async with known(tmp_path, more="server: {api_keys: []}") as it:
        await it.donut.reload(config_for(it.upstream.port, more="server: {api_keys: [a-key-for-clients-1]}"))
        assert (await it.say(RawClient.request(BODY))).status == 401


async def test_an_exchange_that_says_nothing_ends_the_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def nothing() -> None:
        pass

    def begin(caller: Caller, downstream: Downstream, body: bytes) -> Coroutine[Any, Any, None]:
        return nothing()

    async with known(tmp_path) as it:
        head = it.connection._expected
        assert head is not None
        it.connection._expected = RepeatedHead(head.before, head.after, head.caller, begin)
        it.client.send(BODY)
        assert await it.client.is_closed()
    assert "without completing its answer" in caplog.text


async def test_a_connection_that_is_lost_leaves_nothing_behind(tmp_path: Path) -> None:
    async with known(tmp_path) as it:
        gone = weakref.ref(it.connection)
        gc.collect()
        gc.disable()
        try:
            it.client.close()
            await eventually(lambda: gone() is None)
        finally:
            gc.enable()


# What is remembered


class NoServing:
    pass


def learned(
    lines: Sequence[bytes], headers: Headers | None = None, first: bytes = b"POST /x HTTP/1.1", rest: bytes = b""
) -> RepeatedHead | None:
    raw = b"\r\n".join((first, *lines, b"", b"")) + rest
    if headers is None:
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    caller = Caller(("POST", "/x", b""), headers, NoServing(), DIALECT, in_path=None, key=None)  # type: ignore[arg-type]
    return repeated_head(raw, b"/x", headers, caller, lambda caller, downstream, body: None)


def test_a_head_is_split_around_its_length() -> None:
    head = learned([b"Host: a", b"Content-Length:  12 ", b"X-Twelve: 12"], rest=b'{"a": 12}')
    assert head is not None
    assert head.before == b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length:  "
    assert head.after == b" \r\nX-Twelve: 12\r\n\r\n"


def test_a_head_that_frames_more_than_a_length_is_not_remembered() -> None:
    fine = [b"host: a", b"content-length: 12"]
    assert learned(fine) is not None
    assert learned([*fine, b"connection: keep-alive"]) is not None
    for more in (b"connection: close", b"connection: upgrade", b"transfer-encoding: chunked", b"expect: 100-continue", b"upgrade: h2c"):
        assert learned([*fine, more]) is None
    assert learned([*fine, b"content-length: 12"]) is None
    assert learned([b"host: a"]) is None
    assert learned([b"content-length: 1 2"]) is None


def test_bytes_that_say_anything_else_than_the_parser_are_not_remembered() -> None:
    lines, headers = [b"a: b", b"content-length: 1"], [(b"a", b"b"), (b"content-length", b"1")]
    assert learned(lines, headers) is not None
    assert learned(lines, headers[:1]) is None
    assert learned(lines, [(b"a", b"c"), headers[1]]) is None
    assert learned([b"a: b", b" folded", b"content-length: 1"], headers) is None
    for first in (b"POST /x HTTP/1.0", b"POST /y HTTP/1.1", b"POST  /x HTTP/1.1", b"GET /x HTTP/1.1", b"\r\nPOST /x HTTP/1.1"):
        assert learned(lines, headers, first) is None


async def test_streams_of_a_known_head(tmp_path: Path) -> None:
    stream = chunk(content="x") + chunk("stop") + b"data: [DONE]\n\n"
    async with known(tmp_path) as it:
        it.upstream.handler = playing(stream)
        for _ in range(3):
            got = await it.client.ask(ask(stream=True), CHAT)
            assert (got.status, got.body, got.is_complete, it.was_known) == (200, stream, True, True)
