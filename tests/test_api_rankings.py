"""`GET /v1/rankings*`, CLIProxyAPI++ style (reference/adapters.md): its shapes, donut's own figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api_fleet import FLEET
from tests.serving import Donut
from tests.test_api_provider_metrics import answered, at, traffic
from tests.test_api_spending import written

ENTRY = {
    "rank",
    "model_id",
    "provider",
    "quality_score",
    "estimated_cost",
    "latency_ms",
    "weekly_tokens",
    "market_share_percent",
    "category",
}


async def ranked(donut: Donut, query: str = "") -> list[dict[str, Any]]:
    got = await donut.client.get(f"/v1/rankings{query}")
    assert got.status_code == 200, got.text
    rows: list[dict[str, Any]] = got.json()["rankings"]
    return rows


async def test_the_shape(tmp_path: Path) -> None:
    await written(tmp_path / "donut.db", *traffic())
    async with Donut(FLEET, tmp_path) as donut:
        told = (await donut.client.get("/v1/rankings")).json()
    assert (told["category"], told["timeRange"], told["total_count"], told["updated_at"][-1]) == ("usage", "week", 3, "Z")
    assert all(set(row) == ENTRY for row in told["rankings"])
    first = told["rankings"][0]
    assert (first["rank"], first["model_id"], first["provider"], first["quality_score"]) == (1, "big", "there", 0.9)
    assert first["estimated_cost"] == pytest.approx((2000 * 10 + 500 * 20) / 1e6)
    assert (first["weekly_tokens"], first["market_share_percent"]) == (14_000, 66.67)
    assert isinstance(first["latency_ms"], int), "its readers want a whole number"


@pytest.mark.parametrize(
    ("category", "order"),
    [
        ("usage", ["big", "usual", "tiny"]),
        ("popularity", ["big", "usual", "tiny"]),
        ("quality", ["big", "usual", "tiny"]),
        ("cost", ["tiny", "usual", "big"]),
        ("speed", ["usual", "big", "tiny"]),
    ],
)
async def test_categories_rank_by_what_they_say(tmp_path: Path, category: str, order: list[str]) -> None:
    await written(tmp_path / "donut.db", *traffic())
    async with Donut(FLEET, tmp_path) as donut:
        rows = await ranked(donut, f"?category={category}")
    assert [row["model_id"] for row in rows] == order
    assert [row["rank"] for row in rows] == [1, 2, 3]


async def test_what_nobody_knows_is_null_and_comes_last(tmp_path: Path) -> None:
    config = FLEET.replace(", price: {input: 10, output: 20}", "").replace(", quality: 0.9", "")
    async with Donut(config, tmp_path) as donut:
        for category in ("cost", "quality", "speed"):
            last = (await ranked(donut, f"?category={category}"))[-1]
            if category != "speed":
                assert last["model_id"] == "big"
        assert (last["latency_ms"], last["market_share_percent"], last["weekly_tokens"]) == (None, None, 0)
        by_cost = (await ranked(donut, "?category=cost"))[-1]
        assert (by_cost["estimated_cost"], by_cost["quality_score"]) == (None, None)


async def test_limit_and_provider(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        told = (await donut.client.get("/v1/rankings?provider=there&limit=1&category=cost")).json()
        assert (told["total_count"], [row["model_id"] for row in told["rankings"]]) == (2, ["usual"])
        assert (await ranked(donut, "?provider=nobody")) == []


async def test_a_share_is_of_everybody_and_weeks_are_weeks(tmp_path: Path) -> None:
    days = 24 * 3600
    old = [answered(60 + number, at("there/c"), age_s=3 * days) for number in range(10)]
    await written(tmp_path / "donut.db", *traffic(), *old)
    async with Donut(FLEET, tmp_path) as donut:
        (usual,) = [row for row in await ranked(donut, "?timeRange=day&provider=there") if row["model_id"] == "usual"]
        assert (usual["market_share_percent"], usual["weekly_tokens"]) == (33.33, 21_000)
        assert (await ranked(donut, "?timeRange=month"))[0]["model_id"] == "usual"


async def test_providers(tmp_path: Path) -> None:
    await written(tmp_path / "donut.db", *traffic())
    async with Donut(FLEET, tmp_path) as donut:
        told = (await donut.client.get("/v1/rankings/providers")).json()
    assert told["total_count"] == 2
    there, here = told["rankings"]
    assert (there["rank"], there["provider"], there["model_count"], there["request_count"]) == (1, "there", 2, 17)
    assert (there["market_share_percent"], there["weekly_tokens"], there["success_rate"]) == (100.0, 21_000, pytest.approx(15 / 17))
    assert (here["provider"], here["weekly_tokens"], here["latency_ms"], here["success_rate"]) == ("here", 0, None, None)


async def test_categories_are_listed(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        listed = (await donut.client.get("/v1/rankings/categories")).json()["categories"]
        for category in listed:
            assert await ranked(donut, f"?category={category['id']}")
    assert {category["id"] for category in listed} == {"usage", "quality", "speed", "cost", "popularity"}


@pytest.mark.parametrize("query", ["?category=beauty", "?limit=0", "?limit=101", "?timeRange=year", "?provider=", "?sort=up", "?limit=ten"])
async def test_a_question_that_says_nothing(tmp_path: Path, query: str) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        got = await donut.client.get(f"/v1/rankings{query}")
        assert (got.status_code, got.json()["error"]["type"]) == (400, "invalid_request_error")
