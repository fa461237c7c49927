"""`GET /v1/models` in the shapes that clients expect, judged by the SDKs' own models; and what is promised of each name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from proxy.offers import Offer, offers
from proxy.pages._model_lists import anthropic_list, gemini_list
from tests.serving import Donut

FLEET = """
discovery: {local: false, environment: false}
providers:
  - {id: here, kind: ollama, base_url: 'http://127.0.0.1:1/v1', models: [{upstream: q, model: coder}, {upstream: t, model: tiny}]}
  - {id: there, kind: openai, base_url: 'http://127.0.0.1:2/v1', models: [{upstream: q2, model: coder}, {upstream: e, model: embedder}]}
models:
  - {id: coder, tier: mid, context_window: 64000, max_output: 8000, capabilities: [tools, reasoning]}
  - {id: tiny, tier: micro, context_window: 4000, capabilities: [tools]}
  - {id: embedder, tier: small, use_cases: [embed], capabilities: [embeddings], context_window: 2000}
"""
STEERING = ["auto", "auto:cost", "auto:speed", "auto:quality", "micro", "small", "mid", "frontier"]
MODELS = ["coder", "embedder", "tiny"]
REPLICAS = {"here/q", "here/t", "there/q2", "there/e"}
CODEX_DEMANDS = {
    "slug",
    "display_name",
    "description",
    "base_instructions",
    "minimal_client_version",
    "visibility",
    "default_reasoning_level",
    "context_window",
    "max_context_window",
    "priority",
    "supported_reasoning_levels",
}
"""reference/cliproxyapi-routes.md §8."""


async def asked(donut: Donut, path: str, **headers: str) -> Any:
    got = await donut.client.get(path, headers=headers)
    assert got.status_code == 200, got.text
    return got.json()


async def test_the_openai_sdk_lists_and_retrieves(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut, AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="k", max_retries=0) as client:
        listed = (await client.models.list()).data
        assert [model.id for model in listed[:11]] == STEERING + MODELS
        assert {model.id for model in listed[11:]} == REPLICAS
        for model in listed:
            type(model).model_validate(model.model_dump(), strict=True)
            assert (await client.models.retrieve(model.id)).id == model.id


async def test_the_anthropic_sdk_lists_and_retrieves(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut, AsyncAnthropic(base_url=donut.url, api_key="k", max_retries=0) as client:
        listed = [model async for model in client.models.list()]
        assert [model.id for model in listed[:10]] == [*STEERING, "coder", "tiny"]
        assert "embedder" not in {model.id for model in listed}
        for model in listed:
            type(model).model_validate_json(model.model_dump_json(), strict=True)
        one = await client.models.retrieve("coder")
        assert (one.display_name, one.max_input_tokens, one.max_tokens) == ("coder", 64000, 8000)
        paged = [model.id async for model in client.models.list(limit=3)]
        assert paged == [model.id for model in listed]


@pytest.mark.parametrize(
    "headers",
    [{"anthropic-version": "2023-06-01"}, {"user-agent": "claude-cli/2.1.329 (external, cli)"}, {"user-agent": "claude-code/2.1.329"}],
)
async def test_who_gets_anthropics_shape(headers: dict[str, str], tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        answer = await asked(donut, "/v1/models?limit=1000", **headers)
        assert answer["data"][0] | {"id": "auto", "type": "model"} == answer["data"][0]
        assert (answer["has_more"], answer["first_id"], answer["last_id"]) == (False, "auto", answer["data"][-1]["id"])
        assert "object" not in answer


async def test_codex_gets_its_catalogue(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        answer = await asked(donut, "/v1/models?client_version=0.169.0", **{"anthropic-version": "its version goes first"})
        models = {model["slug"]: model for model in answer["models"]}
        assert len(models) == len(answer["models"])
        assert list(models)[:10] == [*STEERING, "coder", "tiny"]
        for model in models.values():
            assert model.keys() >= CODEX_DEMANDS
            assert all(model[name] not in (None, "", []) for name in CODEX_DEMANDS)
            assert model["prefer_websockets"] is False
            assert 0 < model["context_window"] <= model["max_context_window"]
            levels = [level["effort"] for level in model["supported_reasoning_levels"]]
            assert model["default_reasoning_level"] in levels
            assert model["visibility"] in ("list", "hide")
        assert [model["priority"] for model in models.values()] == sorted(model["priority"] for model in models.values())
        assert models["coder"]["supports_reasoning_summaries"] is True
        assert models["tiny"]["supports_reasoning_summaries"] is False
        assert (await asked(donut, "/backend-api/codex/models?client_version=0.169.0")) == answer


async def test_gemini_lists(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        listed = (await asked(donut, "/v1beta/models"))["models"]
        assert [model["name"] for model in listed[:10]] == [f"models/{name}" for name in [*STEERING, "coder", "tiny"]]
        assert (await asked(donut, "/v1beta/models/coder"))["inputTokenLimit"] == 64000
        assert "countTokens" in listed[0]["supportedGenerationMethods"]
        assert (await donut.client.get("/v1beta/models/nobody")).status_code == 404
        first = await asked(donut, "/v1beta/models?pageSize=8")
        rest = await asked(donut, f"/v1beta/models?pageSize=50&pageToken={first['nextPageToken']}")
        assert first["models"] + rest["models"] == listed
        assert "nextPageToken" not in rest


class TestWindows:
    async def test_the_smallest_replica_counts(self, tmp_path: Path) -> None:
        """CLIProxyAPI's issue 4126: a local replica is smaller than the model is elsewhere."""
        found = FLEET.replace("{upstream: q, model: coder}", "{upstream: q, model: coder, context_window: 16000}")
        async with Donut(found, tmp_path) as donut:
            catalog = donut.runtime.gateway.serving.router.catalog
            windows = {offer.name: offer.context_window for offer in offers(catalog)}
            assert windows["coder"] == 16000
            assert windows["there/q2"] == 64000

    async def test_open_names_promise_what_a_usual_turn_meets(self, tmp_path: Path) -> None:
        async with Donut(FLEET, tmp_path) as donut:
            windows = {offer.name: offer.context_window for offer in offers(donut.runtime.gateway.serving.router.catalog)}
            assert windows["auto"] == windows["mid"] == 64000, "the tiny one answers for titles, not for turns"
            assert windows["micro"] == 4000
            assert windows["small"] == 64000, "nobody but the embedder is in it: upward first"
            assert windows["frontier"] == 64000, "nobody is in it: downward"

    async def test_nobody_knows(self, tmp_path: Path) -> None:
        async with Donut(FLEET.replace("context_window: 64000, ", ""), tmp_path) as donut:
            models = (await asked(donut, "/v1/models?client_version=1"))["models"]
            assert next(model for model in models if model["slug"] == "coder")["context_window"] == 128_000
            listed = await asked(donut, "/v1/models", **{"anthropic-version": "2023-06-01"})
            assert next(model for model in listed["data"] if model["id"] == "coder")["max_input_tokens"] is None


