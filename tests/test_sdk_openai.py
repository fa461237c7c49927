"""The openai SDK as client and as judge: against the simulated fleet, and against upstreams that misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.serving import Donut, config_for
from tests.streams import DONE, STOP, chunk, cutting, event, playing, recording
from tests.upstreams import Handler, ScriptedUpstream, answer, saying

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]
READ_FILE: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "read_file",
        "description": "Reads a file.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
            "additionalProperties": False,
        },
    },
}


@asynccontextmanager
async def simulated(folder: Path) -> AsyncIterator[AsyncOpenAI]:
    async with Donut(folder=folder, demo=True) as donut, sdk(donut) as client:
        yield client


@asynccontextmanager
async def scripted(handler: Handler, folder: Path, more: str = "") -> AsyncIterator[tuple[AsyncOpenAI, ScriptedUpstream]]:
    async with ScriptedUpstream(handler) as upstream, Donut(config_for(upstream.port, more=more), folder) as donut, sdk(donut) as client:
        yield client, upstream


def sdk(donut: Donut, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="client-key", timeout=10, **{"max_retries": 0, **options})


def refusing(status: bytes, error: dict[str, Any] | None = None, headers: bytes = b"") -> Handler:
    body = json.dumps({"error": {"message": "no", "type": "t", "param": None, "code": None, **(error or {})}}).encode()
    return saying(answer(body, status=status, headers=b"content-type: application/json\r\n" + headers))


# Against the simulated fleet


async def test_chat_whole(tmp_path: Path) -> None:
    async with simulated(tmp_path) as client:
        raw = await client.chat.completions.with_raw_response.create(model="sim-small", messages=HELLO)
        said = raw.parse()
        assert said.choices[0].finish_reason == "stop"
        assert said.choices[0].message.content
        assert said.usage is not None
        assert said.usage.completion_tokens > 0
        assert raw.headers["x-donut-model"] == "sim-small"
        assert raw.headers["x-donut-replica"] == "sim-local/sim-small", "local first"
        assert raw.headers["x-request-id"] == said._request_id


async def test_chat_streamed_says_the_same_as_whole(tmp_path: Path) -> None:
    async with simulated(tmp_path) as client:
        whole = await client.chat.completions.create(model="sim-micro", messages=HELLO, max_tokens=12)
        stream = await client.chat.completions.create(model="sim-micro", messages=HELLO, max_tokens=12, stream=True)
        chunks = [part async for part in stream]
        assert all(part.usage is None and part.choices for part in chunks), "usage was not asked for"
        assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
        assert sum(bool(part.choices[0].delta.content) for part in chunks) == 12
        counted = await client.chat.completions.create(
            model="sim-micro", messages=HELLO, max_tokens=12, stream=True, stream_options={"include_usage": True}
        )
        last = [part async for part in counted][-1]
        assert last.choices == []
        assert last.usage is not None
        assert last.usage.completion_tokens == 12


async def test_chat_with_tools_whole_and_accumulated_from_a_stream(tmp_path: Path) -> None:
    async with simulated(tmp_path) as client:
        whole = await client.chat.completions.create(model="sim-mid", messages=HELLO, tools=[READ_FILE], tool_choice="required")
        (call,) = whole.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert call.function.name == "read_file"
        assert set(json.loads(call.function.arguments)) == {"path"}
        async with client.chat.completions.stream(model="sim-mid", messages=HELLO, tools=[READ_FILE], tool_choice="required") as stream:
            kinds = {said.type async for said in stream}
            final = await stream.get_final_completion()
        assert {"chunk", "tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= kinds
        (streamed,) = final.choices[0].message.tool_calls or []
        assert streamed.function.name == "read_file"
        assert set(json.loads(streamed.function.arguments)) == {"path"}
        assert final.choices[0].finish_reason == "tool_calls"
        answered = await client.chat.completions.create(
            model="sim-mid",
            messages=[*HELLO, final.choices[0].message.to_dict(), {"role": "tool", "tool_call_id": streamed.id, "content": "text"}],  # type: ignore[list-item]
            tools=[READ_FILE],
        )
        assert answered.choices[0].message.content


async def test_the_stream_helper_accumulates_text(tmp_path: Path) -> None:
    async with simulated(tmp_path) as client:
        async with client.chat.completions.stream(model="auto", messages=HELLO) as stream:
            deltas = [said.delta async for said in stream if said.type == "content.delta"]
            final = await stream.get_final_completion()
        assert "".join(deltas) == final.choices[0].message.content


async def test_embeddings_in_both_encodings(tmp_path: Path) -> None:
    async with simulated(tmp_path) as client:
        packed = await client.embeddings.create(model="sim-embed", input=["one", "two"])  # the SDK asks for base64 by itself
        plain = await client.embeddings.create(model="sim-embed", input=["one", "two"], encoding_format="float")
        assert [item.index for item in packed.data] == [0, 1]
        assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
        assert packed.usage.prompt_tokens == plain.usage.prompt_tokens > 0


async def test_completions_whole_and_streamed(tmp_path: Path) -> None:
    async with simulated(tmp_path) as client:
        whole = await client.completions.create(model="sim-small", prompt="def f():", max_tokens=8)
        stream = await client.completions.create(model="sim-small", prompt="def f():", max_tokens=8, stream=True)
        text = [part.choices[0].text async for part in stream]
        assert whole.choices[0].text
        assert "".join(text)
        assert whole.usage is not None


async def test_models_are_listed_and_retrieved(tmp_path: Path) -> None:
    async with simulated(tmp_path) as client:
        listed = [model.id async for model in client.models.list()]
        assert {"auto", "micro", "frontier", "sim-small", "sim-embed"} <= set(listed)
        for name in ("sim-small", "auto", "sim-cloud/sim-small"):
            assert (await client.models.retrieve(name)).id == name
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("gpt-nothing")
        assert caught.value.code == "model_not_found"


async def test_the_blocking_client_works_too(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:

        def talk() -> str:
            with (
                OpenAI(base_url=f"{donut.url}/v1", api_key="k", max_retries=0, timeout=10) as client,
                client.chat.completions.create(model="sim-micro", messages=HELLO, stream=True) as stream,
            ):
                return "".join(part.choices[0].delta.content or "" for part in stream)

        assert await asyncio.to_thread(talk)


async def test_a_stream_that_is_closed_early_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut, sdk(donut) as client:
        stream = await client.chat.completions.create(model="sim-frontier", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        row = (await donut.wait_for_rows(1))[0]
        assert row["status"] == "client_gone"
        assert donut.open_reservations == donut.in_flight == 0


# Against scripted upstreams


async def test_tool_calls_survive_the_accumulator(tmp_path: Path) -> None:
    async with scripted(playing(recording("parallel_tools")), tmp_path) as (client, _):
        async with client.chat.completions.stream(model="test-model", messages=HELLO) as stream:
            message = (await stream.get_final_completion()).choices[0].message
        assert message.content == "Both."
        calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]
        assert calls == [("call_1", "list_dir", {}), ("call_2", "read_file", {"path": "b"})]


async def test_reasoning_beside_the_content_reaches_the_client(tmp_path: Path) -> None:
    async with scripted(playing(recording("reasoning")), tmp_path) as (client, _):
        stream = await client.chat.completions.create(model="test-model", messages=HELLO, stream=True)
        said = [getattr(part.choices[0].delta, "reasoning_content", None) async for part in stream]
        assert 'Hm, "error" is a word.' in said


async def test_unknown_arguments_reach_the_upstream(tmp_path: Path) -> None:
    async with scripted(playing(chunk(content="x") + STOP + DONE), tmp_path) as (client, upstream):
        stream = await client.chat.completions.create(
            model="test-model", messages=HELLO, stream=True, extra_body={"top_k": 7, "reasoning": {"effort": "low"}}
        )
        async for _ in stream:
            pass
        body = json.loads(upstream.requests[0].body)
        assert (body["top_k"], body["reasoning"], body["model"]) == (7, {"effort": "low"}, "up-model")


@pytest.mark.parametrize(
    ("handler", "kind", "code", "param"),
    [
        (refusing(b"400 Bad", {"code": "bad_value", "param": "temperature"}), openai.BadRequestError, "bad_value", "temperature"),
        (refusing(b"422 Odd", {"code": "odd"}), openai.UnprocessableEntityError, "odd", None),
        (refusing(b"404 Gone", {"code": "model_not_found"}), openai.NotFoundError, "model_not_found", None),
        (refusing(b"429 Slow", headers=b"retry-after: 9\r\n"), openai.RateLimitError, "rate_limit_exceeded", None),
        (refusing(b"401 No"), openai.InternalServerError, "provider_credentials_rejected", None),
        (refusing(b"500 Oops"), openai.InternalServerError, "provider_overloaded", None),
        (cutting(), openai.InternalServerError, "provider_disconnected", None),
    ],
    ids=["400", "422", "404", "429", "401", "500", "cut"],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_errors_become_the_sdks_exceptions(
    handler: Handler, kind: type[openai.APIStatusError], code: str, param: str | None, stream: bool, tmp_path: Path
) -> None:
    async with scripted(handler, tmp_path) as (client, _):
        with pytest.raises(kind) as caught:
            await client.chat.completions.create(model="test-model", messages=HELLO, stream=stream)
        assert (caught.value.code, caught.value.param) == (code, param)
        assert caught.value.message
        assert caught.value.request_id


async def test_donuts_own_refusals_become_the_sdks_exceptions(tmp_path: Path) -> None:
    more = "server: {api_keys: [client-key]}"
    async with scripted(playing(STOP + DONE), tmp_path, more) as (client, upstream):
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.chat.completions.create(model="nobody", messages=HELLO)
        assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.BadRequestError) as empty:
            await client.chat.completions.create(model="test-model", messages=[])
        assert empty.value.param == "messages"
        with pytest.raises(openai.AuthenticationError) as stranger:
            await client.with_options(api_key="wrong").chat.completions.create(model="test-model", messages=HELLO)
        assert stranger.value.code == "invalid_api_key"
        with pytest.raises(openai.BadRequestError) as steered:
            await client.chat.completions.create(model="test-model", messages=HELLO, extra_headers={"x-donut-local": "no"})
        assert steered.value.param == "x-donut-local"
        assert upstream.requests == []


async def test_a_truncated_stream_is_an_exception_and_no_answer(tmp_path: Path) -> None:
    async with scripted(cutting(chunk(content="half")), tmp_path) as (client, _):
        stream = await client.chat.completions.create(model="test-model", messages=HELLO, stream=True)
        assert (await anext(stream)).choices[0].delta.content == "half"
        with pytest.raises(openai.APIError) as caught:
            await anext(stream)
        assert caught.value.code == "provider_disconnected"


async def test_an_error_event_of_the_upstream_is_an_exception_in_its_own_words(tmp_path: Path) -> None:
    error = event({"error": {"message": "the GPU fell off the bus", "type": "server_error", "param": None, "code": "gpu_lost"}})
    async with scripted(playing(chunk(content="half"), error), tmp_path) as (client, _):
        stream = await client.chat.completions.create(model="test-model", messages=HELLO, stream=True)
        await anext(stream)
        with pytest.raises(openai.APIError, match="the GPU fell off the bus"):
            await anext(stream)


async def test_the_sdks_own_retry_finds_donut_well_again(tmp_path: Path) -> None:
    """One failed attempt is the SDK's business to repeat: donut answers 503, the SDK comes back, the upstream is well."""
    answers = iter([refusing(b"500 Oops"), playing(chunk(content="well") + STOP + DONE)])

    async def handle(request: Any, writer: asyncio.StreamWriter) -> None:
        await next(answers)(request, writer)

    async with scripted(handle, tmp_path) as (client, upstream):
        stream = await client.with_options(max_retries=1).chat.completions.create(model="test-model", messages=HELLO, stream=True)
        assert [part.choices[0].delta.content async for part in stream] == ["well", None]
        assert len(upstream.requests) == 2
