"""The simulated fleet as a transport: the port's rules with a clock of our own, and the openai SDK over a real socket as the judge."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import uvicorn
from openai import AsyncOpenAI, NotFoundError, RateLimitError
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from providers.sim.fleet import CLOUD_PROVIDER, FLEET, find
from providers.sim.transport import SimTransport
from providers.transport.port import Answer, Deadlines, Origin, TransportError, UpstreamRequest, header
from routing.facts import FailureKind

ORIGIN = Origin("sim", "fleet", 80)
HELLO = [{"role": "user", "content": "Say hello."}]


class World:
    """A clock that moves only when somebody sleeps, and the sleeps it saw."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0)


def request(target: bytes, hint: str = "", deadlines: Deadlines | None = None, **body: Any) -> UpstreamRequest:
    raw = orjson.dumps(body)
    return UpstreamRequest(ORIGIN, b"POST", target, [], raw, deadlines or Deadlines(), hint=hint)


def chat(model: str = "sim-mid", **fields: Any) -> UpstreamRequest:
    return request(b"/v1/chat/completions", f"{CLOUD_PROVIDER}/{model}", model=model, messages=HELLO, **fields)


async def read_all(answer: Answer) -> list[bytes]:
    pieces = []
    while piece := await answer.read():
        pieces.append(piece)
    return pieces


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def transport(world: World) -> SimTransport:
    return SimTransport(world.clock, world.sleep)


async def test_the_same_request_is_answered_with_the_same_bytes(transport: SimTransport) -> None:
    for stream in (False, True):
        first, second = [await read_all(await transport.send(chat(stream=stream))) for _ in range(2)]
        assert first == second


async def test_a_stream_keeps_the_replicas_pace(transport: SimTransport, world: World) -> None:
    replica = find(CLOUD_PROVIDER, "sim-mid")
    assert replica is not None
    started_s = world.now_s
    answer = await transport.send(chat(stream=True, stream_options={"include_usage": True}))
    assert world.now_s - started_s == pytest.approx(replica.ttft_s)
    events = await read_all(answer)
    tokens = orjson.loads(events[-2].removeprefix(b"data: "))["usage"]["completion_tokens"]
    assert world.now_s - started_s == pytest.approx(replica.ttft_s + tokens / replica.tokens_per_s)
    assert await answer.read() == b""


async def test_a_slow_reader_waits_for_nothing_twice_and_each_read_is_one_event(transport: SimTransport, world: World) -> None:
    answer = await transport.send(chat(stream=True))
    world.now_s += 60
    world.slept.clear()
    events = await read_all(answer)
    assert set(world.slept) == {0.0}
    assert all(event.count(b"\n\n") == 1 for event in events)


async def test_a_read_that_is_cancelled_loses_no_event() -> None:
    gate = asyncio.Event()
    world = World()

    async def sleep(seconds: float) -> None:
        await world.sleep(seconds)
        await gate.wait()

    gate.set()
    transport = SimTransport(world.clock, sleep)
    whole = await read_all(await transport.send(chat(stream=True)))
    answer = await transport.send(chat(stream=True))
    pieces = [await answer.read(), await answer.read()]
    gate.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(answer.read(), 0.01)
    gate.set()
    assert pieces + await read_all(answer) == whole


async def test_closing_is_idempotent_and_ends_the_answer(transport: SimTransport) -> None:
    answer = await transport.send(chat(stream=True))
    await answer.read()
    answer.close()
    answer.close()
    with pytest.raises(TransportError) as caught:
        await answer.read()
    assert caught.value.kind is FailureKind.CUT


@pytest.mark.parametrize("deadlines", [Deadlines(first_byte_s=0.01), Deadlines(total_s=0.01)])
async def test_a_deadline_before_the_first_byte_stalls(transport: SimTransport, world: World, deadlines: Deadlines) -> None:
    before_s = world.now_s
    with pytest.raises(TransportError) as caught:
        await transport.send(request(b"/v1/chat/completions", deadlines=deadlines, model="sim-frontier", messages=HELLO))
    assert caught.value.kind is FailureKind.STALLED
    assert world.now_s - before_s == pytest.approx(0.01)


async def test_a_total_deadline_stalls_in_the_middle_of_a_stream(transport: SimTransport) -> None:
    deadlines = Deadlines(total_s=0.2)
    answer = await transport.send(request(b"/chat/completions", deadlines=deadlines, model="sim-frontier", messages=HELLO, stream=True))
    with pytest.raises(TransportError) as caught:
        await read_all(answer)
    assert caught.value.kind is FailureKind.STALLED


async def test_a_used_up_quota_is_a_429_until_the_minute_has_passed(transport: SimTransport, world: World) -> None:
    replica = find(CLOUD_PROVIDER, "sim-frontier")
    assert replica is not None
    assert replica.requests_per_minute is not None
    transport_now = SimTransport(world.clock, lambda _: asyncio.sleep(0))
    for left in reversed(range(replica.requests_per_minute)):
        answer = await transport_now.send(chat("sim-frontier", stream=True))
        assert answer.status == 200
        assert header(answer.headers, b"x-ratelimit-remaining-requests") == str(left).encode()
    refused = await transport_now.send(chat("sim-frontier"))
    assert refused.status == 429
    assert header(refused.headers, b"retry-after") == b"60"
    assert orjson.loads(await refused.read())["error"]["code"] == "rate_limit_exceeded"
    assert (await transport_now.send(chat("sim-mid", stream=True))).status == 200
    world.now_s += 60
    assert (await transport_now.send(chat("sim-frontier", stream=True))).status == 200


