"""`POST /route` and `GET /health`: what clients of RouteLLM-style routers send and read (reference/route-endpoint-and-policies.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import routing.selectors
from config.discovery import discover
from proxy.pages._axes import axis_weights
from proxy.pages.route import objective_for, tier_for
from routing.selectors import Selector
from routing.types import ModelTier, Objective
from tests.api_fleet import FLEET, posted, refused
from tests.serving import Donut

SELECTORS = {selector.name: selector for selector in discover(routing.selectors, "SELECTOR", Selector).values()}
V2 = {
    "model", "selected_model", "strategy", "provider", "objective", "weights", "requested_model", "allowed_models",
    "requested_model_allowed", "fallback_model", "fallback_used", "reason", "difficulty", "prompt_tokens_est", "estimated_cost_per_million",
    "estimated_input_cost_per_million", "estimated_output_cost_per_million", "estimated_prompt_cost_usd", "estimated_speed_tps",
    "candidate_count", "candidate_scores", "router_profile", "router_version",
}  # fmt: skip
SHIM = {"model", "source", "complexity", "routellm_available", "timestamp"}


async def test_both_shapes_are_answered_whole(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        question = {"provider": "codex", "requested_model": "", "prompt": "design a lock-free queue", "prompt_difficulty_score": 90}
        full = await posted(donut, "/route", question)
        assert set(full) >= V2 | SHIM
        assert full["model"] == full["selected_model"]
        assert full["requested_provider"] == "codex"
        shim = await posted(donut, "/route", {"description": "rename a variable"})
        assert shim["model"] in {"tiny", "usual", "big"}
        assert shim["source"] == "donut"
        assert (await posted(donut, "/route", {"prompt": "rename a variable"}))["model"] == shim["model"]


async def test_a_requested_model_that_is_served_is_kept(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        kept = await posted(donut, "/route", {"prompt": "hi", "requested_model": "big", "prompt_tokens_est": 1000})
        assert (kept["model"], kept["strategy"], kept["requested_model_allowed"]) == ("big", "requested_model_allowed", True)
        assert (kept["estimated_input_cost_per_million"], kept["estimated_cost_per_million"]) == (10.0, 14.0)
        assert kept["estimated_prompt_cost_usd"] == pytest.approx(0.01)
        hint = await posted(donut, "/route", {"prompt": "hi", "requested_model": "gpt-9-nobody"})
        assert hint["requested_model_allowed"] is False
        assert hint["requested_model"] == "gpt-9-nobody"


async def test_the_clients_own_difficulty_stands_in_for_a_prompt(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        hard = await posted(donut, "/route", {"prompt_difficulty_score": 95, "prompt_tokens_est": 10_000})
        easy = await posted(donut, "/route", {"prompt_difficulty_score": 30, "prompt_tokens_est": 100})
        assert (hard["model"], hard["objective"], hard["prompt_tokens_est"]) == ("big", "quality", 10_000)
        assert (easy["model"], easy["objective"]) == ("tiny", "cost_speed")


async def test_both_names_of_the_objective(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        for name in ("objective", "optimization_target"):
            told = await posted(donut, "/route", {"prompt": "hi", name: "quality"})
            assert (told["objective"], told["weights"]) == ("quality", {"cost": 0.1, "speed": 0.2, "quality": 0.7})


async def test_at_most_six_scores(tmp_path: Path) -> None:
    many = ", ".join(f"{{upstream: m{number}, model: model-{number}}}" for number in range(9))
    models = ", ".join(f"{{id: model-{number}, tier: mid}}" for number in range(9))
    text = "discovery: {local: false, environment: false}\n"
    text += f"providers: [{{id: p, kind: openai, base_url: 'http://127.0.0.1:1/v1', models: [{many}]}}]\nmodels: [{models}]\n"
    async with Donut(text, tmp_path) as donut:
        told = await posted(donut, "/route", {"requested_model": "mid", "prompt": "hi"})
        assert (told["candidate_count"], len(told["candidate_scores"])) == (9, 6)
        scores = [candidate["score"] for candidate in told["candidate_scores"]]
        assert scores == sorted(scores, reverse=True)
        assert told["candidate_scores"][0]["model"] == told["model"]
        assert told["fallback_model"] != told["model"]


async def test_nobody_can_take_it(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        message = await refused(donut, "/route", {"requested_model": "micro", "prompt_tokens_est": 90_000_000, "prompt": "hi"}, 503)
        assert "context_too_small" in message


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"prompt": 3}, "prompt"),
        ({"prompt_difficulty_score": 101}, "prompt_difficulty_score"),
        ({"prompt_difficulty_score": True}, "prompt_difficulty_score"),
        ({"prompt_tokens_est": "many"}, "prompt_tokens_est"),
        ({"objective": "fun"}, "objective"),
    ],
)
async def test_what_is_wrong_is_said(tmp_path: Path, body: dict[str, Any], names: str) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        assert names in await refused(donut, "/route", body)


async def test_health_says_yes_in_both_ways(tmp_path: Path) -> None:
    async with Donut(FLEET + "routing: {profile: strong}", tmp_path) as donut:
        told = (await donut.client.get("/health")).json()
        assert (told["ok"], told["status"], told["profile"], told["policy_file"]) == (True, "ok", "strong", None)
        assert told["router_version"].startswith("donut ")


async def test_health_says_little_to_strangers(tmp_path: Path) -> None:
    async with Donut(FLEET + "server: {api_keys: [{name: alice, key: k-1}]}", tmp_path) as donut:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            assert (await donut.client.get("/health", headers=headers)).json() == {"status": "ok", "ok": True, "service": "donut"}
        assert "profile" in (await donut.client.get("/health", headers={"x-api-key": "k-1"})).json()


def test_the_references_rule_for_objectives() -> None:
    assert objective_for(0.7, 10, profile="strong") is Objective.QUALITY
    assert objective_for(0.7, 10, profile="fast") is Objective.BALANCED
    assert objective_for(0.1, 9000, profile="balanced") is Objective.QUALITY
    assert objective_for(0.3, 4000, profile="balanced") is Objective.COST_SPEED
    assert objective_for(0.3, 4001, profile="balanced") is Objective.BALANCED


def test_difficulty_in_quarters() -> None:
    assert [tier_for(difficulty) for difficulty in (0.0, 0.25, 0.5, 0.75, 1.0)] == [*ModelTier, ModelTier.FRONTIER]


def test_weights_are_the_selectors_own() -> None:
    assert axis_weights(SELECTORS["quality"], "balanced") == {"cost": 0.1, "speed": 0.2, "quality": 0.7}
    strong, fast = axis_weights(SELECTORS["quality"], "strong"), axis_weights(SELECTORS["quality"], "fast")
    assert strong is not None
    assert fast is not None
    assert strong["quality"] > 0.7 > fast["quality"]
    assert sum(strong.values()) == pytest.approx(1, abs=0.001)


def test_a_front_has_no_weights() -> None:
    assert axis_weights(SELECTORS["pareto"], "balanced") is None
    assert axis_weights(None, "balanced") is None
