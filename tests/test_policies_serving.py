"""Policies in a whole donut: header, model name, key, rule and default in that order; named models are nobody's business."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Donut

CONFIG = """
discovery: {local: false, environment: false}
server:
  api_keys:
    - {name: bound, key: key-of-bound, policy: to-small}
    - {name: free, key: key-of-free}
policies:
  - {name: to-micro, models: [micro]}
  - {name: to-small, models: [small]}
  - {name: to-mid, models: [mid]}
  - {name: to-frontier, models: [frontier], tiers: {embed: micro}}
  - {name: unserved, models: [gpt-6-astra, small]}
  - {name: penniless, models: [frontier], max_cost: 0}
routing:
  policy: to-mid
  rules: [{policy: to-frontier, harness: curl, model: "auto*"}]
  rewrites: {"gpt-*": "policy:to-micro"}
"""
"""Served by the simulated fleet: with one model per tier, the tier of the answer says which policy it was."""


@pytest.fixture
async def donut(tmp_path: Path) -> AsyncIterator[Donut]:
    async with Donut(CONFIG, tmp_path) as running:
        yield running


async def ask(donut: Donut, model: str = "auto", key: str = "key-of-free", **headers: str) -> httpx.Response:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": f"Say hello to {sorted(headers)} and {key}."}]}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await donut.client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}", **named})


@pytest.mark.parametrize(
    ("request_", "tier"),
    [
        ({}, "mid"),
        ({"user_agent": "curl/8"}, "frontier"),
        ({"user_agent": "curl/8", "model": "auto:cost"}, "frontier"),
        ({"user_agent": "curl/8", "key": "key-of-bound"}, "small"),
        ({"user_agent": "curl/8", "key": "key-of-bound", "model": "policy:to-micro"}, "micro"),
        ({"model": "donut/policy:to-micro"}, "micro"),
        ({"model": "to-micro"}, "micro"),
        ({"model": "policy:to-micro", "x_donut_policy": "to-frontier"}, "frontier"),
        ({"model": "gpt-of-somebody"}, "micro"),
        ({"x_donut_policy": "unserved"}, "small"),
        ({"x_donut_policy": "to-micro", "x_donut_tier": "frontier"}, "frontier"),
        # What a client names is asked, whatever any policy says.
        ({"key": "key-of-bound", "model": "sim-frontier", "x_donut_policy": "to-micro"}, "frontier"),
    ],
)
async def test_who_decides(donut: Donut, request_: dict[str, str], tier: str) -> None:
    answer = await ask(donut, **request_)
    assert (answer.status_code, answer.headers["x-donut-tier"]) == (200, tier)


async def test_an_unknown_policy_is_the_clients_mistake(donut: Donut) -> None:
    answer = await ask(donut, x_donut_policy="nobody")
    assert answer.status_code == 400
    assert "to-small" in answer.json()["error"]["message"]


async def test_a_ceiling_is_kept(donut: Donut) -> None:
    """The simulated frontier costs money: nothing is what it may cost."""
    answer = await ask(donut, x_donut_policy="penniless", x_donut_local="disabled")
    assert answer.status_code >= 400
    assert "x-donut-replica" not in answer.headers


async def test_the_answer_says_why(donut: Donut) -> None:
    answer = await ask(donut, key="key-of-bound", x_donut_debug="1")
    assert "the key bound has it" in answer.headers["x-donut-because"]


async def test_embeddings_pass_by_the_stages_of_a_policy(donut: Donut) -> None:
    headers = {"authorization": "Bearer key-of-free", "x-donut-policy": "to-frontier"}
    answer = await donut.client.post("/v1/embeddings", json={"model": "auto", "input": "words"}, headers=headers)
    assert (answer.status_code, answer.headers["x-donut-model"]) == (200, "sim-embed")
