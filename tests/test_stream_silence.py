"""A7, A9 and A11: silence, pace, and answers that are not what they call themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.serving import Donut, config_for
from tests.streams import (
    CLEAN,
    DONE,
    HELLO,
    ROLE,
    STOP,
    Framing,
    RawAnswer,
    RawClient,
    ask,
    assert_one_error_and_done,
    chunk,
    playing,
    settle,
)
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, eventually, saying

PING = b": ping\n\n"
# A7: silence


async def test_a7_a_silent_upstream_is_not_cut_while_its_limits_allow(tmp_path: Path) -> None:
    pieces = (Framing.CHUNKED.head(0), 0.2, Framing.CHUNKED.piece(ROLE), 0.2, Framing.CHUNKED.piece(HELLO), 0.2)
    rest = Framing.CHUNKED.piece(STOP + DONE) + Framing.CHUNKED.ending
    limits = "timeouts: {first_byte: 0.5, idle: 0.5},"  # each silence is shorter, all of them together are longer
    async with (
        ScriptedUpstream(saying(0.2, *pieces, rest)) as upstream,
        Donut(config_for(upstream.port, provider_more=limits), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask())).body == ROLE + HELLO + STOP + DONE


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("timeouts: {first_byte: 0.1},", ()),
        ("timeouts: {idle: 0.1},", (Framing.CHUNKED.head(0),)),
        ("timeouts: {idle: 0.1},", (Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(ROLE),)),
    ],
    ids=["no head", "no body", "no content"],
)
async def test_a7_a_stalled_upstream_is_left_for_another_and_alone_it_is_a_504(limit: str, said: tuple[bytes, ...], tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(*said, 30)) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port, provider_more=limit), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask())).body == CLEAN
        got = await client.ask(ask("p0/up-model"))
        assert (got.status, got.json()["error"]["code"]) == (504, "provider_timeout")
        await eventually(lambda: one.connections_open == 0)


async def test_a7_an_upstream_that_stalls_after_content_ends_with_one_error(tmp_path: Path) -> None:
    said = Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(ROLE + HELLO)
    async with (
        ScriptedUpstream(saying(said, 30)) as upstream,
        Donut(config_for(upstream.port, provider_more="timeouts: {idle: 0.1},"), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask())
        assert got.body.startswith(ROLE + HELLO)
        assert assert_one_error_and_done(got.body.removeprefix(ROLE + HELLO))["code"] == "provider_timeout"
        assert (await donut.wait_for_rows(1))[0]["status"] == "truncated"


# A9: pace


@pytest.mark.parametrize("content_type", [b"text/event-stream", b"application/json"])
async def test_a9_every_frame_is_forwarded_before_the_upstream_sends_the_next(content_type: bytes, tmp_path: Path) -> None:
    """A handshake, not a clock: the upstream says the next frame only when the client has the one before."""
    frames = [ROLE + HELLO, *(chunk(content=f" {number}") for number in range(40)), STOP, DONE]
    has_it = asyncio.Semaphore(0)

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(Framing.CHUNKED.head(0, content_type))
        for frame in frames:
            writer.write(Framing.CHUNKED.piece(frame))
            await has_it.acquire()
        writer.write(Framing.CHUNKED.ending)

    async with ScriptedUpstream(handle) as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        client.send(ask())
        await client.read_head()
        async with asyncio.timeout(5):
            for frame in frames:
                assert await client.read_frame() == frame
                has_it.release()
            assert await client.read_frame() == b""


# A11: what an answer is, is seen in its bytes


@pytest.mark.parametrize("content_type", [None, b"application/json", b"text/plain"])
@pytest.mark.parametrize(
    "pieces",
    [[CLEAN], [CLEAN[at : at + 1] for at in range(len(CLEAN))], [b"\n", CLEAN], [PING, CLEAN]],
    ids=["whole", "bytes", "newline", "comment"],
)
async def test_a11_a_stream_is_a_stream_whatever_its_content_type(content_type: bytes | None, pieces: list[bytes], tmp_path: Path) -> None:
    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        kind = b"" if content_type is None else b"content-type: " + content_type + b"\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + kind + b"transfer-encoding: chunked\r\n\r\n")
        for piece in pieces:
            await settle()
            writer.write(Framing.CHUNKED.piece(piece))
        writer.write(Framing.CHUNKED.ending)

    async with ScriptedUpstream(handle) as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        got = await client.ask(ask())
        assert got.body == b"".join(pieces)
        assert (await donut.wait_for_rows(1))[0]["status"] == "ok"


async def test_a11_a_json_answer_to_a_stream_request_passes_as_json(tmp_path: Path) -> None:
    body = (
        b'{"choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}],"usage":{"completion_tokens":2}}'
    )
    said = answer(body, headers=b"content-type: application/json\r\n")
    async with (
        ScriptedUpstream(saying(said)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask())
        assert (got.status, got.body, got.headers["content-type"]) == (200, body, "application/json")
        await donut.wait_for_rows(1)
        assert donut.rows("attempts")[0]["reported_output"] == 2


async def test_a11_a_json_error_in_a_200_to_a_stream_request_fails_over(tmp_path: Path) -> None:
    body = b'{"error":{"message":"out of memory","type":"server_error"}}'
    async with (
        ScriptedUpstream(saying(answer(body))) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask())).body == CLEAN


async def test_a11_a_streamed_answer_to_a_request_for_a_whole_one_passes_as_a_stream(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got: RawAnswer = await client.ask(ask(stream=False))
        assert (got.status, got.body) == (200, CLEAN)
        assert (await donut.wait_for_rows(1))[0]["status"] == "ok"
