"""`GET /api/headroom` and `donut headroom`: every limit as it stands; and a replica that a person declares well again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from config.cli import cli
from routing.facts import LimitsReported
from routing.headroom.types import ReportedLimit, ReportedScope, Unit
from tests.serving import Donut, config_for
from tests.test_budgets_serving import CHAT, chat, used
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, eventually, saying

MORE = """
budgets: [{window: day, cost: 2}, {scope: key, window: hour, tokens: 1000000, on_exceed: refuse}]
server: {api_keys: [{name: ci, key: a-long-key}]}
"""
KEY = {"x-api-key": "a-long-key"}


def limited(port: int, more: str = MORE) -> str:
    return config_for(port, port, more=more).replace("id: p0,", "id: p0, headroom: {5h: {requests: 4}},")


async def test_every_limit_with_all_that_is_known(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(400_000, 50_000))) as upstream, Donut(limited(upstream.port), tmp_path) as donut:
        router = donut.runtime.gateway.serving.router
        reported = ReportedLimit("tokens", Unit.TOKENS, ReportedScope.ACCOUNT, 60.0, 1000, 250, resets_in_s=30)
        router.observe(LimitsReported("p1/up-model", (reported,)), donut.runtime.gateway.now())
        got = await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "p0/up-model"}, headers=KEY)
        assert got.status_code == 200
        told = (await donut.client.get("/api/headroom", headers=KEY)).json()
    rows = {(row["scope"], row["id"], row["source"]): row for row in told["data"]}
    assert set(rows) == {
        ("all", None, "budgets[0].cost"),
        ("key", "ci", "budgets[1].tokens"),
        ("provider", "p0", "providers[0].headroom.5h.requests"),
        ("provider", "p1", "tokens"),
    }
    budget = rows["all", None, "budgets[0].cost"]
    assert (budget["unit"], budget["window"], budget["most"], budget["used"], budget["left"]) == ("cost", "day", 2.0, 0.5, 1.5)
    assert (budget["share"], budget["reserved"], budget["confidence"], budget["on_exceed"]) == (0.75, 0.0, "counted", "degrade")
    assert 86_000 < budget["resets_in_s"] <= 86_400
    assert budget["lasts_s"] == pytest.approx(3 * 10_800)
    vendor = rows["provider", "p1", "tokens"]
    assert (vendor["confidence"], vendor["left"], vendor["on_exceed"]) == ("header", 250, "enforced by the provider")
    assert vendor["age_s"] >= 0
    shares = {each["id"]: each["share"] for each in told["replicas"]}
    assert shares["p0/up-model"] == 0.75
    assert shares["p1/up-model"] == pytest.approx(0.25, abs=0.05)


async def test_who_holds_what(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def slowly(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(used(20, 10))

    async with ScriptedUpstream(slowly) as upstream, Donut(limited(upstream.port), tmp_path) as donut:
        asking = asyncio.create_task(donut.client.post("/v1/chat/completions", json={**CHAT, "model": "p0/up-model"}, headers=KEY))
        await eventually(lambda: donut.open_reservations == 1)
        told = (await donut.client.get("/api/headroom", headers=KEY)).json()
        (holder,) = told["holders"]
        assert (holder["replica_id"], holder["of"]) == ("p0/up-model", ["provider:p0", "all", "key:ci"])
        assert holder["tokens"] > 0
        assert holder["cost_usd"] > 0
        assert {row["source"]: row["reserved"] for row in told["data"]}["providers[0].headroom.5h.requests"] == 1
        release.set()
        assert (await asking).status_code == 200
        assert (await donut.client.get("/api/headroom", headers=KEY)).json()["holders"] == []


async def test_a_donut_without_limits(tmp_path: Path) -> None:
    async with Donut(config_for(1), tmp_path) as donut:
        told = (await donut.client.get("/api/headroom")).json()
        assert (told["data"], told["holders"]) == ([], [])
        assert told["replicas"] == [{"id": "p0/up-model", "share": 1.0, "tightest": None}]
        assert (await donut.client.get("/api/headroom?wat=1")).status_code == 400
        result = await command(donut, tmp_path)
        assert result.exit_code == 0
        assert "No limit is configured" in result.stdout


async def command(donut: Donut, folder: Path, *args: str, key: str | None = "a-long-key") -> Result:
    file = folder / "donut.yaml"
    file.write_text(f"server: {{port: {donut.port}}}\n")
    runner = CliRunner(env={"DONUT_KEY": key} if key else {"DONUT_KEY": None})
    return await asyncio.to_thread(runner.invoke, cli, ["headroom", "--config", str(file), *args])


async def test_the_command_shows_bars_forecast_and_confidence(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(used(400_000, 50_000))) as upstream, Donut(limited(upstream.port), tmp_path) as donut:
        await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "p0/up-model"}, headers=KEY)
        shown = (await command(donut, tmp_path)).stdout
        bar = "█" * 12 + "░" * 4 + "  75%"
        for words in ("everybody", "$2.00 per day (budgets[0].cost)", bar, "9 h", "counted", "degrade", "key ci", "p0/up-model"):
            assert words in shown, words
        told = json.loads((await command(donut, tmp_path, "--json")).stdout)
        assert {"data", "replicas", "holders"} <= told.keys()
        refused = await command(donut, tmp_path, key=None)
        assert (refused.exit_code, "export DONUT_KEY" in refused.stderr) == (1, True)
    gone = await command(donut, tmp_path)
    assert (gone.exit_code, "no donut answers" in gone.stderr) == (1, True)


async def test_d4_a_person_may_say_that_a_replica_is_well(tmp_path: Path) -> None:
    answers = [answer(b'{"error":{"message":"slow"}}', status=b"429 Too Many Requests", headers=b"retry-after: 300\r\n")]

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop() if answers else used(20, 10))

    async with ScriptedUpstream(handle) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        assert [(await chat(donut)).status_code for _ in range(2)] == [429, 429]
        assert len(upstream.requests) == 1
        got = await donut.client.post("/api/replicas/p0/up-model/reset")
        assert (got.status_code, got.json()["state"], got.json()["until"]) == (200, "healthy", None)
        assert (await chat(donut)).status_code == 200
        wrong = await donut.client.post("/api/replicas/p0/up-modle/reset")
        assert wrong.status_code == 404
        assert "Did you mean p0/up-model?" in wrong.json()["error"]["message"]
        assert (await donut.client.get("/api/replicas/p0/up-model/reset")).status_code == 405
