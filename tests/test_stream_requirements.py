"""Streams, requirement by requirement (reliability-requirements.md, section A): cut, broken, failed over, and otherwise byte for byte.

Every test names its requirement. Far ends are byte-level; donut is whole, on a real socket, with its journal.
The other half of the section: test_stream_refusals.py (A4), test_stream_silence.py (A7, A9, A11), test_stream_bodies.py (A8).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.serving import RETRIES, Donut, config_for
from tests.streams import (
    CLEAN,
    DONE,
    HELLO,
    ROLE,
    STOP,
    STREAMS,
    End,
    Framing,
    RawClient,
    ask,
    assert_one_error_and_done,
    chunk,
    cutting,
    digest,
    event,
    events,
    payloads,
    play,
    playing,
    recording,
    settle,
)
from tests.upstreams import ReceivedRequest, ScriptedUpstream, eventually

PING = b": ping\n\n"
USAGE_ONLY = event({"id": "c1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}})
ERROR = event({"error": {"message": "the GPU fell off the bus", "type": "server_error", "code": "gpu_lost"}})


def is_content(said: Any) -> bool:
    """Does a chunk carry more than a role and empty members?"""
    return said == "[DONE]" or any(
        choice["finish_reason"] or any(choice["delta"].get(key) for key in choice["delta"] if key != "role") for choice in said["choices"]
    )


def ends(stream: bytes) -> list[int]:
    """Where each event ends."""
    sizes = [len(piece) for piece in events(stream)]
    return [sum(sizes[: index + 1]) for index in range(len(sizes))]


def where(stream: bytes) -> tuple[int, int]:
    """(end of the first content event, end of the event that ends the answer)."""
    said = [payloads(piece) for piece in events(stream)]
    content = next(index for index, data in enumerate(said) if data and is_content(data[0]))
    terminal = next(index for index, data in enumerate(said) if data and data[0]["choices"][0]["finish_reason"])
    return ends(stream)[content], ends(stream)[terminal]


# A1: an answer that breaks off before its terminal event


@pytest.mark.parametrize("end", End)
@pytest.mark.parametrize("name", ["text", "tools"])
async def test_a1_a_cut_at_every_byte_fails_over_or_is_told_and_never_becomes_a_stop(name: str, end: End, tmp_path: Path) -> None:
    stream = recording(name)
    content_end, terminal_end = where(stream)
    whole = [0, *ends(stream)]

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        cut = int(orjson.loads(request.body)["user"])
        if cut in seen:
            await play(writer, [stream])
        else:
            seen.add(cut)
            await cutting(stream[:cut], end=end)(request, writer)

    seen: set[int] = set()
    expected: list[str] = []
    async with (
        ScriptedUpstream(handle) as one,
        ScriptedUpstream(handle) as two,
        Donut(config_for(one.port, two.port, more=RETRIES), tmp_path) as donut,
    ):
        for cut in range(len(stream)):
            async with RawClient(donut.port) as client:
                got = await client.ask(ask(user=str(cut)))
                assert (got.status, got.is_complete) == (200, True)
                if cut < content_end:
                    assert got.body == stream, f"cut at {cut}: another replica answers, as if nothing had been"
                    assert got.headers["x-donut-attempts"] == "2"
                    expected.append("ok")
                    continue
                arrived = stream[: max(at for at in whole if at <= cut)]
                assert got.body.startswith(arrived)
                if cut < terminal_end:
                    error = assert_one_error_and_done(got.body[len(arrived) :])
                    assert error["code"] == "provider_disconnected"
                    assert b'"finish_reason":"' not in got.body
                    assert await client.is_closed()
                    expected.append("truncated")
                else:
                    assert got.body == arrived, f"cut at {cut}: the answer was over, only the connection's end was missing"
                    expected.append("ok")
        rows = await donut.wait_for_rows(len(stream))
        assert [row["status"] for row in rows] == expected
        assert donut.open_reservations == donut.in_flight == 0


async def test_a1_a_close_delimited_stream_that_ends_early_is_truncated_too(tmp_path: Path) -> None:
    """Without a length FIN looks like a proper end: only the missing terminal event tells."""
    stream = recording("text")
    content_end, terminal_end = where(stream)
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        for cut in range(content_end, terminal_end - 2):
            upstream.handler = cutting(stream[:cut], framing=Framing.CLOSE)
            async with RawClient(donut.port) as client:
                got = await client.ask(ask())
            arrived = stream[: max(at for at in ends(stream) if at <= cut)]
            assert got.body.startswith(arrived)
            assert_one_error_and_done(got.body[len(arrived) :])
        rows = await donut.wait_for_rows(terminal_end - 2 - content_end)
        assert {row["status"] for row in rows} == {"truncated"}


async def test_a1_a_cut_before_content_with_nobody_else_is_a_502_and_not_an_empty_200(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(cutting(PING, ROLE)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask())
        assert got.status == 502
        assert got.json()["error"]["code"] == "provider_disconnected"
        assert (await donut.wait_for_rows(1))[0]["status"] == "upstream_error"


async def test_a1_a_finish_in_an_event_without_its_blank_line_still_ends_a_close_delimited_stream(tmp_path: Path) -> None:
    stream = ROLE + HELLO + STOP[:-2]
    async with ScriptedUpstream(playing(stream, framing=Framing.CLOSE)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        async with RawClient(donut.port) as client:
            assert (await client.ask(ask())).body == stream
        assert (await donut.wait_for_rows(1))[0]["status"] == "ok"


# A2: an error event in the middle of a stream


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([ROLE, HELLO, ERROR], id="error, then the end"),
        pytest.param([ROLE, HELLO, ERROR, DONE], id="error, then [DONE]"),
        pytest.param([ROLE, HELLO, ERROR + DONE], id="error and [DONE] in one piece"),
        pytest.param([ROLE, HELLO + ERROR + ERROR + DONE], id="two errors with content in one piece"),
        pytest.param([ROLE, HELLO, ERROR + HELLO + STOP + DONE], id="content behind the error"),
        pytest.param([ROLE, HELLO, *(bytes([byte]) for byte in ERROR), DONE], id="byte by byte"),
        pytest.param([ROLE, HELLO, STOP, ERROR, DONE], id="error behind the finish reason"),
    ],
)
async def test_a2_a_mid_stream_error_event_goes_out_once_then_done_then_the_connection_closes(pieces: list[bytes], tmp_path: Path) -> None:
    before = ROLE + HELLO + (STOP if STOP in pieces else b"")
    async with ScriptedUpstream(playing(*pieces)) as upstream, Donut(config_for(upstream.port, upstream.port), tmp_path) as donut:
        async with RawClient(donut.port) as client:
            got = await client.ask(ask())
            # HELLO and ERROR in one piece: nothing had gone out yet, so the other replica was asked first, and answered no better.
            committed = HELLO + ERROR + ERROR + DONE not in pieces
            if committed:
                assert got.body == before + ERROR + DONE, "the upstream's own words, once"
                assert got.is_complete
                assert await client.is_closed()
            else:
                assert (got.status, got.headers["x-donut-attempts"]) == (503, "2")
                assert "the GPU fell off the bus" in got.json()["error"]["message"]
        row = (await donut.wait_for_rows(1))[0]
        assert row["status"] == "upstream_error"
        assert "the GPU fell off the bus" in row["error_message"]
        await eventually(lambda: upstream.connections_open == 0 or committed is False)


async def test_a2_an_error_that_only_calls_itself_rate_limited_does_not_change_the_end(tmp_path: Path) -> None:
    limited = event({"error": {"message": "slow down", "code": 429}})
    async with (
        ScriptedUpstream(playing(ROLE, HELLO, limited)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask())).body == ROLE + HELLO + limited + DONE


# A3: commit and prelude


@pytest.mark.parametrize(
    "held",
    [
        pytest.param([ROLE], id="role"),
        pytest.param([PING, PING, ROLE], id="comments"),
        pytest.param([USAGE_ONLY, ROLE], id="usage only"),
        pytest.param([ROLE, event({"id": "c1", "choices": []})], id="no choices"),
        pytest.param([chunk(role="assistant", content=None, tool_calls=[])], id="empty tool calls"),
        pytest.param([b"retry: 10\n\n", b"event: ping\ndata: {}\n\n"], id="event without choices"),
        pytest.param([*(ROLE[at : at + 1] for at in range(len(ROLE)))], id="byte by byte"),
    ],
)
@pytest.mark.parametrize("failing", ["cut", "error event"])
async def test_a3_events_without_content_are_held_so_that_another_replica_can_answer(
    held: list[bytes], failing: str, tmp_path: Path
) -> None:
    bad = cutting(*held) if failing == "cut" else playing(*held, ERROR)
    async with (
        ScriptedUpstream(bad) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
    ):
        async with RawClient(donut.port) as client:
            got = await client.ask(ask())
        assert got.body == CLEAN
        assert (got.headers["x-donut-replica"], got.headers["x-donut-attempts"]) == ("p1/up-model", "2")
        assert [attempt["status"] for attempt in (await donut.wait_for_rows(1), donut.rows("attempts"))[1]] == ["upstream_error", "ok"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(HELLO, id="text"),
        pytest.param(chunk(reasoning_content="Hm"), id="reasoning_content"),
        pytest.param(chunk(reasoning="Hm"), id="reasoning"),
        pytest.param(chunk(tool_calls=[{"index": 0, "id": "x", "function": {"name": "f", "arguments": ""}}]), id="tool call"),
        pytest.param(chunk(refusal="No"), id="refusal"),
        pytest.param(chunk(role="assistant", content="Hello"), id="role and text"),
    ],
)
async def test_a3_after_the_first_content_no_other_replica_is_asked(content: bytes, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(cutting(ROLE, content)) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask())
        assert got.body.startswith(ROLE + content)
        assert_one_error_and_done(got.body.removeprefix(ROLE + content))
        assert two.requests == []
        assert (await donut.wait_for_rows(1))[0]["status"] == "truncated"


@pytest.mark.parametrize(
    ("prelude", "held"),
    [
        pytest.param("events: 4", [PING] * 5, id="events"),
        pytest.param("bytes: 600", [ROLE] * (600 // len(ROLE) + 1), id="bytes"),
        pytest.param("seconds: 0.02", [ROLE], id="seconds"),
    ],
)
async def test_a3_a_full_prelude_commits_early_and_content_follows_in_order(prelude: str, held: list[bytes], tmp_path: Path) -> None:
    release = asyncio.Event()

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(Framing.CHUNKED.head(0))
        for piece in held:
            await settle()
            writer.write(Framing.CHUNKED.piece(piece))
        await release.wait()
        rest = HELLO + STOP + DONE
        for at in range(len(rest)):  # byte by byte: most pieces then hold no whole event, and an empty chunk would end the body
            writer.write(Framing.CHUNKED.piece(rest[at : at + 1]))
            await settle()
        writer.write(Framing.CHUNKED.ending)

    async with ScriptedUpstream(handle) as one, ScriptedUpstream(playing(CLEAN)) as two:
        more = f"routing: {{prelude: {{{prelude}}}}}"
        async with Donut(config_for(one.port, two.port, more=more), tmp_path) as donut, RawClient(donut.port) as client:
            client.send(ask())
            got = await client.read_head()  # arrives although there is no content yet, and will not be until `release`
            assert got.headers["x-donut-replica"] == "p0/up-model"
            release.set()
            await client.read_body(got)
            assert got.body == b"".join(held) + HELLO + STOP + DONE
            assert two.requests == []


@pytest.mark.parametrize(
    ("prelude", "held"),
    [("events: 5", [PING] * 5), ("bytes: 600", [ROLE] * (600 // len(ROLE))), ("seconds: 5", [ROLE])],
    ids=["events", "bytes", "seconds"],
)
async def test_a3_a_prelude_just_within_its_bounds_can_still_fail_over(prelude: str, held: list[bytes], tmp_path: Path) -> None:
    async with ScriptedUpstream(cutting(*held)) as one, ScriptedUpstream(playing(CLEAN)) as two:
        more = f"routing: {{prelude: {{{prelude}}}}}"
        async with Donut(config_for(one.port, two.port, more=more), tmp_path) as donut, RawClient(donut.port) as client:
            assert (await client.ask(ask())).body == CLEAN


async def test_a3_content_at_the_very_moment_of_the_early_commit_keeps_its_order(tmp_path: Path) -> None:
    """The early commit is made by a timer's task while the exchange waits for the upstream: pieces arrive before, in and behind it."""
    pieces = [ROLE, *(chunk(content=str(number)) for number in range(8)), STOP, DONE]

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(pieces[0]))
        await asyncio.sleep(0.01 + int(orjson.loads(request.body)["user"]) * 0.0002)
        for piece in pieces[1:]:
            writer.write(Framing.CHUNKED.piece(piece))
            await asyncio.sleep(0)
        writer.write(Framing.CHUNKED.ending)

    async with ScriptedUpstream(handle) as upstream:
        more = "routing: {prelude: {seconds: 0.015}}"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut, RawClient(donut.port) as client:
            for delay in range(50):
                assert (await client.ask(ask(user=str(delay)))).body == b"".join(pieces)


