"""Signs of life on quiet streams: which, when, and never where they would break something."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from proxy import keepalive
from proxy.harness import HARNESSES
from proxy.keepalive import COMMENT, KeepAlives, Watched, patience_of
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
    found = sign_of(dialect, harness)
    assert found.startswith(sign)
    assert found.endswith(b"\n\n")


@pytest.mark.parametrize(
    ("dialect", "harness"), [("gemini", "gemini-cli"), ("gemini", "unknown"), ("chat", "gemini-cli"), ("embeddings", "curl")]
)
def test_nothing_where_it_would_break_something(dialect: str, harness: str) -> None:
    assert patience_of(dialect, harness) is None


def test_only_who_has_a_limit_must_be_spoken_to_in_time() -> None:
    by_s = {each: patience.speak_by_s for each in (*HARNESSES, "unknown") if (patience := patience_of("chat", each)) is not None}
    assert by_s["qwen-code"] == 90
    assert by_s["unknown"] == math.inf
    assert min(by_s.values()) >= 60


# The SDKs read streams with a sign of life between any two events


def interleaved(stream: bytes, sign: bytes) -> bytes:
    first, *rest = events(stream)
    return first + b"".join(sign + event for event in rest)


def sign_of(dialect: str, harness: str) -> bytes:
    patience = patience_of(dialect, harness)
    assert patience is not None
    return patience.sign


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


class Stream(Watched):
    """With itself as its Downstream: counts what it takes, and takes nothing while its client is slow."""

    def __init__(self, sign: bytes = COMMENT, after_s: float = 15) -> None:
        self._stream, self._sign, self._after_s = self, sign, after_s
        self.bytes_out = 10
        self.said: list[bytes] = []
        self.is_slow = False
        self.is_between = True

    def may_speak(self) -> bool:
        return self.is_between

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


def swept(alive: KeepAlives, clock: Clock, until_s: float) -> None:
    while clock.now_s < until_s:
        clock.now_s += 1.0
        alive._sweep()


async def test_a_quiet_stream_gets_one_sign_per_interval() -> None:
    clock, stream = Clock(), Stream(b"event: ping\n\n")
    alive = KeepAlives(clock)
    alive.start(stream)
    swept(alive, clock, 114)
    assert stream.said == []
    swept(alive, clock, 146)
    assert len(stream.said) == 3
    alive.stop(stream)
    swept(alive, clock, 300)
    assert len(stream.said) == 3


async def test_a_stream_that_moves_is_left_alone() -> None:
    clock, stream = Clock(), Stream()
    alive = KeepAlives(clock)
    alive.start(stream)
    for until_s in range(110, 200, 10):
        stream.bytes_out += 1
        swept(alive, clock, until_s)
    assert stream.said == []
    alive.stop(stream)


async def test_a_client_that_does_not_read_is_not_written_to() -> None:
    clock, stream = Clock(), Stream()
    stream.is_slow = True
    alive = KeepAlives(clock)
    alive.start(stream)
    swept(alive, clock, 200)
    assert stream.said == []
    stream.is_slow = False
    swept(alive, clock, 216)
    assert stream.said == [COMMENT]
    alive.stop(stream)


async def test_it_waits_until_an_event_is_whole() -> None:
    clock, stream = Clock(), Stream()
    stream.is_between = False
    alive = KeepAlives(clock)
    alive.start(stream)
    swept(alive, clock, 200)
    assert stream.said == []
    stream.is_between = True
    swept(alive, clock, 201)
    assert stream.said == [COMMENT]
    alive.stop(stream)


async def test_the_sweep_runs_by_itself_and_ends_with_the_last_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "SWEEP_S", 0.01)
    stream = Stream(after_s=0.02)
    alive = KeepAlives(asyncio.get_running_loop().time)
    alive.start(stream)
    await eventually(lambda: len(stream.said) >= 2)
    alive.stop(stream)
    await eventually(lambda: alive._timer is None)
