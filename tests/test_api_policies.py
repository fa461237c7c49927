"""`GET|POST /api/routing/policies`: what is in force, and what a posted policy is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api_fleet import CHAT, FLEET, posted, refused
from tests.serving import Donut, load_text

POLICIES = "/api/routing/policies"


async def listed(donut: Donut) -> dict[str, dict[str, Any]]:
    got = await donut.client.get(POLICIES)
    assert got.status_code == 200
    return {policy["name"]: policy for policy in got.json()["policies"]}


async def test_the_shipped_ones_and_the_configured_ones(tmp_path: Path) -> None:
    text = FLEET + "policies: [{name: mine, models: [big, small], max_cost: 0.5}]\nrouting: {rules: [{policy: mine, harness: codex}]}\n"
    async with Donut(text, tmp_path) as donut:
        policies = await listed(donut)
        assert set(policies) >= {"normal", "deep_research", "code", "ops", "mine"}
        assert (policies["mine"]["models"], policies["mine"]["max_cost"]) == (["big", "small"], 0.5)
        told = (await donut.client.get(POLICIES)).json()
        assert (told["default"], told["rules"]) == ("normal", [{"policy": "mine", "harness": "codex"}])


async def test_a_posted_policy_is_in_force_and_says_that_it_will_not_last(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        told = await posted(donut, POLICIES, {"name": "mine", "models": ["big"], "objective": "quality"})
        assert (told["success"], told["persisted"]) == (True, False)
        assert "until donut stops" in told["note"]
        kept = load_text(FLEET + told["config"]).settings.policies
        assert [(policy.name, policy.models) for policy in kept] == [("mine", ("big",))]
        assert (await listed(donut))["mine"]["models"] == ["big"]
        record = await posted(donut, "/api/routing/select", CHAT, **{"x-donut-policy": "mine"})
        assert (record["demand"]["policy"], record["logical_model_id"]) == ("mine", "big")


async def test_a_posted_policy_changes_only_what_it_gives_and_outlives_a_reload(tmp_path: Path) -> None:
    text = FLEET + "policies: [{name: mine, models: [big], max_cost: 0.5}]\n"
    async with Donut(text, tmp_path) as donut:
        await posted(donut, POLICIES, {"name": "mine", "max_cost": 0.1})
        await donut.reload(text)
        mine = (await listed(donut))["mine"]
        assert (mine["models"], mine["max_cost"]) == (["big"], 0.1)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "name"),
        ({"name": "mine", "models": ["bigg"]}, "big"),
        ({"name": "mine", "objective": "fun"}, "objective"),
        ({"name": "mine", "wheels": 4}, "wheels"),
        ({"name": "mine", "models": ["${HOME}"]}, "HOME"),
        ({"name": "mine", "max_cost": -1}, "max_cost"),
    ],
)
async def test_what_is_wrong_is_said_and_changes_nothing(tmp_path: Path, body: dict[str, Any], words: str) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        before = await listed(donut)
        message = await refused(donut, POLICIES, body)
        assert words in message
        assert "/root" not in message
        assert await listed(donut) == before


async def test_with_several_clients_nobody_may_change_what_concerns_all(tmp_path: Path) -> None:
    """A posted policy could send another client's prompts elsewhere."""
    one, two = "{name: alice, key: k-1}", "{name: bob, key: k-2}"
    body = {"name": "mine", "models": ["big"]}
    async with Donut(FLEET + f"server: {{api_keys: [{one}, {two}]}}", tmp_path) as donut:
        got = await donut.client.post(POLICIES, json=body, headers={"authorization": "Bearer k-1"})
        assert (got.status_code, got.json()["error"]["code"]) == (403, "policies_are_configured")
        assert "mine" not in (await donut.client.get(POLICIES, headers={"authorization": "Bearer k-2"})).text
    async with Donut(FLEET + f"server: {{api_keys: [{one}]}}", tmp_path) as donut:
        assert (await donut.client.post(POLICIES, json=body, headers={"authorization": "Bearer k-1"})).status_code == 200