async def test_a3_a_stream_cut_after_an_early_commit_ends_with_one_error_and_no_failover(tmp_path: Path) -> None:
    async with ScriptedUpstream(cutting(*[PING] * 3)) as one, ScriptedUpstream(playing(CLEAN)) as two:
        more = "routing: {prelude: {events: 2}}"
        async with Donut(config_for(one.port, two.port, more=more), tmp_path) as donut, RawClient(donut.port) as client:
            got = await client.ask(ask())
            assert got.body.startswith(PING * 3)
            assert_one_error_and_done(got.body.removeprefix(PING * 3))
            assert two.requests == []
            assert (await donut.wait_for_rows(1))[0]["status"] == "truncated"


# A5: the same dialect on both sides


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("name", STREAMS)
async def test_a5_the_client_gets_the_upstreams_bytes_wherever_they_were_cut(name: str, framing: Framing, tmp_path: Path) -> None:
    stream = recording(name)

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        cut = int(orjson.loads(request.body)["user"])
        pieces = [stream[:cut], stream[cut:]] if cut else [stream[at : at + 1] for at in range(len(stream))]
        await play(writer, pieces, framing)

    async with ScriptedUpstream(handle) as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        for cut in range(0, len(stream), 1 if framing is Framing.CHUNKED else 7):
            got = await client.ask(ask(user=str(cut)))
            assert digest(got.body) == digest(stream), f"cut at {cut}"
            assert got.headers["content-type"] == "text/event-stream"
        rows = await donut.wait_for_rows(1)
        assert {row["status"] for row in rows} == {"ok"}


