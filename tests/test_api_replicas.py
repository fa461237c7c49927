"""`GET /api/replicas`: D4 of reference/reliability-requirements.md: each replica's state, reason, until, failures."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

from routing.facts import Failure, FailureKind
from routing.health import failed
from tests.serving import Donut, config_for
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, saying

CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}


async def replicas(donut: Donut) -> dict[str, dict[str, Any]]:
    got = await donut.client.get("/api/replicas")
    assert got.status_code == 200
    return {row["id"]: row for row in got.json()["data"]}


async def test_d4_a_healthy_fleet(tmp_path: Path) -> None:
    async with Donut(config_for(1, 2), tmp_path) as donut:
        row = (await replicas(donut))["p1/up-model"]
        assert (row["state"], row["reason"], row["until"], row["in_flight"], row["ttft_ms"]) == ("healthy", None, None, 0, None)
        assert row["failures"] == {"consecutive": 0, "total": 0, "ejections": 0}
        assert (row["logical_model_id"], row["provider_id"], row["local"]) == ("test-model", "p1", False)
        assert row["price"] == {"input": 1.0, "output": 2.0}


async def test_d4_a_rate_limit_says_why_and_until_when(tmp_path: Path) -> None:
    limited = answer(b'{"error":{"message":"slow down"}}', status=b"429 Too Many Requests", headers=b"retry-after: 30\r\n")
    async with ScriptedUpstream(saying(limited)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await donut.client.post("/v1/chat/completions", json=CHAT)
        row = (await replicas(donut))["p0/up-model"]
        assert row["state"] == "rate_limited"
        assert "slow down" in row["reason"]
        wait_s = datetime.fromisoformat(row["until"]).timestamp() - donut.runtime.gateway.wall()
        assert 25 < wait_s <= 31


async def test_d4_an_ejection_says_why_and_until_when(tmp_path: Path) -> None:
    refused = answer(b'{"error":{"message":"no such key"}}', status=b"401 Unauthorized")
    async with ScriptedUpstream(saying(refused)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await donut.client.post("/v1/chat/completions", json=CHAT)
        row = (await replicas(donut))["p0/up-model"]
        assert (row["state"], row["failures"]) == ("ejected", {"consecutive": 1, "total": 1, "ejections": 1})
        assert row["reason"].startswith("unauthorized: ")
        assert row["until"] is not None
        assert "upstream-secret" not in str(row)


async def test_d4_looking_changes_nothing(tmp_path: Path) -> None:
    """An ejection whose time is over is probation to whoever looks; the replica is only on probation when a decision says so."""
    async with Donut(config_for(1), tmp_path) as donut:
        state = donut.runtime.gateway.serving.router.fleet.state("p0/up-model")
        long_ago = donut.runtime.gateway.now() - 1000
        failed(state.health, Failure(FailureKind.UNAUTHORIZED, "no"), long_ago, was_probe=False)
        before = state.health.health
        row = (await replicas(donut))["p0/up-model"]
        assert (row["state"], row["until"]) == ("probation", None)
        assert state.health.health is before


async def test_d4_what_is_under_way(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def slowly(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(answer(b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'))

    async with ScriptedUpstream(slowly) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        asking = asyncio.create_task(donut.client.post("/v1/chat/completions", json=CHAT))
        while not upstream.requests:
            await asyncio.sleep(0.005)
        row = (await replicas(donut))["p0/up-model"]
        assert (row["in_flight"], row["finished"]) == (1, 0)
        assert row["tokens_reserved"] > 0
        release.set()
        assert (await asking).status_code == 200
        row = (await replicas(donut))["p0/up-model"]
        assert (row["in_flight"], row["finished"], row["tokens_reserved"]) == (0, 1, 0)
