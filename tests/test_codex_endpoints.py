"""What Codex asks for beside its turns: a WebSocket that donut does not speak, and the compaction of a conversation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from tests.serving import Donut, config_for
from tests.upstreams import ScriptedUpstream, answer, saying

UPGRADE = (
    b"GET %b HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: cxFahAcM4sTb9iIli9s34A==\r\nuser-agent: codex_exec/0.169.0\r\n%b\r\n"
)
COMPACTED = orjson.dumps(
    {
        "id": "resp_1",
        "object": "response.compaction",
        "created_at": 1,
        "output": [{"type": "compaction", "id": "cmp_1", "encrypted_content": "c2VhbGVk"}],
        "usage": {
            "input_tokens": 900,
            "input_tokens_details": {"cached_tokens": 100},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 940,
        },
    }
)
BODY = {"model": "test-model", "input": [{"type": "message", "role": "user", "content": "hello"}]}


async def upgraded(donut: Donut, path: bytes, headers: bytes = b"") -> bytes:
    """Everything that comes until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", donut.port)
    try:
        writer.write(UPGRADE % (path, headers))
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("path", [b"/v1/responses", b"/backend-api/codex/responses", b"/v1/realtime"])
async def test_a_websocket_is_refused_in_http_and_the_connection_closed(path: bytes, tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        head, _, body = (await upgraded(donut, path)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 426 ")
        assert b"content-type: application/json" in head
        assert b"connection: close" in head
        assert orjson.loads(body)["error"]["code"] == "websocket_not_supported"


async def test_a_websocket_needs_a_key_too(tmp_path: Path) -> None:
    config = config_for(1, more="server: {api_keys: [sk-of-a-client]}")
    async with Donut(config, tmp_path) as donut:
        assert (await upgraded(donut, b"/v1/responses")).startswith(b"HTTP/1.1 401 ")
        assert (await upgraded(donut, b"/v1/responses", b"authorization: Bearer sk-of-a-client\r\n")).startswith(b"HTTP/1.1 426 ")


async def test_other_upgrades_are_passed_over(tmp_path: Path) -> None:
    """RFC 9110: a server may ignore them. The next request must not be taken for the other protocol."""
    offer = {"connection": "upgrade, http2-settings", "upgrade": "h2c", "http2-settings": "AA"}
    async with Donut(folder=tmp_path, demo=True) as donut:
        for _ in range(2):
            assert (await donut.client.get("/v1/models", headers=offer)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/responses/compact", "/backend-api/codex/responses/compact"])
async def test_a_compaction_goes_to_an_upstream_that_has_one(path: str, tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(COMPACTED, headers=b"content-type: application/json\r\n"))) as upstream:
        config = config_for(upstream.port, provider_more="dialects: [chat, responses, compact],")
        async with Donut(config, tmp_path) as donut:
            got = await donut.client.post(path, json=BODY)
            assert (got.status_code, got.content) == (200, COMPACTED)
            assert upstream.requests[0].head.startswith(b"POST /v1/responses/compact HTTP/1.1\r\n")
            assert orjson.loads(upstream.requests[0].body) == {**BODY, "model": "up-model"}
            (row,) = await donut.wait_for_rows(1)
            assert (row["dialect"], row["status"]) == ("compact", "ok")
            (attempt,) = donut.rows("attempts")
            assert [attempt[f"reported_{part}"] for part in ("input_uncached", "cache_read", "output")] == [800, 100, 40]


async def test_without_such_an_upstream_it_is_refused_in_words(tmp_path: Path) -> None:
    async with Donut(config_for(1, provider_more="dialects: [chat],"), tmp_path) as donut:
        got = await donut.client.post("/v1/responses/compact", json=BODY)
        assert got.status_code == 400
        assert got.json()["error"]["code"] == "unsupported_endpoint"
        assert "not compact" in got.json()["error"]["message"]
