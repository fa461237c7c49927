"""`POST /v1/routing/select`, CLIProxyAPI++ style (reference/adapters.md): a complexity and limits in, one offer out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from routing.timing import Timing
from tests.api_fleet import FLEET, posted, refused
from tests.serving import Donut

SELECT = "/v1/routing/select"


async def chosen(donut: Donut, **body: Any) -> str:
    model = (await posted(donut, SELECT, body))["model_id"]
    assert isinstance(model, str)
    return model


async def test_the_shape(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        told = await posted(
            donut, SELECT, {"taskComplexity": "COMPLEX", "maxCostPerCall": 0.01, "maxLatencyMs": 5000, "minQualityScore": 0.5}
        )
        assert {"model_id", "provider", "estimated_cost", "estimated_latency_ms", "quality_score"} <= set(told)
        assert (told["model_id"], told["provider"], told["quality_score"]) == ("usual", "there", 0.6)
        assert told["estimated_cost"] == pytest.approx(0.003)
        assert told["estimated_latency_ms"] is None


async def test_thegents_client_gets_what_it_reads(tmp_path: Path) -> None:
    """Its `RoutingResponse` takes exactly these five; Go's and Rust's clients have integers for milliseconds."""
    async with Donut(FLEET, tmp_path) as donut:
        donut.runtime.gateway.serving.router.fleet.state("there/c").timing = Timing(0.8123)
        wish = {"taskComplexity": "COMPLEX", "maxCostPerCall": 0.01, "maxLatencyMs": 5000, "minQualityScore": 0.5}
        told = await posted(donut, SELECT, wish)
    kinds = {"model_id": str, "provider": str, "estimated_cost": float, "estimated_latency_ms": int, "quality_score": float}
    assert {name: type(told[name]) for name in kinds} == kinds
    assert told["estimated_latency_ms"] == 812


async def test_complexity_is_a_tier(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        assert await chosen(donut, taskComplexity="NORMAL") == "tiny"
        assert await chosen(donut, taskComplexity="complex") == "usual"
        assert await chosen(donut, taskComplexity="HIGH_COMPLEX") == "big"
        assert await chosen(donut) == "tiny"


async def test_limits_reach_beyond_the_tier(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        assert await chosen(donut, taskComplexity="NORMAL", minQualityScore=0.8) == "big"
        assert await chosen(donut, taskComplexity="HIGH_COMPLEX", maxCostPerCall=0.0001) == "tiny"
        assert await chosen(donut, taskComplexity="NORMAL", inputTokens=50_000) == "usual"


async def test_no_model_fits(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        message = await refused(donut, SELECT, {"maxCostPerCall": 0.0001, "minQualityScore": 0.8, "maxLatencyMs": 5000})
        assert message == "no models satisfy constraints (cost<=0.0001, latency<=5000ms, quality>=0.80)"


async def test_a_known_figure_counts_before_an_unknown_one(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        fleet = donut.runtime.gateway.serving.router.fleet
        fleet.state("there/b").timing = Timing(0.4)
        fleet.state("there/c").timing = Timing(9.0)
        assert await chosen(donut, taskComplexity="NORMAL", maxLatencyMs=1000) == "big"
        assert await chosen(donut, taskComplexity="NORMAL", maxLatencyMs=100) == "tiny"
        assert await chosen(donut, taskComplexity="NORMAL") == "tiny"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"taskComplexity": "EASY"}, "HIGH_COMPLEX"),
        ({"taskComplexity": 3}, "HIGH_COMPLEX"),
        ({"maxCostPerCall": "cheap"}, "maxCostPerCall"),
        ({"minQualityScore": True}, "minQualityScore"),
        ({"inputTokens": -5}, "inputTokens"),
    ],
)
async def test_what_is_wrong_is_said(tmp_path: Path, body: dict[str, Any], names: str) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        assert names in await refused(donut, SELECT, body)
