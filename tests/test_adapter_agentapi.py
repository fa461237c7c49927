"""agentapi's event stream, at byte level: whatever the cuts, the same events; and a connection that ends is taken up again."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters import agentapi
from providers.adapters.agentapi import (
    AgentEvent,
    AgentEvents,
    AgentFailed,
    AgentLost,
    AgentMessage,
    AgentStatusChanged,
    Load,
    follow,
    listen,
)
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, eventually, saying

# What coder/agentapi sends to a new listener and afterwards (reference/adapters.md); agentapi++ adds the screen.
STREAM = (
    b'event: message_update\ndata: {"id":0,"role":"agent","message":"What can I do?","time":"2026-11-21T18:00:00Z"}\n\n'
    b'event: status_change\ndata: {"status":"stable","agent_type":"claude"}\n\n'
    b'event: screen_update\ndata: {"screen":"$ secret"}\n\n'
    b'event: message_update\r\ndata: {"id":1,"role":"user","message":"h\xc3\xa9llo","time":"2026-11-21T18:00:01Z"}\r\n\r\n'
    b": keep-alive\n\n"
    b'event: status_change\ndata: {"status":"running","agent_type":"claude"}\n\n'
    b'event: agent_error\ndata: {"message":"boom","level":"error","time":"2026-11-21T18:00:02Z"}\n\n'
)
EVENTS: list[AgentEvent] = [
    AgentMessage("left", 0, "agent", 14),
    AgentStatusChanged("left", "stable", "claude"),
    AgentMessage("left", 1, "user", 5),
    AgentStatusChanged("left", "running", "claude"),
    AgentFailed("left", "error"),
]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


def heard(pieces: list[bytes]) -> list[AgentEvent]:
    events = AgentEvents("left")
    return [event for piece in pieces for event in events.feed(piece)]


def test_the_stream_becomes_events_and_what_was_said_is_forgotten() -> None:
    found = heard([STREAM])
    assert found == EVENTS
    assert not any(word in repr(found) for word in ("secret", "What", "llo", "boom"))


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_cuts_change_nothing(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(STREAM)]
    assert heard([STREAM[start:end] for start, end in pairwise(ends)]) == EVENTS


def test_byte_by_byte() -> None:
    assert heard([STREAM[at : at + 1] for at in range(len(STREAM))]) == EVENTS


@pytest.mark.parametrize(
    "event",
    [
        b"event: status_change\ndata: {not json\n\n",
        b'event: status_change\ndata: {"status":"dancing"}\n\n',
        b'event: status_change\ndata: ["running"]\n\n',
        b'event: message_update\ndata: {"id":"x","role":"root","message":3}\n\n',
        b"event: status_change\n\n",
        b'data: {"status":"running"}\n\n',
        b"event: \xff\xfe\ndata: {}\n\n",
        b'event: status_change\ndata: {"status":"running\\u0000"}\n\n',
    ],
)
def test_what_is_no_event_is_passed_over(event: bytes) -> None:
    assert heard([event, STREAM]) == EVENTS


def test_an_event_without_end_is_given_up() -> None:
    events = AgentEvents("left")
    events.feed(b"data: " + b"x" * 1_000_000)
    with pytest.raises(ValueError, match="no end"):
        events.feed(b"x" * 100_000)


def test_the_load_knows_who_works_and_what_is_news() -> None:
    load = Load()
    assert load.take(AgentStatusChanged("a", "running", "codex"))
    assert not load.take(AgentStatusChanged("a", "running", ""))  # replayed, by a server that does not say the type again
    assert load.take(AgentStatusChanged("b", "stable", "claude"))
    assert (load.running, not load.take(AgentMessage("a", 1, "agent", 9))) == (1, True)
    assert load.told() == [
        {"agent": "a", "status": "running", "agent_type": "codex"},
        {"agent": "b", "status": "stable", "agent_type": "claude"},
    ]
    assert load.take(AgentLost("a", "gone"))
    assert not load.take(AgentLost("a", "gone"))
    assert (load.running, len(load.told())) == (0, 1)


async def test_one_connection_over_a_real_socket() -> None:
    async with ScriptedUpstream(saying(HEAD, STREAM[:100], 0.01, STREAM[100:], close=True)) as upstream, httpx.AsyncClient() as client:
        assert [event async for event in follow(client, "left", f"http://127.0.0.1:{upstream.port}")] == EVENTS
        assert upstream.requests[0].head.startswith(b"GET /events HTTP/1.1")
        assert upstream.requests[0].header(b"accept-encoding") == b"identity"


async def test_a_connection_that_ends_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agentapi, "FIRST_WAIT_S", 0.01)
    told: list[AgentEvent] = []

    async def first_refuses(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        first = answer(b"no", status=b"503 Busy")
        await saying(*([first] if request.connection == 1 else [HEAD, STREAM]), close=True)(request, writer)

    async with ScriptedUpstream(first_refuses) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        task = asyncio.create_task(listen("left", url, told.append, lambda: 0.0))
        await eventually(lambda: len(told) >= 8, within_s=5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert told[0] == AgentLost("left", f"{url}/events answers 503")
    assert told[1:6] == EVENTS
    assert isinstance(told[6], AgentLost)


async def test_a_server_that_hangs_up_at_once_is_asked_ever_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agentapi, "FIRST_WAIT_S", 0.02)
    asked_at: list[float] = []

    async def hang_up(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        asked_at.append(asyncio.get_running_loop().time())
        await saying(HEAD, STREAM, close=True)(request, writer)

    async with ScriptedUpstream(hang_up) as upstream:
        task = asyncio.create_task(listen("left", f"http://127.0.0.1:{upstream.port}", lambda event: None, lambda: 1.0))
        await eventually(lambda: len(asked_at) >= 5, within_s=10)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    gaps = [later - earlier for earlier, later in pairwise(asked_at)]
    assert all(gap >= least for gap, least in zip(gaps, (0.02, 0.04, 0.08, 0.16), strict=False))


async def test_nobody_listening_there_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agentapi, "FIRST_WAIT_S", 0.01)
    told: list[AgentEvent] = []
    task = asyncio.create_task(listen("left", "http://127.0.0.1:1", told.append, lambda: 0.0))
    await eventually(lambda: len(told) >= 2, within_s=5)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert all(isinstance(event, AgentLost) for event in told)
