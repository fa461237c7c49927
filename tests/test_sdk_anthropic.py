"""The anthropic SDK as client and as judge: through donut to an upstream that speaks Anthropic's format, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anthropic
import orjson
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam

from tests.serving import Donut, config_for
from tests.streams import RECORDINGS, RawClient, digest, payloads, playing
from tests.upstreams import Handler, ScriptedUpstream, answer, saying

STREAMS = {path.stem: path.read_bytes() for path in sorted((RECORDINGS / "messages").glob("*.sse"))}
WHOLE = orjson.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "up-model",
        "content": [{"type": "text", "text": "One."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "cache_read_input_tokens": 4000, "output_tokens": 3},
    }
)
HELLO: list[MessageParam] = [{"role": "user", "content": "How many holes?"}]


def config(port: int) -> str:
    return config_for(port).replace("kind: openai", "kind: anthropic")


@asynccontextmanager
async def scripted(handler: Handler, folder: Path) -> AsyncIterator[tuple[Donut, AsyncAnthropic, ScriptedUpstream]]:
    async with (
        ScriptedUpstream(handler) as upstream,
        Donut(config(upstream.port), folder) as donut,
        AsyncAnthropic(base_url=donut.url, api_key="client-key", timeout=10, max_retries=0) as client,
    ):
        yield donut, client, upstream


def heads(upstream: ScriptedUpstream) -> dict[str, str]:
    lines = upstream.requests[-1].head.decode("latin-1").split("\r\n")[1:-2]
    names = [line.partition(":")[0].lower() for line in lines]
    assert len(set(names)) == len(names), "no header twice"
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in ("overloaded", "eager_crlf")])
async def test_streams(name: str, tmp_path: Path) -> None:
    async with scripted(playing(STREAMS[name]), tmp_path) as (donut, client, _):
        async with client.messages.stream(model="test-model", max_tokens=100, messages=HELLO) as stream:
            message = await stream.get_final_message()
        assert message.content
        assert message.stop_reason
        (row,) = await donut.wait_for_rows(1)
        assert row["status"] == "ok"
        assert row["dialect"] == "messages"


async def test_a_whole_answer_and_its_usage(tmp_path: Path) -> None:
    async with scripted(saying(answer(WHOLE)), tmp_path) as (donut, client, upstream):
        message = await client.messages.create(model="test-model", max_tokens=100, messages=HELLO)
        assert [block.text for block in message.content if block.type == "text"] == ["One."]
        await donut.wait_for_rows(1)
        (attempt,) = donut.rows("attempts")
        assert [attempt[f"reported_{part}"] for part in ("input_uncached", "cache_read", "output")] == [12, 4000, 3]
        sent = heads(upstream)
        assert upstream.requests[-1].head.startswith(b"POST /v1/messages HTTP/1.1\r\n")
        assert sent["x-api-key"] == "upstream-secret-0"
        assert sent["anthropic-version"]
        assert "authorization" not in sent


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (b"529 Overloaded", {"type": "overloaded_error", "message": "Overloaded"}, anthropic.APIStatusError),
        (b"429 Too Many", {"type": "rate_limit_error", "message": "slow"}, anthropic.RateLimitError),
        (b"400 Bad", {"type": "invalid_request_error", "message": "messages: wrong"}, anthropic.BadRequestError),
        (b"404 Not", {"type": "not_found_error", "message": "model: nope"}, anthropic.NotFoundError),
    ],
)
async def test_refusals(status: bytes, body: dict[str, str], error: type[anthropic.APIStatusError], tmp_path: Path) -> None:
    refusal = answer(orjson.dumps({"type": "error", "error": body}), status=status, headers=b"content-type: application/json\r\n")
    async with scripted(saying(refusal), tmp_path) as (_, client, _upstream):
        with pytest.raises(error) as caught:
            await client.messages.create(model="test-model", max_tokens=100, messages=HELLO)
        said = caught.value.body
        assert isinstance(said, dict)
        assert said["type"] == "error"
        assert body["message"] in said["error"]["message"]


async def test_a_wrong_key_is_refused_in_the_dialects_own_words(tmp_path: Path) -> None:
    async with Donut(config(1) + "server: {api_keys: [right-key]}\n", tmp_path) as donut:
        async with AsyncAnthropic(base_url=donut.url, api_key="wrong-key", max_retries=0) as client:
            with pytest.raises(anthropic.AuthenticationError) as caught:
                await client.messages.create(model="test-model", max_tokens=9, messages=HELLO)
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["error"]["type"] == "authentication_error"
        refused = await donut.client.get("/v1/messages", headers={"x-api-key": "right-key"})
        assert refused.status_code == 405
        assert refused.json()["type"] == "error"


async def test_an_error_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    async with scripted(playing(STREAMS["overloaded"]), tmp_path) as (_, client, _upstream):
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            async with client.messages.stream(model="test-model", max_tokens=100, messages=HELLO) as stream:
                await stream.get_final_message()


async def test_a_stream_that_is_cut_ends_in_one_error_event(tmp_path: Path) -> None:
    begun = STREAMS["text"].partition(b"event: content_block_stop")[0]
    async with scripted(playing(begun), tmp_path) as (donut, _, _upstream), RawClient(donut.port) as client:
        body = {"model": "test-model", "max_tokens": 9, "stream": True, "messages": HELLO}
        got = await client.ask(body, "/v1/messages")
        assert got.body.startswith(begun)
        (error,) = payloads(got.body[len(begun) :])
        assert error["type"] == "error"
        assert error["error"]["type"] == "overloaded_error", "the one after which OpenCode tries again"


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "overloaded"])
@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/messages"])
async def test_claude_code_is_served_as_if_donut_were_not_there(name: str, path: str, tmp_path: Path) -> None:
    body = orjson.loads((RECORDINGS / "messages" / "claude_code.request.json").read_bytes())
    sent = orjson.dumps({**body, "model": "test-model"})
    headers = {
        "user-agent": "claude-cli/2.1.329 (external, cli)",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,effort-2025-11-24",
        "authorization": "Bearer client-key",
        "x-claude-code-session-id": "9466ac87",
    }
    async with scripted(playing(STREAMS[name]), tmp_path) as (donut, _, upstream), RawClient(donut.port) as client:
        got = await client.ask(sent, path, headers)
        assert digest(got.body) == digest(STREAMS[name])
        assert digest(upstream.requests[-1].body) == digest(sent.replace(b'"test-model"', b'"up-model"'))
        seen = heads(upstream)
        assert {key: seen[key] for key in headers if key != "authorization"} == {k: v for k, v in headers.items() if k != "authorization"}
        assert "client-key" not in str(seen)
