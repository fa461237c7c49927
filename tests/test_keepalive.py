"""Signs of life on quiet streams: which, when, and never where they would break something."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from proxy import keepalive
from proxy.harness import HARNESSES
from proxy.keepalive import COMMENT, KeepAlives, keepalive_of, speak_by_s
from tests.serving import Donut, config_for
from tests.streams import RECORDINGS, events, playing, recording
from tests.upstreams import ScriptedUpstream, eventually


@pytest.mark.parametrize(
    ("dialect", "harness", "sign"),
    [
        ("messages", "claude-code", b"event: ping"),
        ("messages", "anthropic-sdk", b"event: ping"),
        ("messages", "unknown", b"event: ping"),
        ("responses", "codex", b"event: keepalive"),
        ("chat", "qwen-code", b'data: {"id":"keep-alive"'),
        ("chat", "opencode", COMMENT),
        ("chat", "openai-sdk", COMMENT),
        ("chat", "unknown", COMMENT),
        ("completions", "unknown", COMMENT),
    ],
)
def test_which_sign(dialect: str, harness: str, sign: bytes) -> None:
    found = keepalive_of(dialect, harness)
    assert found is not None
    assert found.startswith(sign)
    assert found.endswith(b"\n\n")


@pytest.mark.parametrize(
    ("dialect", "harness"), [("gemini", "gemini-cli"), ("gemini", "unknown"), ("chat", "gemini-cli"), ("embeddings", "curl")]
)
def test_nothing_where_it_would_break_something(dialect: str, harness: str) -> None:
    assert keepalive_of(dialect, harness) is None


def test_only_who_has_a_limit_must_be_spoken_to_in_time() -> None:
    assert speak_by_s("qwen-code") == 90
    assert speak_by_s("gemini-cli") is None
    assert speak_by_s("unknown") is None
    assert all(wait is None or wait >= 60 for wait in map(speak_by_s, HARNESSES))


# The SDKs read streams with a sign of life between any two events


def interleaved(stream: bytes, sign: bytes) -> bytes:
    first, *rest = events(stream)
    return first + b"".join(sign + event for event in rest)


def sign_of(dialect: str, harness: str) -> bytes:
    sign = keepalive_of(dialect, harness)
    assert sign is not None
    return sign


@pytest.mark.parametrize("harness", ["openai-sdk", "qwen-code"])
async def test_chat(harness: str, tmp_path: Path) -> None:
    plain = recording("tools")
    finals = []
    for stream in (plain, interleaved(plain, sign_of("chat", harness))):
        async with (
            ScriptedUpstream(playing(stream)) as upstream,
            Donut(config_for(upstream.port), tmp_path) as donut,
            AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="k", max_retries=0) as client,
            client.chat.completions.stream(model="test-model", messages=[{"role": "user", "content": "hi"}]) as answer,
        ):
            finals.append(await answer.get_final_completion())
    assert finals[0].choices == finals[1].choices
    assert finals[0].usage == finals[1].usage


@pytest.mark.parametrize("name", ["tools", "thinking"])
async def test_messages(name: str, tmp_path: Path) -> None:
    plain = (RECORDINGS / "messages" / f"{name}.sse").read_bytes()
    finals = []
    for stream in (plain, interleaved(plain, sign_of("messages", "claude-code"))):
        async with (
            ScriptedUpstream(playing(stream)) as upstream,
            Donut(config_for(upstream.port).replace("kind: openai", "kind: anthropic"), tmp_path) as donut,
            AsyncAnthropic(base_url=donut.url, api_key="k", max_retries=0) as client,
            client.messages.stream(model="test-model", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as answer,
        ):
            finals.append(await answer.get_final_message())
    assert finals[0] == finals[1]


@pytest.mark.parametrize("name", ["tools", "text"])
async def test_responses(name: str, tmp_path: Path) -> None:
    plain = (RECORDINGS / "responses" / f"{name}.sse").read_bytes()
    finals = []
    for stream in (plain, interleaved(plain, sign_of("responses", "codex"))):
        async with (
            ScriptedUpstream(playing(stream)) as upstream,
            Donut(config_for(upstream.port, provider_more="dialects: [responses],"), tmp_path) as donut,
            AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="k", max_retries=0) as client,
            client.responses.stream(model="test-model", input="hi") as answer,
        ):
            finals.append(await answer.get_final_response())
    assert finals[0] == finals[1]


# The sweep


class Stream:
    """As a Downstream: counts what it takes, and takes nothing while its client is slow."""

    def __init__(self) -> None:
        self.bytes_out = 10
        self.said: list[bytes] = []
        self.is_slow = False

    def try_write(self, data: bytes) -> bool:
        if self.is_slow:
            return False
        self.bytes_out += len(data)
        self.said.append(data)
        return True


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def always() -> bool:
    return True


def swept(alive: KeepAlives, clock: Clock, until_s: float) -> None:
    while clock.now_s < until_s:
        clock.now_s += 1.0
        alive._sweep()


async def test_a_quiet_stream_gets_one_sign_per_interval() -> None:
    clock, stream = Clock(), Stream()
    alive = KeepAlives(clock)
    ticket = alive.start(stream, b"event: ping\n\n", 15, always)
    swept(alive, clock, 114)
    assert stream.said == []
    swept(alive, clock, 146)
    assert len(stream.said) == 3
    alive.stop(ticket)
    swept(alive, clock, 300)
    assert len(stream.said) == 3


async def test_a_stream_that_moves_is_left_alone() -> None:
    clock, stream = Clock(), Stream()
    alive = KeepAlives(clock)
    ticket = alive.start(stream, COMMENT, 15, always)
    for until_s in range(110, 200, 10):
        stream.bytes_out += 1
        swept(alive, clock, until_s)
    assert stream.said == []
    alive.stop(ticket)


async def test_a_client_that_does_not_read_is_not_written_to() -> None:
    clock, stream = Clock(), Stream()
    stream.is_slow = True
    alive = KeepAlives(clock)
    ticket = alive.start(stream, COMMENT, 15, always)
    swept(alive, clock, 200)
    assert stream.said == []
    stream.is_slow = False
    swept(alive, clock, 216)
    assert stream.said == [COMMENT]
    alive.stop(ticket)


async def test_it_waits_until_an_event_is_whole() -> None:
    clock, stream, between = Clock(), Stream(), [False]
    alive = KeepAlives(clock)
    ticket = alive.start(stream, COMMENT, 15, lambda: between[0])
    swept(alive, clock, 200)
    assert stream.said == []
    between[0] = True
    swept(alive, clock, 201)
    assert stream.said == [COMMENT]
    alive.stop(ticket)


async def test_the_sweep_runs_by_itself_and_ends_with_the_last_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "SWEEP_S", 0.01)
    stream = Stream()
    alive = KeepAlives(asyncio.get_running_loop().time)
    ticket = alive.start(stream, COMMENT, 0.02, always)
    await eventually(lambda: len(stream.said) >= 2)
    alive.stop(ticket)
    await eventually(lambda: alive._timer is None)
