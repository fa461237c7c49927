"""Thresholds of budgets: told in the log, at `/api/events` and to the webhook, each once per window."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from structlog.testing import capture_logs

from proxy.alerts import EVENT, BudgetAlerts, fields
from proxy.events import EventHub
from routing.headroom.alerts import Alert
from routing.headroom.limits import Limit, OnExceed, Scope
from routing.headroom.types import Unit, Window
from tests.serving import Donut, config_for
from tests.test_budgets_serving import chat, used
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, eventually, saying

SECRET = "T0/B0/canary-of-a-webhook"
OK = answer(b"ok")


def config(upstream: ScriptedUpstream, hook: ScriptedUpstream, cost: float = 1.0) -> str:
    budget = f"{{window: day, cost: {cost}, on_exceed: alert, webhook: 'http://127.0.0.1:{hook.port}/{SECRET}'}}"
    return config_for(upstream.port, more=f"budgets: [{budget}]")


def posted(hook: ScriptedUpstream) -> list[float]:
    return [json.loads(request.body)["threshold"] for request in hook.requests]


async def test_each_threshold_once_and_nobody_is_stopped(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(100_000, 0))) as upstream, ScriptedUpstream(saying(OK)) as hook:
        async with Donut(config(upstream, hook), tmp_path) as donut:
            with capture_logs() as lines:
                for _ in range(13):
                    assert (await chat(donut)).status_code == 200
                await eventually(lambda: len(hook.requests) == 3, 3)
                # Another config makes other counters' ceilings: no reason to tell it all again.
                await donut.reload(config(upstream, hook) + "log: {level: info}")
                await chat(donut)
                await donut.wait_for_rows(14)
            assert posted(hook) == [0.5, 0.8, 1.0]
            body = json.loads(hook.requests[0].body)
            assert (body["event"], body["scope"], body["limit"], body["window"]) == (EVENT, "all", 1.0, "day")
            assert body["text"].startswith("donut: all has used $0.50 of $1.00 per day (50% passed, budgets[0].cost)")
            said = [line for line in lines if line["event"] == "budget_threshold_passed"]
            assert [line["threshold"] for line in said] == [0.5, 0.8, 1.0]
            assert "canary" not in str(lines)
            assert "canary" not in (await donut.client.get("/api/headroom")).text
        async with Donut(config(upstream, hook), tmp_path) as donut:
            await chat(donut)
            await donut.wait_for_rows(15)
            await asyncio.sleep(0.2)
            assert posted(hook) == [0.5, 0.8, 1.0], "the process before told them"


async def test_a_raised_budget_has_thresholds_of_its_own(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(used(600_000, 0))) as upstream,
        ScriptedUpstream(saying(OK)) as hook,
        Donut(config(upstream, hook), tmp_path) as donut,
    ):
        await chat(donut)
        await eventually(lambda: posted(hook) == [0.5], 3)
        await donut.reload(config(upstream, hook, 2.0))
        await chat(donut)
        await eventually(lambda: posted(hook) == [0.5, 0.5], 3)


async def test_listeners_of_api_events_are_told(tmp_path: Path) -> None:
    more = "budgets: [{window: day, cost: 1}]"
    async with ScriptedUpstream(saying(used(900_000, 0))) as upstream, Donut(config_for(upstream.port, more=more), tmp_path) as donut:

        async def listen() -> dict[str, Any]:
            async with donut.client.stream("GET", "/api/events") as stream:
                named = False
                async for line in stream.aiter_lines():
                    if named:
                        data: dict[str, Any] = json.loads(line.removeprefix("data: "))
                        return data
                    named = line == f"event: {EVENT}"
            raise AssertionError("the stream ended")

        listening = asyncio.create_task(listen())
        await eventually(lambda: donut.runtime.gateway.events.is_recording, 3)
        await chat(donut)
        async with asyncio.timeout(5):
            said = await listening
        assert (said["event"], said["threshold"], said["on_exceed"]) == (EVENT, 0.8, "degrade")


async def test_a_webhook_that_fails_is_tried_again_and_then_given_up() -> None:
    answers: list[bytes] = [answer(b"", status=b"503 Busy"), answer(b"", status=b"503 Busy"), OK, answer(b"", status=b"404 Gone")]

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0) if answers else answer(b"", status=b"500 Broken"))

    async with ScriptedUpstream(handle) as hook:
        url = f"http://127.0.0.1:{hook.port}/{SECRET}"
        alerts = BudgetAlerts(EventHub(lambda: 0.0), lambda: 0.0, {"a": url, "b": url, "c": "http://127.0.0.1:1/" + SECRET}, (0.0, 0.0))
        running = asyncio.create_task(alerts.run())
        with capture_logs() as lines:
            alerts.tell([passed("a", 0.5)])
            await eventually(lambda: len(hook.requests) == 3)
            alerts.tell([passed("b", 0.5)])
            await eventually(lambda: len(hook.requests) == 4)
            alerts.tell([passed("b", 0.8)])
            await eventually(lambda: len(hook.requests) == 7)
            alerts.tell([passed("c", 0.8)])
            await eventually(lambda: len(failures(lines)) == 3)
        running.cancel()
        await asyncio.wait([running])
        assert [line["why"] for line in failures(lines)] == ["HTTP 404", "HTTP 500", "ConnectError"]
        assert "canary" not in str(lines)


def failures(lines: Sequence[Any]) -> list[Any]:
    return [line for line in lines if line["event"] == "budget_webhook_failed"]


def passed(source: str, threshold: float, key: str = "all", *, calendar: bool = False) -> Alert:
    limit = Limit(Scope.ALL, "*", Unit.COST, Window.DAY, 1.0, source, OnExceed.ALERT, calendar=calendar, alert_at=(0.5, 0.8))
    return Alert(limit, key, threshold, threshold, 0.0)


def test_a_threshold_is_news_again_in_the_next_window() -> None:
    wall_s = 1795262400.0  # 2026-11-21 12:00 UTC
    alerts = BudgetAlerts(EventHub(lambda: 0.0), lambda: wall_s, {})

    def told(alert: Alert) -> bool:
        with capture_logs() as lines:
            alerts.tell([alert])
        return bool(lines)

    assert told(passed("a", 0.5))
    assert told(passed("b", 0.5, calendar=True))
    assert told(passed("a", 0.5, "key:alice")), "somebody else's"
    wall_s += 11 * 3600
    assert not told(passed("a", 0.5))
    assert not told(passed("b", 0.5, calendar=True))
    wall_s += 2 * 3600
    assert not told(passed("a", 0.5)), "a rolling day later, not a calendar's"
    assert told(passed("b", 0.5, calendar=True))
    wall_s += 12 * 3600
    assert told(passed("a", 0.5))


def test_more_alerts_than_anybody_posts_are_dropped_and_said() -> None:
    alerts = BudgetAlerts(EventHub(lambda: 0.0), lambda: 0.0, {"a": "http://127.0.0.1:1/"})
    with capture_logs() as lines:
        alerts.tell([passed("a", 0.5, f"session:{number}") for number in range(300)])
    assert sum(line["event"] == "budget_webhook_dropped" for line in lines) == 300 - 256


def test_what_is_told() -> None:
    limit = Limit(Scope.CLIENT, "*", Unit.TOKENS, Window.HOUR, 10_000, "budgets[1].tokens", OnExceed.REFUSE, alert_at=(0.8,))
    said = fields(Alert(limit, "key:alice", 0.8, 8123, 0.0), 0.0)
    assert said["text"] == (
        "donut: key:alice has used 8,123 tokens of 10,000 tokens per hour (80% passed, budgets[1].tokens); "
        "requests that would exceed it are refused"
    )
    assert httpx.Request("POST", "http://x/", json=said).content