@pytest.mark.parametrize(
    ("target", "body", "status", "code"),
    [
        (b"/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO}, 404, "model_not_found"),
        (b"/v1/chat/completions", {"model": "sim-embed", "messages": HELLO}, 400, "unsupported_dialect"),
        (b"/v1/embeddings", {"model": "sim-mid", "input": "x"}, 400, "unsupported_dialect"),
        (b"/v1/chat/completions", {"model": "sim-mid"}, 400, None),
        (b"/v1/responses", {"model": "sim-mid"}, 404, "unknown_url"),
        (
            b"/v1/chat/completions",
            {"model": "sim-small", "messages": [{"role": "user", "content": "x" * 4 * 131_073}]},
            400,
            "context_length_exceeded",
        ),
    ],
)
async def test_refusals(transport: SimTransport, target: bytes, body: dict[str, Any], status: int, code: str | None) -> None:
    answer = await transport.send(request(target, f"{CLOUD_PROVIDER}/x", **body))
    assert answer.status == status
    assert orjson.loads(await answer.read())["error"]["code"] == code
    assert await answer.read() == b""


@pytest.mark.parametrize(("hint", "has_frontier"), [("sim-local/", False), ("sim-cloud/", True), ("", True)])
async def test_the_model_list_is_the_providers_own(transport: SimTransport, hint: str, has_frontier: bool) -> None:
    answer = await transport.send(UpstreamRequest(ORIGIN, b"GET", b"/v1/models", [], b"", hint=hint))
    names = [model["id"] for model in orjson.loads(await answer.read())["data"]]
    assert ("sim-frontier" in names) is has_frontier
    assert len(names) == len(set(names))


# From here on a real client over a real socket, in front of the transport with no patience for pacing.


@pytest.fixture
async def sdk() -> AsyncIterator[AsyncOpenAI]:
    transport = SimTransport(sleep=lambda _: asyncio.sleep(0))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        answer = await transport.send(UpstreamRequest(ORIGIN, scope["method"].encode(), scope["path"].encode(), [], body))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        while piece := await answer.read():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="critical"))
        serving = asyncio.create_task(server.serve([listener]))
        async with AsyncOpenAI(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", api_key="none", max_retries=0) as client:
            yield client
        server.should_exit = True
        await serving


async def test_sdk_chat(sdk: AsyncOpenAI) -> None:
    raw = await sdk.chat.completions.with_raw_response.create(model="sim-mid", messages=[{"role": "user", "content": "Hello."}])
    answer = ChatCompletion.model_validate(orjson.loads(raw.content), strict=True)
    assert "simulated" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_sdk_chat_stream(sdk: AsyncOpenAI) -> None:
    whole = await sdk.chat.completions.create(model="sim-mid", messages=[{"role": "user", "content": "Hello."}])
    stream = await sdk.chat.completions.create(
        model="sim-mid", messages=[{"role": "user", "content": "Hello."}], stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert said.startswith((whole.choices[0].message.content or "")[:80])
    assert chunks[-1].usage is not None
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


@pytest.mark.parametrize("stream", [False, True])
async def test_sdk_tools(sdk: AsyncOpenAI, stream: bool) -> None:
    function = {"name": "read_file", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}}
    ask: dict[str, Any] = {"model": "sim-mid", "messages": [{"role": "user", "content": "Use the tool."}]}
    ask["tools"] = [{"type": "function", "function": function}]
    if stream:
        async with sdk.chat.completions.stream(**ask) as events:
            answer: ChatCompletion = await events.get_final_completion()
    else:
        answer = await sdk.chat.completions.create(**ask)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert call.function.name == "read_file"
    assert orjson.loads(call.function.arguments) == {"path": "simulated"}


async def test_sdk_completions(sdk: AsyncOpenAI) -> None:
    raw = await sdk.completions.with_raw_response.create(model="sim-small", prompt="Say hello.")
    whole = Completion.model_validate(orjson.loads(raw.content), strict=True)
    stream = await sdk.completions.create(model="sim-small", prompt="Say hello.", stream=True)
    # Not validated one by one: the SDK's type says finish_reason is never null, OpenAI's own stream says it is until the last chunk.
    chunks = [chunk async for chunk in stream]
    assert "simulated" in whole.choices[0].text
    assert "simulated" in "".join(chunk.choices[0].text for chunk in chunks)


async def test_sdk_embeddings_in_the_format_the_sdk_asks_for_by_default(sdk: AsyncOpenAI) -> None:
    packed = await sdk.embeddings.create(model="sim-embed", input=["one text", "another"], dimensions=32)
    raw = await sdk.embeddings.with_raw_response.create(
        model="sim-embed", input=["one text", "another"], dimensions=32, encoding_format="float"
    )
    plain = CreateEmbeddingResponse.model_validate(orjson.loads(raw.content), strict=True)
    assert [len(item.embedding) for item in packed.data] == [32, 32]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding)


async def test_sdk_unknown_model_and_model_list(sdk: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError):
        await sdk.chat.completions.create(model="nope", messages=[{"role": "user", "content": "Hello."}])
    names = [model.id async for model in sdk.models.list()]
    assert names == list(dict.fromkeys(replica.upstream_model for replica in FLEET))


async def test_sdk_sees_a_used_up_quota_as_a_rate_limit(sdk: AsyncOpenAI) -> None:
    async def ask() -> None:
        await sdk.chat.completions.create(model="sim-frontier", messages=[{"role": "user", "content": "Hello."}], max_tokens=1)

    for _ in range(60):
        await ask()
    with pytest.raises(RateLimitError) as caught:
        await ask()
    assert 0 < int(caught.value.response.headers["retry-after"]) <= 60
