"""Budgets through a whole donut: what is refused, degraded and told, and what is never refused."""

from __future__ import annotations

import asyncio
import functools
import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Donut, config_for
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, eventually, saying

CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
MESSAGES = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}


def used(input_: int, output: int) -> bytes:
    """An answer that reports these tokens. The test model costs $1 and $2 per million."""
    usage = {"prompt_tokens": input_, "completion_tokens": output, "total_tokens": input_ + output}
    message = {"role": "assistant", "content": "hi"}
    body = {"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
    return answer(json.dumps(body).encode(), headers=b"content-type: application/json\r\n")


async def chat(donut: Donut, **more: Any) -> httpx.Response:
    return await donut.client.post("/v1/chat/completions", json={**CHAT, **more})


async def counted(donut: Donut) -> float:
    """USD that the first budget has counted as used."""
    rows = (await donut.client.get("/api/headroom")).json()["data"]
    (found,) = [row for row in rows if row["source"] == "budgets[0].cost"]
    return float(found["used"])


async def test_no_budget_is_never_a_402_or_429(tmp_path: Path) -> None:
    """C5: without a budget nothing is ever refused for money, whatever was spent."""
    async with ScriptedUpstream(saying(used(10_000_000, 10_000_000))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        assert [(await chat(donut)).status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)])
async def test_a_budget_that_refuses_says_what_how_much_and_until_when(tmp_path: Path, path: str, body: dict[str, Any]) -> None:
    more = "budgets: [{scope: all, window: hour, cost: 0.5, on_exceed: refuse}]"
    async with ScriptedUpstream(saying(used(500_000, 0))) as upstream, Donut(config_for(upstream.port, more=more), tmp_path) as donut:
        assert (await chat(donut)).status_code == 200
        got = await donut.client.post(path, json=body)
        assert got.status_code == 402
        message = got.json()["error"]["message"]
        assert "budgets[0].cost: $0.50 per hour for all, $0 left" in message
        assert "There will be room again in about 1 h" in message or "59 min" in message
        assert 3500 < int(got.headers["retry-after"]) <= 3600
        assert got.json()["error"]["type"] == ("billing_error" if path == "/v1/messages" else "insufficient_quota")
        assert ("type" in got.json()) is (path == "/v1/messages")
        assert len(upstream.requests) == 1
        await donut.wait_for_rows(2)
        assert donut.rows()[1]["error_code"] == "budget_exceeded"


