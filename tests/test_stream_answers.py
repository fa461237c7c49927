"""Answers in one piece, beside the streams: cut, failing inside a 200, large, compressed, redirected, late."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from pathlib import Path

import orjson
import pytest

from tests.serving import RETRIES, Donut, config_for
from tests.streams import End, Framing, RawClient, ask, chunk, cutting, digest, playing, recording, settle
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, eventually, saying

WHOLE = (
    b'{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi \\u00fc"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}},'
    b' "vendor": null}'
)
JSON = b"content-type: application/json\r\n"
EMBEDDINGS = "model: test-model, capabilities: [embeddings]"


def embeddings_config(*ports: int, more: str = "") -> str:
    return config_for(*ports, more=more).replace("model: test-model", EMBEDDINGS)


@pytest.mark.parametrize("end", End)
@pytest.mark.parametrize("framing", [Framing.LENGTH, Framing.CHUNKED])
async def test_a_cut_at_every_byte_of_a_whole_answer_fails_over(end: End, framing: Framing, tmp_path: Path) -> None:
    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        cut = int(orjson.loads(request.body)["user"])
        if cut in seen:
            writer.write(answer(WHOLE, headers=JSON))
        else:
            seen.add(cut)
            await cutting(WHOLE[:cut], end=end, framing=framing, length=len(WHOLE))(request, writer)

    seen: set[int] = set()
    async with (
        ScriptedUpstream(handle) as one,
        ScriptedUpstream(handle) as two,
        Donut(config_for(one.port, two.port, more=RETRIES), tmp_path) as donut,
    ):
        async with RawClient(donut.port) as client:
            for cut in range(len(WHOLE)):
                got = await client.ask(ask(stream=False, user=str(cut)))
                assert (got.body, got.headers["x-donut-attempts"]) == (WHOLE, "2")
        assert {row["status"] for row in await donut.wait_for_rows(len(WHOLE))} == {"ok"}


async def test_a_close_delimited_answer_cut_inside_its_json_fails_over(tmp_path: Path) -> None:
    """FIN is a proper end there: only the JSON tells."""
    async with (
        ScriptedUpstream(cutting(WHOLE[:-9], framing=Framing.CLOSE)) as one,
        ScriptedUpstream(saying(answer(WHOLE))) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask(stream=False))).body == WHOLE


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"out of memory","code":500}}',
        b'{"error":{"message":"odd","code":"\xc2\xb2"}}',
        b'{"error":"overloaded"}',
        b"",
        b"<html>maintenance</html>",
        b"[]",
        b"null",
    ],
    ids=["object", "odd code", "text", "empty", "html", "array", "null"],
)
async def test_a_200_that_is_no_answer_fails_over_and_alone_it_is_an_error(body: bytes, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(body, headers=JSON))) as one,
        ScriptedUpstream(saying(answer(WHOLE, headers=JSON))) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask(stream=False))).body == WHOLE
        alone = await client.ask(ask("p0/up-model", stream=False))
        assert alone.status in (502, 503)
        assert alone.json()["error"]["code"] in ("provider_invalid_response", "provider_overloaded")


async def test_a_null_error_member_is_no_error(tmp_path: Path) -> None:
    body = WHOLE[:-1] + b',"error":null}'
    async with (
        ScriptedUpstream(saying(answer(body))) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask(stream=False))).body == body


async def test_large_embeddings_pass_unbuffered_and_their_usage_is_read_from_the_tail(tmp_path: Path) -> None:
    """The second half is sent only when the client has the first: nobody can have held the whole."""
    body = (
        b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":['
        + b"0.25," * 600_000
        + b'1]}],"model":"up-model","usage":{"prompt_tokens":11,"total_tokens":11}}'
    )
    half = len(body) // 2
    has_first = asyncio.Event()

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(Framing.LENGTH.head(len(body), b"application/json") + body[:half])
        await has_first.wait()
        writer.write(body[half:])

    async with (
        ScriptedUpstream(handle) as upstream,
        Donut(embeddings_config(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        client.send({"model": "test-model", "input": ["a"] * 2000}, "/v1/embeddings")
        got = await client.read_head()
        first = b""
        while len(first) < half - 64 * 1024:
            first += await client.read_frame()
        has_first.set()
        got.frames.append(first)
        await client.read_body(got)
        assert got.is_complete
        assert digest(got.body) == digest(body)
        assert (await donut.wait_for_rows(1))[0]["status"] == "ok"
        attempt = donut.rows("attempts")[0]
        assert (attempt["reported_input_uncached"], attempt["reported_output"]) == (11, 0)


async def test_a_large_answer_that_breaks_off_breaks_off_for_the_client_too(tmp_path: Path) -> None:
    """Half a JSON document can not be mended: the honest end is a connection that ends in the middle."""
    async with (
        ScriptedUpstream(cutting(b'{"data":[' + b"0.25," * 400_000)) as one,
        ScriptedUpstream(saying(answer(WHOLE))) as two,
        Donut(embeddings_config(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask({"model": "test-model", "input": "a"}, "/v1/embeddings")
        assert got.status == 200
        assert not got.is_complete
        assert two.requests == []
        assert (await donut.wait_for_rows(1))[0]["status"] == "truncated"


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_compressed_answer_is_unpacked_wherever_it_is_cut(encoding: bytes, stream: bool, tmp_path: Path) -> None:
    plain = recording("tools") if stream else WHOLE
    packed = gzip.compress(plain) if encoding == b"gzip" else zlib.compress(plain)

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        assert request.header(b"accept-encoding") == b"identity", "donut has to read what it accounts for"
        cut = int(orjson.loads(request.body)["user"])
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n" % (encoding, len(packed))
        writer.write(head + packed[:cut])
        await settle()
        writer.write(packed[cut:])

    async with ScriptedUpstream(handle) as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        for cut in range(0, len(packed), 3):
            got = await client.ask(ask(stream=stream, user=str(cut)), headers={"accept-encoding": "gzip, br, zstd"})
            assert got.body == plain
            assert "content-encoding" not in got.headers


async def test_a_compressed_answer_that_ends_too_early_is_cut(tmp_path: Path) -> None:
    packed = gzip.compress(WHOLE)[:-12]
    said = answer(packed, headers=b"content-encoding: gzip\r\n")
    async with (
        ScriptedUpstream(saying(said)) as one,
        ScriptedUpstream(saying(answer(WHOLE))) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask(stream=False))).body == WHOLE


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent", b"304 Not Modified"])
async def test_a_redirect_is_a_502_and_is_not_followed(status: bytes, tmp_path: Path) -> None:
    async with ScriptedUpstream() as elsewhere, ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        location = b"location: http://127.0.0.1:%d/v1/chat/completions\r\n" % elsewhere.port
        body = b"" if status.startswith(b"304") else b"moved"
        upstream.handler = saying(answer(body, status=status, headers=location))
        async with RawClient(donut.port) as client:
            got = await client.ask(ask(stream=False))
        assert got.status == 502
        assert got.json()["error"]["code"] == "provider_invalid_response"
        assert "redirect" in got.json()["error"]["message"]
        assert "location" not in got.headers
        assert elsewhere.connections_made == 0


@pytest.mark.parametrize(
    ("said", "stream"),
    [
        ((), True),
        ((), False),
        ((Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(chunk(role="assistant")),), True),
        ((answer(WHOLE)[:-5],), False),
    ],
    ids=["no head", "no head, whole", "no content", "no end, whole"],
)
async def test_the_clients_own_deadline_is_a_504_in_shape(said: tuple[bytes, ...], stream: bool, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(*said, 30)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(stream=stream), headers={"x-donut-deadline-ms": "120"})
        assert (got.status, got.json()["error"]["code"], got.json()["error"]["type"]) == (504, "deadline_exceeded", "server_error")
        assert "0.12 s" in got.json()["error"]["message"]
        assert got.headers["x-donut-replica"] == "p0/up-model"
        await eventually(lambda: upstream.connections_open == 0)
        row = (await donut.wait_for_rows(1))[0]
        assert (row["status"], row["http_status"]) == ("upstream_error", 504)
        assert donut.open_reservations == 0
        upstream.handler = saying(answer(WHOLE))
        assert (await client.ask(ask(stream=False))).body == WHOLE, "the connection goes on"


async def test_one_deadline_covers_all_attempts_and_ends_with_the_first_content(tmp_path: Path) -> None:
    slow = (
        Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(chunk(content="Hello")),
        0.7,
        Framing.CHUNKED.piece(chunk("stop")) + Framing.CHUNKED.ending,
    )
    async with (
        ScriptedUpstream(cutting()) as one,
        ScriptedUpstream(saying(*slow)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(), headers={"x-donut-deadline-ms": "500"})
        assert got.body == chunk(content="Hello") + chunk("stop"), "an answer that has begun is not cut by it"


async def test_usage_inside_the_last_chunk_is_kept_and_only_a_chunk_of_its_own_removed(tmp_path: Path) -> None:
    for name in ("reasoning", "comments"):
        stream = recording(name)
        async with ScriptedUpstream(playing(stream)) as upstream, Donut(config_for(upstream.port), tmp_path / name) as donut:
            async with RawClient(donut.port) as client:
                got = await client.ask(ask(usage=False))
                assert got.body == stream
            await donut.wait_for_rows(1)
            assert donut.rows("attempts")[0]["reported_cache_read"] == 8


async def test_completions_streams_get_the_same_care(tmp_path: Path) -> None:
    said = [
        {"id": "c", "choices": [{"index": 0, "text": text, "finish_reason": finish}]}
        for text, finish in [("a", None), ("b", None), ("", "stop")]
    ]
    stream = b"".join(b"data: " + orjson.dumps(value) + b"\n\n" for value in said) + b"data: [DONE]\n\n"
    request = {"model": "test-model", "prompt": "x", "stream": True, "suffix": "y"}
    async with (
        ScriptedUpstream(playing(stream)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(request, "/v1/completions")).body == stream
        assert orjson.loads(upstream.requests[0].body) == {**request, "model": "up-model", "stream_options": {"include_usage": True}}
        upstream.handler = cutting(stream[: stream.index(b"\n\n") + 2])
        got = await client.ask(request, "/v1/completions")
        assert got.body.endswith(b"\n\ndata: [DONE]\n\n")
        assert b'"provider_disconnected"' in got.body