async def test_nothing_is_served(tmp_path: Path) -> None:
    text = (
        "discovery: {local: false, environment: false}\nproviders: [{id: p, kind: openai, base_url: 'http://127.0.0.1:1/v1', models: []}]\n"
    )
    async with Donut(text, tmp_path) as donut:
        assert (await asked(donut, "/v1/models"))["data"] == []
        assert (await asked(donut, "/v1/models?client_version=1"))["models"] == []
        empty = {"data": [], "has_more": False, "first_id": None, "last_id": None}
        assert (await asked(donut, "/v1/models", **{"anthropic-version": "x"})) == empty
        assert (await donut.client.get("/v1/models/auto")).status_code == 404


async def test_other_names_of_a_model_can_be_retrieved(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        assert (await asked(donut, "/v1/models/policy:normal"))["id"] == "policy:normal"
        assert (await donut.client.get("/v1/models/nobody-has-it")).json()["error"]["code"] == "model_not_found"


NAMED = [Offer(name, (), "o", is_open=True) for name in "abcde"]


@pytest.mark.parametrize(
    ("query", "page", "has_more"),
    [
        ({}, "abcde", False),
        ({"limit": "2"}, "ab", True),
        ({"limit": "2", "after_id": "b"}, "cd", True),
        ({"limit": "2", "after_id": "c"}, "de", False),
        ({"limit": "2", "before_id": "d"}, "bc", True),
        ({"limit": "9", "before_id": "c"}, "ab", False),
        ({"after_id": "e"}, "", False),
        ({"limit": "many", "after_id": "unknown"}, "abcde", False),
    ],
)
def test_pages_of_anthropics_list(query: dict[str, str], page: str, has_more: bool) -> None:
    answer = anthropic_list(NAMED, query)
    assert "".join(model["id"] for model in answer["data"]) == page
    assert answer["has_more"] is has_more


def test_a_page_beyond_the_end_of_geminis_list() -> None:
    assert gemini_list(NAMED, {"pageSize": "2", "pageToken": "40"}) == {"models": []}