async def test_tokens_and_requests_are_a_429(tmp_path: Path) -> None:
    more = "budgets: [{scope: session, window: minute, requests: 9, on_exceed: refuse}, {window: day, tokens: 5000, on_exceed: refuse}]"
    async with ScriptedUpstream(saying(used(4990, 10))) as upstream, Donut(config_for(upstream.port, more=more), tmp_path) as donut:
        assert (await chat(donut)).status_code == 200
        got = await chat(donut)
        assert (got.status_code, got.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert "budgets[1].tokens: 5,000 tokens per day for all, 0 tokens left" in got.json()["error"]["message"]


async def test_c1_concurrent_first_requests_admit_what_fits(tmp_path: Path) -> None:
    """C1: 200 at once, and room for what 37 are expected to need."""
    release = asyncio.Event()

    async def slowly(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(used(20, 10))

    async with ScriptedUpstream(slowly) as upstream:
        async with Donut(config_for(upstream.port), tmp_path) as donut:
            decision = await donut.client.post("/api/routing/select", json=CHAT)
            demand = decision.json()["demand"]
            tokens = demand["input_tokens"] + min(demand["output_tokens"], 10)
        more = f"budgets: [{{window: hour, tokens: {37 * tokens}, on_exceed: refuse}}]"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut:
            asking = [asyncio.create_task(chat(donut)) for _ in range(200)]
            while sum(task.done() for task in asking) < 163:
                await asyncio.sleep(0.005)
            release.set()
            statuses = sorted([(await task).status_code for task in asking])
            assert statuses == [200] * 37 + [429] * 163
            assert donut.open_reservations == 0


async def test_c4_a_request_that_one_limit_rejects_is_charged_to_none(tmp_path: Path) -> None:
    more = "budgets: [{window: day, tokens: 1000000, on_exceed: refuse}, {window: request, cost: 0.000001, on_exceed: refuse}]"
    async with ScriptedUpstream(saying(used(20, 10))) as upstream, Donut(config_for(upstream.port, more=more), tmp_path) as donut:
        got = await chat(donut)
        assert got.status_code == 402
        assert "This request never fits it" in got.json()["error"]["message"]
        assert "retry-after" not in got.headers
        rows = (await donut.client.get("/api/headroom")).json()["data"]
        assert [(row["used"], row["reserved"]) for row in rows if row["source"] == "budgets[0].tokens"] == [(0, 0)]


def near_and_dear(near: int, dear: int, more: str = "") -> str:
    """A small local model and a dear one."""
    return f"""
discovery: {{local: false, environment: false}}
providers:
  - id: box
    kind: openai
    base_url: 'http://127.0.0.1:{near}/v1'
    local: true
    models: [{{upstream: n, model: near, price: {{input: 0, output: 0}}}}]
  - id: cloud
    kind: openai
    base_url: 'http://127.0.0.1:{dear}/v1'
    api_key: k
    models: [{{upstream: d, model: dear, price: {{input: 1, output: 2}}}}]
models: [{{id: near, tier: small, quality: 0.5}}, {{id: dear, tier: mid, quality: 0.9}}]
{more}
"""


async def test_a_budget_that_degrades_takes_what_is_cheaper_and_says_so(tmp_path: Path) -> None:
    more = "routing: {objective: quality, weights: {local: 0}}\nbudgets: [{window: day, cost: 0.5}]"
    async with (
        ScriptedUpstream(saying(used(20, 10))) as near,
        ScriptedUpstream(saying(used(500_000, 0))) as dear,
        Donut(near_and_dear(near.port, dear.port, more), tmp_path) as donut,
    ):
        first = await chat(donut, model="mid")
        assert (first.headers["x-donut-replica"], "x-donut-degraded" in first.headers) == ("cloud/d", False)
        second = await chat(donut, model="mid")
        assert second.headers["x-donut-replica"] == "box/n"
        assert second.headers["x-donut-degraded"].startswith("budgets[0].cost: $0.50 per day for all, $0 left")
        rows = await donut.wait_for_rows(2)
        assert any("a budget asks for cheaper ones" in reason for reason in json.loads(rows[1]["decision"])["notes"])
        named = await chat(donut, model="dear")
        assert named.status_code == 402, "a model that was named is never replaced"
        assert "Nothing free or cheaper" in named.json()["error"]["message"]


async def test_an_unknown_price_counts_as_nothing_or_is_refused_as_the_budget_says(tmp_path: Path) -> None:
    """B7: budgets act by stated policy."""

    def config(port: int, unpriced: str) -> str:
        plain = config_for(port, more=f"budgets: [{{window: day, cost: 1, on_exceed: refuse, unpriced: {unpriced}}}]")
        return plain.replace(", price: {input: 1, output: 2}", "")

    async with ScriptedUpstream(saying(used(20, 10))) as upstream, Donut(config(upstream.port, "allow"), tmp_path) as donut:
        assert (await chat(donut)).status_code == 200
        await donut.wait_for_rows(1)
        assert donut.rows("attempts")[0]["cost_usd"] is None
        await donut.reload(config(upstream.port, "refuse"))
        got = await chat(donut)
        assert got.status_code == 402
        assert "price" in got.json()["error"]["message"]


async def test_a_provider_s_ceiling_sends_requests_elsewhere(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(20, 10))) as first, ScriptedUpstream(saying(used(20, 10))) as second:
        config = config_for(first.port, second.port).replace("id: p0,", "id: p0, headroom: {hour: {requests: 2}},")
        async with Donut(config, tmp_path) as donut:
            for _ in range(6):
                assert (await chat(donut)).status_code == 200
            assert len(first.requests) <= 2
            assert len(second.requests) >= 4


async def test_c3_a_thousand_random_cancels_leave_nothing_behind(tmp_path: Path) -> None:
    chance = random.Random(3)
    more = "budgets: [{window: day, cost: 1000, on_exceed: refuse}, {scope: session, window: hour, requests: 100000, on_exceed: refuse}]"

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(chance.random() * 0.04)
        writer.write(used(1000, 100))

    async with ScriptedUpstream(handle) as upstream, Donut(config_for(upstream.port, more=more), tmp_path) as donut:
        for _ in range(25):
            asking = [asyncio.create_task(chat(donut)) for _ in range(40)]
            for task in asking:
                asyncio.get_running_loop().call_later(chance.random() * 0.08, task.cancel)
            await asyncio.wait(asking)
        await eventually(lambda: donut.in_flight == 0, 5)
        assert donut.open_reservations == 0
        told = (await donut.client.get("/api/headroom")).json()
        assert {row["reserved"] for row in told["data"]} == {0}
        assert told["holders"] == []
        await eventually(lambda: donut.runtime.journal.snapshot().pending == 0, 5)
        spent = sum(row["cost_usd"] or 0 for row in donut.rows("attempts"))
        assert spent > 0
        assert await counted(donut) == pytest.approx(spent, abs=1e-5)


@pytest.mark.parametrize("ends", ["cancel", "error", "ok"])
async def test_c2_c3_nothing_stays_reserved_however_it_ends(tmp_path: Path, ends: str) -> None:
    """C2, C3: after success, error and disconnect nothing is held, and what is counted is what the journal says."""
    more = "budgets: [{window: day, cost: 5, on_exceed: refuse}]\nrouting: {retry: {max_attempts: 1}}"

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if ends == "error":
            writer.write(answer(b'{"error": {"message": "no"}}', status=b"400 Bad Request"))
        elif ends == "ok":
            writer.write(used(1000, 100))
        await writer.drain()

    async with ScriptedUpstream(handle) as upstream, Donut(config_for(upstream.port, more=more), tmp_path) as donut:

        def has_asked(times: int) -> bool:
            return len(upstream.requests) == times

        for number in range(1, 11):
            asking = asyncio.create_task(chat(donut))
            if ends == "cancel":
                await eventually(functools.partial(has_asked, number), 5)
                asking.cancel()
            await asyncio.wait([asking])
        await donut.wait_for_rows(10)
        assert donut.open_reservations == 0
        rows = (await donut.client.get("/api/headroom")).json()
        assert [row["reserved"] for row in rows["data"]] == [0]
        assert rows["holders"] == []
        spent = sum(row["cost_usd"] or 0 for row in donut.rows("attempts"))
        assert await counted(donut) == pytest.approx(spent, abs=1e-7)
