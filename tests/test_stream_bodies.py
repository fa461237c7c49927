"""A8: large request bodies. 32 MiB pass with the default config; more is refused before it is buffered, and after decompression too."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.serving import Donut, config_for
from tests.streams import CHAT, CLEAN, RawClient, ask, digest, playing
from tests.upstreams import ScriptedUpstream, answer, saying

MIB = 1024 * 1024
EMBEDDED = b'{"object":"list","data":[],"model":"up-model","usage":{"prompt_tokens":1,"total_tokens":1}}'


def body_of(size: int, **more: Any) -> bytes:
    """A chat request of exactly `size` bytes."""
    empty = orjson.dumps({**ask(**more), "padding": ""})
    return empty[:-2] + b"x" * (size - len(empty)) + b'"}'


def assert_too_large(got: Any) -> None:
    assert got.status == 413
    error = got.json()["error"]
    assert error["code"] == "request_too_large"
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code"}
    assert "32 MB (server.body_limit_mb)" in error["message"]


async def test_a8_a_body_of_exactly_32_mib_passes_unchanged(tmp_path: Path) -> None:
    body = body_of(32 * MIB, model="up-model")
    async with ScriptedUpstream(playing(CLEAN)) as upstream:
        text = config_for(upstream.port).replace("model: test-model", "model: up-model")
        async with Donut(text, tmp_path) as donut, RawClient(donut.port) as client:
            got = await client.ask(body)
            assert (got.status, got.body) == (200, CLEAN)
            assert digest(upstream.requests[0].body) == digest(body)
            assert (await donut.wait_for_rows(1))[0]["bytes_in"] == 32 * MIB


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/embeddings"])
async def test_a8_large_bodies_pass_on_every_route(path: str, tmp_path: Path) -> None:
    body = orjson.dumps({"model": "test-model", "messages": [{}], "prompt": "x", "input": ["x" * (20 * MIB)]})
    async with ScriptedUpstream(saying(answer(EMBEDDED))) as upstream:
        config = config_for(upstream.port)
        if path == "/v1/embeddings":
            config = config.replace("model: test-model", "model: test-model, capabilities: [embeddings]")
        async with Donut(config, tmp_path) as donut, RawClient(donut.port) as client:
            got = await client.ask(body, path)
            assert (got.status, got.body) == (200, EMBEDDED)
            assert upstream.requests[0].body == body.replace(b"test-model", b"up-model", 1)


async def test_a8_a_declared_length_over_the_limit_is_refused_before_a_byte_of_the_body(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        client.writer.write(RawClient.request(b"", headers={"content-length": str(33 * MIB)}))
        got = await client.read_head()  # the body is still to come
        await client.read_body(got)
        assert_too_large(got)
        # And when the client sends it nevertheless, it is thrown away and the connection still works.
        client.writer.write(b"x" * (33 * MIB))
        assert (await client.ask(ask())).body == CLEAN
        rows = await donut.wait_for_rows(2)
        assert rows[0]["status"] == "refused"
        assert rows[0]["http_status"] == 413


async def test_a8_a_chunked_body_over_the_limit_is_refused_when_it_passes_the_limit(tmp_path: Path) -> None:
    """No length was declared; the piece that passes the limit is the last one read."""
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port, more="server: {body_limit_mb: 1}"), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        client.writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        piece = b"%x\r\n%b\r\n" % (64 * 1024, b" " * (64 * 1024))
        answered = asyncio.create_task(client.read_head())
        sent = 0
        while not answered.done():
            client.writer.write(piece)
            await client.writer.drain()
            await asyncio.sleep(0)
            sent += 64 * 1024
            assert sent < 8 * MIB, "donut swallows any amount"
        got = await answered
        await client.read_body(got)
        assert (got.status, got.json()["error"]["code"]) == (413, "request_too_large")
        client.writer.write(b"0\r\n\r\n")
        assert (await client.ask(ask())).body == CLEAN


async def test_a8_expect_100_continue_is_answered_with_413_and_no_invitation(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        client.writer.write(RawClient.request(b"", headers={"content-length": str(33 * MIB), "expect": "100-continue"}))
        got = await client.read_head()
        assert got.status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a8_compressed_bodies_are_read(encoding: str, tmp_path: Path) -> None:
    body = orjson.dumps(ask())
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(packed, headers={"content-encoding": encoding})
        assert got.body == CLEAN
        sent = upstream.requests[0]
        assert sent.body == body.replace(b"test-model", b"up-model")
        assert sent.header(b"content-encoding") is None


async def test_a8_a_gzip_bomb_is_bounded_after_decompression(tmp_path: Path) -> None:
    bomb = gzip.compress(b'{"model":"test-model","messages":[{"role":"user","content":"' + b"0" * (200 * MIB))
    assert len(bomb) < MIB
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        got = await client.ask(bomb, headers={"content-encoding": "gzip"})
        assert_too_large(got)
        assert "after decompression" in got.json()["error"]["message"]
        assert upstream.requests == []


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(orjson.dumps(ask()))[:-9], 400),
        ("br", b"x", 415),
        ("identity", orjson.dumps(ask()), 200),
    ],
    ids=["broken", "cut", "unknown", "identity"],
)
async def test_a8_a_compression_that_can_not_be_undone_is_said(encoding: str, body: bytes, status: int, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(body, headers={"content-encoding": encoding})
        assert got.status == status
        if status != 200:
            assert encoding in got.json()["error"]["message"]
        assert (await client.ask(ask())).body == CLEAN, "the connection still works"
