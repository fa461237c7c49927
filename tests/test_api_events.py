"""`GET /api/events` over a real socket: live, resumable, ended by the server's end, and nobody else's burden."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy import events
from proxy.pages import events as page
from tests.processes import DonutProcess
from tests.serving import Donut, config_for
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, eventually, saying

REPLY = answer(b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}')
CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}


async def ask(donut: Donut) -> httpx.Response:
    return await donut.client.post("/v1/chat/completions", json=CHAT)


class Stream:
    """The frames of one open event stream, one by one."""

    def __init__(self, got: httpx.Response) -> None:
        self.response = got
        self._lines: AsyncIterator[str] = got.aiter_lines()

    async def next(self, within_s: float = 5.0) -> dict[str, Any]:
        """The next event: its fields, `data` parsed. Comments and the retry hint pass by."""
        fields: dict[str, Any] = {}
        async with asyncio.timeout(within_s):
            async for line in self._lines:
                if not line and "event" in fields:
                    return {**fields, "data": json.loads(fields["data"])}
                name, _, value = line.partition(": ")
                if name in ("id", "event", "data"):
                    fields[name] = value
        raise AssertionError("the stream has ended")

    async def is_over(self, within_s: float = 5.0) -> bool:
        async with asyncio.timeout(within_s):
            async for line in self._lines:
                assert not line.startswith("event"), line
        return True


def watching(donut: Donut, **headers: str) -> Any:
    return donut.client.stream("GET", "/api/events", headers=headers)


async def begun(donut: Donut) -> None:
    await eventually(lambda: donut.runtime.gateway.events.is_recording)


async def test_events_come_as_they_happen(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(REPLY)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut, watching(donut) as got:
        assert (got.status_code, got.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert got.headers["x-request-id"]
        stream = Stream(got)
        await begun(donut)
        id_ = (await ask(donut)).headers["x-donut-decision"]
        seen = [await stream.next() for _ in range(3)]
        assert [event["event"] for event in seen] == ["PreModelCall", "PostModelCall", "ModelSelectionDiagnostics"]
        assert {event["data"]["id"] for event in seen} == {id_}
        assert seen[0]["data"]["replica_id"] == "p0/up-model"
        told = (await donut.client.get(f"/api/routing/decisions/{id_}")).json()["events"]
        assert [event["event"] for event in told] == [event["event"] for event in seen]
        assert told[1].items() <= seen[1]["data"].items()


async def test_an_attempt_is_announced_before_it_is_answered(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def slowly(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(REPLY)

    async with ScriptedUpstream(slowly) as upstream, Donut(config_for(upstream.port), tmp_path) as donut, watching(donut) as got:
        stream = Stream(got)
        await begun(donut)
        asking = asyncio.create_task(ask(donut))
        early = await stream.next()
        assert early["event"] == "PreModelCall"
        assert not asking.done()
        release.set()
        await asking
        assert (await stream.next())["event"] == "PostModelCall"


async def test_who_comes_back_gets_what_it_missed(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(REPLY)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        async with watching(donut) as got:
            await begun(donut)
            await ask(donut)
            first = await Stream(got).next()
        await donut.wait_for_rows(1)  # so that the first exchange's events are out before the second one's begin
        await ask(donut)
        await donut.wait_for_rows(2)
        async with watching(donut, **{"last-event-id": first["id"]}) as got:
            stream = Stream(got)
            names = [(await stream.next())["event"] for _ in range(5)]
        assert names == ["PostModelCall", "ModelSelectionDiagnostics", "PreModelCall", "PostModelCall", "ModelSelectionDiagnostics"]


async def test_silence_has_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "KEEP_ALIVE_S", 0.02)
    async with Donut(folder=tmp_path, demo=True) as donut, watching(donut) as got:
        lines = got.aiter_lines()
        found = [await anext(lines) for _ in range(4)]
        assert found == ["retry: 2000", "", ": still here", ""]


async def test_the_servers_end_is_told_and_does_not_wait(tmp_path: Path) -> None:
    """uvicorn waits for open answers up to the drain (2 s here) and then breaks them off: this one has to end by itself."""
    donut = Donut(folder=tmp_path, demo=True)
    await donut.__aenter__()
    async with httpx.AsyncClient(base_url=donut.url, trust_env=False) as client, client.stream("GET", "/api/events") as got:
        stream = Stream(got)
        await begun(donut)
        donut._server.should_exit = True
        last = await stream.next()
        assert (last["event"], last["data"]) == ("EventStreamEnded", {"because": "donut is shutting down"})
        assert await stream.is_over()
    await donut.__aexit__(None, None, None)


async def test_a_client_that_leaves_is_forgotten(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        hub = donut.runtime.gateway.events
        async with watching(donut):
            await eventually(lambda: len(hub._listeners) == 1)
        await eventually(lambda: not hub._listeners)


async def test_a_client_that_does_not_read_is_dropped_and_slows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "WAITING_EVENTS", 50)
    monkeypatch.setattr(page, "STUCK_S", 0.2)
    async with ScriptedUpstream(saying(REPLY)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        hub = donut.runtime.gateway.events
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", donut.port))
            deaf.sendall(b"GET /api/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            await begun(donut)
            await ask(donut)
            big = events.Frame(10**9, b"x" * 65_536)
            (listener,) = hub._listeners
            while not listener._is_over:
                listener.offer(big)
                await asyncio.sleep(0)
            assert (await ask(donut)).status_code == 200
            await eventually(lambda: not donut._server.server_state.tasks, within_s=5)
        assert not hub._listeners


async def test_too_many_listeners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LISTENERS_MAX", 1)
    async with Donut(folder=tmp_path, demo=True) as donut, watching(donut):
        await begun(donut)
        got = await donut.client.get("/api/events")
        assert (got.status_code, got.json()["error"]["code"], got.headers["retry-after"]) == (503, "too_many_listeners", "5")


async def test_only_with_a_key(tmp_path: Path) -> None:
    async with Donut("server: {api_keys: [{name: alice, key: k-1}]}", tmp_path) as donut:
        assert (await donut.client.get("/api/events")).status_code == 401


async def test_at_debug_they_are_lines_of_the_log(tmp_path: Path) -> None:
    async with DonutProcess(tmp_path, "log: {level: debug, format: json}", arguments=["--demo"]) as donut:
        got = await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "micro"})
        assert got.status_code == 200
        line = await donut.said("lifecycle", count=2)
        assert (line["name"], line["id"], line["level"]) == ("PostModelCall", got.headers["x-donut-decision"], "debug")
