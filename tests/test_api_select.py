"""`POST /api/routing/select`: the decision for a request that is not sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from config.commands.route import COMMAND
from tests.api_fleet import CHAT, FLEET, posted, refused
from tests.serving import Donut, config_for
from tests.upstreams import ScriptedUpstream, answer, saying

SELECT = "/api/routing/select"
REPLY = answer(b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}')


async def test_a_request_as_it_would_be_sent(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        record = await posted(donut, SELECT, {**CHAT, "model": "big"})
        assert (record["kind"], record["replica_id"], record["dry_run"]) == ("dispatch", "there/b", True)
        assert record["estimated_cost_usd"] > 0
        steered = await posted(donut, SELECT, CHAT, **{"x-donut-tier": "frontier"})
        assert steered["replica_id"] == "there/b"


async def test_a_request_with_its_headers_beside_it(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        wrapped = {"request": CHAT, "headers": {"X-Donut-Tier": "frontier"}}
        assert (await posted(donut, SELECT, wrapped))["replica_id"] == "there/b"
        assert (await posted(donut, SELECT, wrapped, **{"x-donut-tier": "small"}))["replica_id"] == "there/b"
        bare = await posted(donut, SELECT, {"request": CHAT}, **{"x-donut-tier": "small"})
        assert bare["target"]["id"] == "small"


async def test_h5_the_whole_conversation_counts(tmp_path: Path) -> None:
    last = {"role": "user", "content": "and now?"}
    long = [{"role": "user", "content": "x" * 30_000}, {"role": "assistant", "content": "y" * 30_000}, last]
    async with Donut(FLEET, tmp_path) as donut:
        short = await posted(donut, SELECT, {"model": "usual", "messages": [last]})
        whole = await posted(donut, SELECT, {"model": "usual", "messages": long})
        assert whole["estimated_cost_usd"] > 10 * short["estimated_cost_usd"]
        assert whole["demand"]["input_tokens"] > 10_000 > short["demand"]["input_tokens"]
        small = await posted(donut, SELECT, {"model": "small", "messages": long})
        assert small["replica_id"] != "here/a"
        assert "context_too_small" in [reject["reason"] for reject in small["rejected_candidates"]]


async def test_the_command_line_says_the_same(tmp_path: Path) -> None:
    """Only for a fleet that has not answered yet: the command knows nothing of what a server has learned."""
    (tmp_path / "donut.yaml").write_text(FLEET)
    async with Donut(FLEET, tmp_path) as donut:
        told = (await donut.client.post(SELECT, content=json.dumps(CHAT), headers={"user-agent": "none"})).json()
    arguments = ["--config", str(tmp_path / "donut.yaml"), "--header", "user-agent: none"]
    result = await asyncio.to_thread(CliRunner().invoke, COMMAND, arguments, json.dumps(CHAT), {"DONUT_DATA": str(tmp_path)})
    assert json.loads(result.stdout) == told


async def test_a_dry_run_leaves_no_trace(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(REPLY)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        for _ in range(3):
            await posted(donut, SELECT, {**CHAT, "model": "test-model"})
        assert (donut.open_reservations, upstream.requests) == (0, [])
        got = await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "test-model"})
        (row,) = await donut.wait_for_rows(1)
        assert row["id"] == got.headers["x-donut-decision"]


async def test_a_dry_run_sees_what_the_server_has_learned(tmp_path: Path) -> None:
    refusing = answer(b'{"error":{"message":"no such key"}}', status=b"401 Unauthorized")
    async with (
        ScriptedUpstream(saying(refusing)) as broken,
        ScriptedUpstream(saying(REPLY)) as sound,
        Donut(config_for(broken.port, sound.port), tmp_path) as donut,
    ):
        await donut.client.post("/v1/chat/completions", json={**CHAT, "model": "test-model"})
        record = await posted(donut, SELECT, {**CHAT, "model": "test-model"})
        assert record["replica_id"] == "p1/up-model"
        (reject,) = record["rejected_candidates"]
        assert reject["reason"] == "ejected"
        assert 0 < reject["until"] - donut.runtime.gateway.wall() < 61


async def test_a_refusal_is_an_answer(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        record = await posted(donut, SELECT, CHAT, **{"x-donut-exclude": "here,there"})
        assert (record["kind"], record["reason"], record["estimated_cost_usd"]) == ("refusal", "excluded", None)


@pytest.mark.parametrize(
    ("body", "replica"),
    [
        ({"tier": "frontier", "use_case": "code"}, "there/b"),
        ({"logical_model_id": "usual"}, "there/c"),
        ({"replica_id": "here/a"}, "here/a"),
    ],
)
async def test_the_three_entry_points(tmp_path: Path, body: dict[str, Any], replica: str) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        assert (await posted(donut, SELECT, body))["replica_id"] == replica
        sized = await posted(donut, SELECT, {**body, "input_tokens": 1000, "output_tokens": 100})
        assert (sized["demand"]["input_tokens"], sized["demand"]["output_tokens"]) == (1000, 100)


async def test_an_entry_point_that_nobody_serves_is_a_refusal(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        record = await posted(donut, SELECT, {"logical_model_id": "nobody"})
        assert (record["kind"], record["reason"]) == ("refusal", "nothing_serves_it")


async def test_a_task_gets_juggernauts_answer(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        told = await posted(donut, SELECT, {"task_id": "t-1", "task_type": "deep_research"})
        assert (told["success"], told["task_id"]) == (True, "t-1")
        selection = told["selection"]
        assert (selection["model"], selection["provider"], selection["policy"]) == ("big", "there", "deep_research")
        assert selection["estimated_cost"] == told["decision"]["estimated_cost_usd"] > 0
        assert (selection["max_tokens"], selection["temperature"]) == (None, None)
        assert (await posted(donut, SELECT, {"task_type": "gardening"}))["selection"]["policy"] == "normal"


async def test_a_task_that_nobody_can_take(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        told = await posted(donut, SELECT, {"task_id": "t-1", "task_type": "ops", "prompt_tokens_est": 90_000_000})
        assert (told["success"], told["selection"], told["decision"]["kind"]) == (False, None, "refusal")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": []}, "model"),
        ({**CHAT, "model": "bigg"}, "Did you mean big?"),
        ({"request": "hi"}, "request"),
        ({"request": CHAT, "dialect": "morse"}, "chat"),
        ({"request": CHAT, "headers": {"x-donut-tier": 3}}, "headers"),
        ({"request": CHAT, "headers": {"x-donut-tier": "huge"}}, "frontier"),
        ({"tier": "huge"}, "frontier"),
        ({"tier": "small", "use_case": "gardening"}, "embed"),
        ({"replica_id": "here/a", "input_tokens": -1}, "input_tokens"),
        ({"task_type": 3}, "task_type"),
    ],
)
async def test_what_is_wrong_is_said(tmp_path: Path, body: object, words: str) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        got = await donut.client.post(SELECT, json=body)
        assert got.status_code in (400, 404)
        assert words in got.json()["error"]["message"]


async def test_bodies_are_bounded_and_must_be_objects(tmp_path: Path) -> None:
    async with Donut(FLEET + "server: {body_limit_mb: 0.001}", tmp_path) as donut:
        assert "larger" in await refused(donut, SELECT, {"model": "auto", "messages": "x" * 2000}, 413)
        assert "object" in await refused(donut, SELECT, [1])
        got = await donut.client.post(SELECT, content=b"{")
        assert (got.status_code, got.json()["error"]["code"]) == (400, "invalid_json")


async def test_only_with_a_key(tmp_path: Path) -> None:
    async with Donut(FLEET + "server: {api_keys: [{name: alice, key: k-1, policy: deep_research}]}", tmp_path) as donut:
        for path in (SELECT, "/route", "/v1/routing/select", "/api/routing/policies"):
            assert (await donut.client.post(path, json=CHAT)).status_code == 401
        record = await posted(donut, SELECT, CHAT, authorization="Bearer k-1")
        assert record["demand"]["policy"] == "deep_research"
