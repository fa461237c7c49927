"""A real model server behind donut: llama.cpp with a tiny random model. Opt-in, since building it takes minutes: `scripts/real-server
--build-only` once, or REAL_SERVER_BIN=/path/to/llama-server. Its words are random; that they arrive, are counted and can be cut is not.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import openai
import pytest
import pytest_asyncio
from openai.types.chat import ChatCompletionToolParam, ChatCompletionUserMessageParam

from tests.processes import ROOT, DonutProcess

HERE = ROOT / ".cache" / "real-server" / "llama-server"
USUAL_PORTS = (8080, 8000, 1234, 1337)
"""Where discovery looks anyway, llama.cpp's own first."""

pytestmark = [
    pytest.mark.real_server,
    pytest.mark.skipif(
        not HERE.exists() and "REAL_SERVER_BIN" not in os.environ, reason="no llama-server: scripts/real-server --build-only builds one"
    ),
]


@pytest.fixture(autouse=True)
def one_at_a_time() -> Iterator[None]:
    """These tests share the ports that discovery looks at, and parallel test processes share the machine."""
    with (Path(tempfile.gettempdir()) / "donut-real-server.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Say hello."}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"]},
    },
}


def free_usual_port() -> int:
    for port in USUAL_PORTS:
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    pytest.skip(f"all of {USUAL_PORTS} are taken")


