"""How many tokens a request would be: the upstream's own count where it has one, else an estimate that says what it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest
from anthropic import AsyncAnthropic

from providers.transport.port import Deadlines
from proxy import counting
from tests.serving import Donut, config_for
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer, saying

BODY = {"model": "test-model", "system": "Answer briefly.", "messages": [{"role": "user", "content": "How many holes has a donut?"}]}
PATH = "/v1/messages/count_tokens"


def anthropic_at(port: int) -> str:
    return config_for(port).replace("kind: openai", "kind: anthropic")


async def test_the_upstream_counts(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(b'{"input_tokens":14}', headers=b"content-type: application/json\r\n"))) as upstream,
        Donut(anthropic_at(upstream.port), tmp_path) as donut,
    ):
        got = await donut.client.post(PATH, json=BODY, headers={"anthropic-beta": "token-counting-2024-11-01", "x-api-key": "client-key"})
        assert (got.status_code, got.content) == (200, b'{"input_tokens":14}')
        assert "x-donut-estimated" not in got.headers
        assert got.headers["x-donut-replica"] == "p0/up-model"
        (request,) = upstream.requests
        assert request.head.startswith(b"POST /v1/messages/count_tokens HTTP/1.1\r\n")
        assert request.header(b"x-api-key") == b"upstream-secret-0"
        assert request.header(b"anthropic-beta") == b"token-counting-2024-11-01"
        assert orjson.loads(request.body) == {**BODY, "model": "up-model"}
        assert donut.open_reservations == 0


NOT_THERE = answer(b'{"error":"no such page"}', status=b"404 Not Found")
BUSY = answer(b"{}", status=b"529 Overloaded")


@pytest.mark.parametrize("reply", [NOT_THERE, BUSY, b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{"], ids=["404", "529", "cut"])
async def test_an_upstream_that_can_not_is_no_error(reply: bytes, tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(reply, close=True)) as upstream, Donut(anthropic_at(upstream.port), tmp_path) as donut:
        got = await donut.client.post(PATH, json=BODY)
        assert got.status_code == 200
        assert got.headers["x-donut-estimated"] == "1"
        assert 15 <= got.json()["input_tokens"] <= 40, "19 by a real tokenizer, about"


async def test_a_wrong_request_is_told_so_in_the_upstreams_words(tmp_path: Path) -> None:
    said = b'{"type":"error","error":{"type":"invalid_request_error","message":"roles must alternate, upstream-secret-0"}}'
    handler = saying(answer(said, status=b"400 Bad Request"))
    async with ScriptedUpstream(handler) as upstream, Donut(anthropic_at(upstream.port), tmp_path) as donut:
        got = await donut.client.post(PATH, json=BODY)
        assert got.status_code == 400
        assert "roles must alternate" in got.json()["error"]["message"]
        assert b"upstream-secret" not in got.content


async def test_an_upstream_of_another_dialect_is_not_asked(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer())) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        got = await donut.client.post(PATH, json=BODY)
        assert got.headers["x-donut-estimated"] == "1"
        assert upstream.requests == []


async def test_the_estimate_grows_with_the_tools(tmp_path: Path) -> None:
    """`/context` of Claude Code counts each tool by itself."""
    tool = {"name": "read", "description": "Reads a file. " * 100, "input_schema": {"type": "object", "properties": {}}}
    async with Donut(folder=tmp_path, demo=True) as donut:
        bodies = [{"model": "auto", "messages": BODY["messages"], "tools": tools} for tools in ([], [tool], [tool, tool])]
        counts = [(await donut.client.post(PATH, json=body)).json()["input_tokens"] for body in bodies]
        assert 300 < counts[1] - counts[0] < 500
        assert abs((counts[2] - counts[1]) - (counts[1] - counts[0])) < 5


async def test_the_sdk_takes_it(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut, AsyncAnthropic(base_url=donut.url, api_key="k", max_retries=0) as client:
        found = await client.messages.count_tokens(model="auto", messages=[{"role": "user", "content": "Hello there"}])
        assert found.input_tokens > 0


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"{", 400, "invalid_request_error"),
        (b"[]", 400, "invalid_request_error"),
        (b'{"model":"test-model","messages":[]}', 400, "invalid_request_error"),
        (b'{"model":"nobody-has-it","messages":[{"role":"user","content":"x"}]}', 404, "not_found_error"),
    ],
)
async def test_errors_have_the_dialects_shape(body: bytes, status: int, kind: str, tmp_path: Path) -> None:
    async with Donut(config_for(1), tmp_path) as donut:
        got = await donut.client.post(PATH, content=body)
        assert got.status_code == status
        assert got.json()["type"] == "error"
        assert got.json()["error"]["type"] == kind


async def test_a_silent_upstream_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "PATIENCE", Deadlines(2.0, 0.1, 0.1, 0.2))

    async def silent(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    handler: Handler = silent
    async with ScriptedUpstream(handler) as upstream, Donut(anthropic_at(upstream.port), tmp_path) as donut:
        got = await donut.client.post(PATH, json=BODY)
        assert got.headers["x-donut-estimated"] == "1"


async def test_an_unknown_action_of_a_gemini_model_is_told_apart(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        got = await donut.client.post("/v1beta/models/auto:embedAnything", json={"contents": []})
        assert got.status_code == 404


GEMINI = {"contents": [{"role": "user", "parts": [{"text": "How many holes has a donut?"}]}]}
GEMINI_PATH = "/v1beta/models/test-model:countTokens"


def gemini_at(port: int) -> str:
    return config_for(port).replace("kind: openai", "kind: gemini").replace("/v1'", "/v1beta'")


async def test_googles_upstream_counts(tmp_path: Path) -> None:
    said = answer(b'{"totalTokens":8}', headers=b"content-type: application/json\r\n")
    async with ScriptedUpstream(saying(said)) as upstream, Donut(gemini_at(upstream.port), tmp_path) as donut:
        got = await donut.client.post(GEMINI_PATH, json=GEMINI)
        assert got.json() == {"totalTokens": 8}
        assert "x-donut-estimated" not in got.headers
        (request,) = upstream.requests
        assert request.head.startswith(b"POST /v1beta/models/up-model:countTokens HTTP/1.1\r\n")
        assert orjson.loads(request.body) == GEMINI
        assert request.header(b"x-goog-api-key") == b"upstream-secret-0"


async def test_googles_other_form_is_estimated(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer())) as upstream, Donut(gemini_at(upstream.port), tmp_path) as donut:
        got = await donut.client.post(GEMINI_PATH, json={"generateContentRequest": {"model": "models/test-model", **GEMINI}})
        assert got.headers["x-donut-estimated"] == "1"
        assert got.json()["totalTokens"] > 5
        assert upstream.requests == []


async def test_googles_errors_have_googles_shape(tmp_path: Path) -> None:
    async with Donut(config_for(1), tmp_path) as donut:
        got = await donut.client.post("/v1beta/models/nobody-has-it:countTokens", json=GEMINI)
        assert got.status_code == got.json()["error"]["code"] == 404
        assert got.json()["error"]["status"] == "NOT_FOUND"
        assert (await donut.client.get("/v1beta/models/nobody-has-it")).json()["error"]["status"] == "NOT_FOUND"