async def test_a5_the_usage_that_donut_asked_for_is_removed_again_wherever_the_stream_was_cut(tmp_path: Path) -> None:
    stream = recording("text")
    expected = b"".join(piece for piece in events(stream) if b'"choices":[]' not in piece)

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        body = orjson.loads(request.body)
        assert body["stream_options"] == {"include_usage": True}
        await play(writer, [stream[: int(body["user"])], stream[int(body["user"]) :]])

    async with ScriptedUpstream(handle) as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        for cut in range(1, len(stream)):
            assert (await client.ask(ask(usage=False, user=str(cut)))).body == expected, f"cut at {cut}"
        await donut.wait_for_rows(len(stream) - 1)
        usage = {(row["reported_input_uncached"], row["reported_cache_read"], row["reported_output"]) for row in donut.rows("attempts")}
        assert usage == {(4, 8, 4)}, "read from the chunk that the client never saw"


async def test_a5_an_event_larger_than_everything_passes_whole(tmp_path: Path) -> None:
    """3 MB in one event: more than is ever held to find its end."""
    large = chunk(content="x" * 3_000_000)
    stream = ROLE + large + STOP + DONE
    async with (
        ScriptedUpstream(playing(stream)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask())
        assert digest(got.body) == digest(stream)
        assert (await donut.wait_for_rows(1))[0]["status"] == "ok"