@asynccontextmanager
async def llama_server(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Started, healthy, and ended by its id."""
    process = await asyncio.create_subprocess_exec(
        ROOT / "scripts" / "real-server",
        *("--port", str(port)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
            while True:
                assert process.returncode is None, "llama-server ended"
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest_asyncio.fixture
async def donut(tmp_path: Path) -> AsyncIterator[DonutProcess]:
    """donut without any config in front of a real server on a usual port."""
    async with llama_server(free_usual_port()), DonutProcess(tmp_path) as process:
        yield process


@asynccontextmanager
async def sdk(donut: DonutProcess) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="anything", max_retries=0, timeout=60) as client:
        yield client


async def test_a_real_server_is_found_without_any_config(donut: DonutProcess) -> None:
    serving = await donut.said("serving")
    assert serving["simulated"] is False
    assert any("tiny" in model for model in serving["models"])
    async with sdk(donut) as client:
        models = {model.id: model for model in (await client.models.list()).data}
    (replica,) = [name for name in models if name.startswith("llamacpp") and name.endswith("/tiny")]
    extra = models[replica].model_extra or {}
    assert extra["local"] is True
    assert extra["context_window"] == 4096  # what a slot has: -c divided by --parallel


async def test_a_real_chat_whole_and_streamed(donut: DonutProcess) -> None:
    async with sdk(donut) as client:
        whole = await client.chat.completions.with_raw_response.create(model="tiny", messages=HELLO, max_tokens=24, seed=1)
        answer = whole.parse()
        assert answer.choices[0].message.content
        assert answer.usage is not None
        assert 0 < answer.usage.completion_tokens <= 24
        assert whole.headers["x-donut-replica"].endswith("/tiny")
        stream = await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=24, seed=1, stream=True)
        chunks = [chunk async for chunk in stream]
        assert all(chunk.usage is None for chunk in chunks)  # asked for by donut, and taken out again
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == answer.choices[0].message.content
        assert chunks[-1].choices[0].finish_reason == answer.choices[0].finish_reason
        auto = await client.chat.completions.create(model="auto", messages=HELLO, max_tokens=4)
        assert auto.choices[0].message.content is not None
    first, second, _ = await donut.wait_for_rows(3)
    attempts = {row["exchange_id"]: row for row in donut.rows("attempts")}
    for row in (first, second):
        attempt = attempts[row["id"]]
        assert row["status"] == "ok"
        assert attempt["reported_output"] == answer.usage.completion_tokens
        read = attempt["reported_input_uncached"] + attempt["reported_cache_read"]
        assert read == answer.usage.prompt_tokens
        assert attempt["estimated_output"] is None
        assert attempt["cost_usd"] == 0
    assert 0 < attempts[second["id"]]["ttft_s"] < 10


async def test_a_real_stream_with_usage_asked_for(donut: DonutProcess) -> None:
    async with sdk(donut) as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=HELLO, max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage is not None
        assert chunks[-1].choices == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_real_tool_calls(donut: DonutProcess, stream: bool) -> None:
    async with sdk(donut) as client:
        if stream:
            chunks = await client.chat.completions.create(
                model="tiny", messages=HELLO, tools=[WEATHER], tool_choice="required", max_tokens=200, seed=3, stream=True
            )
            deltas = [chunk.choices[0].delta async for chunk in chunks if chunk.choices]
            calls = [call for delta in deltas for call in delta.tool_calls or []]
            names = [call.function.name for call in calls if call.function and call.function.name]
        else:
            got = await client.chat.completions.create(
                model="tiny", messages=HELLO, tools=[WEATHER], tool_choice="required", max_tokens=200, seed=3
            )
            names = [call.function.name for call in got.choices[0].message.tool_calls or [] if call.type == "function"]
    assert names
    assert set(names) == {"get_weather"}


async def test_a_real_server_that_does_not_embed_says_so_cleanly(donut: DonutProcess) -> None:
    async with sdk(donut) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            await client.embeddings.create(model="tiny", input="a")
    assert refused.value.status_code in (400, 404, 501)
    assert refused.value.message
    assert isinstance(refused.value.body, dict)
    (row,) = await donut.wait_for_rows(1)
    assert row["status"] != "internal_error"


async def test_a_real_prompt_that_is_too_long_is_the_client_s_error(donut: DonutProcess) -> None:
    async with sdk(donut) as client:
        with pytest.raises(openai.BadRequestError, match="context"):
            await client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "word " * 9000}])


async def test_b1_a_real_stream_that_is_hung_up_on_is_stopped(donut: DonutProcess) -> None:
    async with sdk(donut) as client:
        # A token that can not be: the answer would go on to the end of the window.
        stream = await client.chat.completions.create(
            model="tiny", messages=HELLO, max_tokens=3900, stream=True, extra_body={"ignore_eos": True}
        )
        seen = 0
        async for _ in stream:
            seen += 1
            if seen == 5:
                break
        await stream.close()
    (row,) = await donut.wait_for_rows(1)
    (attempt,) = donut.rows("attempts")
    assert row["status"] == "client_gone"
    assert attempt["reported_output"] is None
    assert 3 <= attempt["estimated_output"] < 3900


async def test_a_real_server_that_dies_and_comes_back(tmp_path: Path) -> None:
    port = free_usual_port()
    async with llama_server(port) as server, DonutProcess(tmp_path) as donut, sdk(donut) as client:
        assert (await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=4)).choices
        server.kill()
        await server.wait()
        with pytest.raises(openai.APIStatusError) as failed:
            await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=4)
        assert failed.value.status_code == 502
        assert "tiny failed" in failed.value.message
        assert str(port) in failed.value.message
        async with llama_server(port):
            async with asyncio.timeout(20):
                while True:
                    try:
                        again = await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=4)
                        break
                    except openai.APIStatusError:
                        await asyncio.sleep(0.1)
            assert again.choices
        assert "internal_error" not in {row["status"] for row in donut.rows()}


async def test_a_real_server_that_dies_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    async with llama_server(free_usual_port()) as server, DonutProcess(tmp_path) as donut, sdk(donut) as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=HELLO, max_tokens=3900, stream=True, extra_body={"ignore_eos": True}
        )
        finish_reasons: list[str | None] = []

        async def read() -> None:
            async for chunk in stream:
                finish_reasons.extend(choice.finish_reason for choice in chunk.choices)
                if server.returncode is None and len(finish_reasons) == 3:
                    server.kill()

        with pytest.raises(openai.APIError, match="broke off"):
            await read()
        assert not [reason for reason in finish_reasons if reason]
        (row,) = await donut.wait_for_rows(1)
        assert row["status"] == "truncated"
