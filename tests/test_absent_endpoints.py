"""A server that lacks an endpoint is spoken to in another dialect; that it is not there says nothing of the server's health."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from providers.errors import classify_openai
from providers.kinds.llamacpp import KIND as LLAMACPP
from routing.facts import FailureKind
from tests.serving import Donut
from tests.test_codec_event_stream import ANSWER
from tests.translating import CODECS, FRAME
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer

NOT_FOUND = b'{"detail":"Not Found"}'
CHAT_ANSWER = answer(orjson.dumps(CODECS["chat"].encode_answer(ANSWER, FRAME)), headers=b"content-type: application/json\r\n")
EMBEDDINGS = {"model": "test-model", "input": "Hi"}
RESPONSES = {"model": "test-model", "input": "Hi"}
CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]}


def config(port: int, dialects: str) -> str:
    return f"""
discovery: {{local: false, environment: false}}
providers:
  - id: box
    kind: openai
    base_url: http://127.0.0.1:{port}/v1
    dialects: [{dialects}]
    models: [{{upstream: up-model, model: test-model}}]
"""


def only(*paths: bytes, refusal: bytes = NOT_FOUND) -> Handler:
    """A server that answers chat requests under `paths`, and knows no others."""

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        known = request.head.split(b" ")[1] in paths
        writer.write(CHAT_ANSWER if known else answer(refusal, status=b"404 Not Found", headers=b"content-type: application/json\r\n"))
        await writer.drain()

    return handle


def asked(far: ScriptedUpstream) -> list[bytes]:
    return [request.head.split(b" ")[1].removeprefix(b"/v1") for request in far.requests]


@pytest.mark.parametrize("refusal", [NOT_FOUND, b"404 page not found", b"", b'{"error":{"code":404,"message":"File Not Found"}}'])
async def test_the_same_replica_answers_in_another_dialect(refusal: bytes, tmp_path: Path) -> None:
    handler = only(b"/v1/chat/completions", refusal=refusal)
    async with ScriptedUpstream(handler) as far, Donut(config(far.port, "chat, responses"), tmp_path) as donut:
        told = await donut.client.post("/v1/responses", json=RESPONSES)
        assert told.status_code == 200, told.text
        assert told.json()["output"][0]["content"][0]["text"] == "Two it is."
        assert asked(far) == [b"/responses", b"/chat/completions"]
        assert (await donut.client.post("/v1/chat/completions", json=CHAT)).status_code == 200, "it is not ejected"
        assert (await donut.client.post("/v1/responses", json=RESPONSES)).status_code == 200
        assert asked(far)[2:] == [b"/chat/completions", b"/chat/completions"], "it is remembered"
        await donut.wait_for_rows(3)
        assert [row["failure_kind"] for row in donut.rows("attempts")] == ["unspoken", None, None, None]


async def test_lm_studio_says_so_with_a_200(tmp_path: Path) -> None:
    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        refusal = b'{"error":"Unexpected endpoint or method. (POST /v1/responses)"}'
        is_known = request.head.split(b" ")[1] == b"/v1/chat/completions"
        writer.write(CHAT_ANSWER if is_known else answer(refusal, headers=b"content-type: application/json\r\n"))

    async with ScriptedUpstream(handle) as far, Donut(config(far.port, "chat, responses"), tmp_path) as donut:
        for _ in range(2):
            told = await donut.client.post("/v1/responses", json=RESPONSES)
            assert told.json()["output"][0]["content"][0]["text"] == "Two it is."
        assert asked(far) == [b"/responses", b"/chat/completions", b"/chat/completions"]


async def test_who_forgets_is_not_asked_to_go_on(tmp_path: Path) -> None:
    """Ollama's Responses take no notice of `previous_response_id`: the conversation would be gone, and nobody would know."""
    async with ScriptedUpstream(only(b"/v1/responses")) as far:
        text = config(far.port, "chat, responses").replace("kind: openai", "kind: ollama")
        async with Donut(text, tmp_path) as donut:
            refused = await donut.client.post("/v1/responses", json={**RESPONSES, "previous_response_id": "resp_1"})
            assert refused.status_code == 400
            assert refused.json()["error"]["param"] == "previous_response_id"
            assert "send the whole conversation" in refused.json()["error"]["message"]
            assert not far.requests
            await donut.client.post("/v1/responses", json=RESPONSES)
            assert asked(far) == [b"/responses"], "what it need not remember goes to it as it came"


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "custom", "name": "apply_patch"}]},
        {"input": [{"role": "user", "content": "1+1?"}, {"type": "reasoning", "id": "rs_1", "summary": []}]},
    ],
    ids=["a tool that is no function", "reasoning"],
)
async def test_who_knows_only_functions_is_asked_in_chat_for_the_rest(more: dict[str, Any], tmp_path: Path) -> None:
    """llama-server passes over such tools without a word, and refuses such items."""
    async with ScriptedUpstream(only(b"/v1/chat/completions")) as far:
        text = config(far.port, "chat, responses").replace("kind: openai", "kind: llamacpp")
        async with Donut(text, tmp_path) as donut:
            told = await donut.client.post("/v1/responses", json={**RESPONSES, **more})
            assert told.json()["output"][-1]["content"][0]["text"] == "Two it is."
            assert asked(far) == [b"/chat/completions"]


async def test_an_endpoint_without_translation(tmp_path: Path) -> None:
    async with ScriptedUpstream(only(b"/v1/chat/completions")) as far, Donut(config(far.port, "chat, embeddings"), tmp_path) as donut:
        refused = await donut.client.post("/v1/embeddings", json=EMBEDDINGS)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unsupported_endpoint")
        assert (await donut.client.post("/v1/chat/completions", json=CHAT)).status_code == 200, "it is not ejected"


async def test_a_wrong_address_is_a_wrong_address(tmp_path: Path) -> None:
    """Nothing is there in any dialect: the replica is left alone for a while, as for a model that is not there."""
    async with ScriptedUpstream(only()) as far, Donut(config(far.port, "chat, responses"), tmp_path) as donut:
        refused = await donut.client.post("/v1/chat/completions", json=CHAT)
        assert refused.status_code == 404
        assert asked(far) == [b"/chat/completions", b"/responses"]
        await donut.wait_for_rows(1)
        assert [row["failure_kind"] for row in donut.rows("attempts")] == ["unspoken", "not_found"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"The model `x` does not exist or you do not have access to it.","code":"model_not_found"}}',
        b'{"error":{"message":"model \\"x\\" not found, try pulling it first","type":"api_error"}}',
        b'{"error":"model \'x\' not found"}',
        b'{"detail":"Not Found: no model x"}',
        b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}',
    ],
)
def test_a_model_that_is_not_there_is_another_matter(body: bytes) -> None:
    assert classify_openai(404, [], body).kind is LLAMACPP.classify(404, [], body).kind is FailureKind.NOT_FOUND


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b'{"error":{"message":"Invalid URL (POST /v1/x)","type":"invalid_request_error","param":null,"code":null}}'),
        (404, b'{"error":{"message":"Unknown request URL: POST /openai/v1/x. Please check the URL for typos"}}'),
        (404, b"<html>\r\n<head><title>404 Not Found</title></head>"),
        (405, b'{"detail":"Method Not Allowed"}'),
    ],
)
def test_words_for_an_endpoint_that_is_not_there(status: int, body: bytes) -> None:
    assert classify_openai(status, [], body).kind is FailureKind.UNSPOKEN
