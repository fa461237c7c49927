"""`GET /v1/metrics/providers`, `/v1/metrics/models` and `/v1/usage`: thegent's object, tokenledger's lists, nothing invented."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from proxy.journal.records import AttemptRecord, ExchangeRecord, Status
from routing.timing import Timing
from routing.types import Usage
from tests.api_fleet import FLEET
from tests.journal_samples import attempt, exchange
from tests.serving import Donut
from tests.test_api_spending import written

USAGE = Usage(input_uncached=700, cache_read=200, cache_write=100, output=400, reasoning=50)

# What tokenledger's reader (serde) has to find, and of which kind: a missing number is the end of the whole answer.
NUMBERS = {
    "total_input_tokens",
    "total_output_tokens",
    "total_tokens",
    "total_cache_write_tokens",
    "total_cache_read_tokens",
    "total_tool_input_tokens",
    "total_tool_output_tokens",
    "total_requests",
    "successful_requests",
    "failed_requests",
}
PROVIDER_NUMBERS = NUMBERS | {"rate_limited_requests", "total_turns", "total_tool_calls"}
OPTIONAL = {"avg_tokens_per_second", "avg_latency_ms", "median_latency_ms", "success_rate", "total_cost_usd", "cost_per_1k_tokens"}


def at(replica: str, **changes: Any) -> AttemptRecord:
    return attempt(replica_id=replica, provider_id=replica.partition("/")[0], **{"usage": USAGE, "cost_usd": 0.01, **changes})


def answered(number: int, *attempts: AttemptRecord, age_s: float = 600.0) -> ExchangeRecord:
    last = attempts[-1]
    began = time.time() - age_s
    for each in attempts:
        each.started_at = began
    return exchange(
        number, started_at=began, attempts=list(attempts), replica_id=last.replica_id, provider_id=last.provider_id, status=last.status
    )


def traffic() -> list[ExchangeRecord]:
    """Ten answers of `there/b`, half as many tokens from `there/c`, one failure, one rate limit; `here` was never asked."""
    limited = at("there/c", status=Status.UPSTREAM_ERROR, failure_kind="rate_limited", usage=None, cost_usd=None, ttft_s=None)
    broken = at("there/c", status=Status.UPSTREAM_ERROR, failure_kind="overloaded", usage=None, cost_usd=None, ttft_s=None)
    rest = [answered(20 + number, at("there/c", cost_usd=0.001)) for number in range(5)]
    good = [answered(number, at("there/b", total_s=1.0 + number)) for number in range(10)]
    return [*good, *rest, answered(40, limited), answered(41, broken)]


async def test_the_object_that_thegent_reads(tmp_path: Path) -> None:
    await written(tmp_path / "donut.db", *traffic())
    async with Donut(FLEET, tmp_path) as donut:
        told = (await donut.client.get("/v1/metrics/providers")).json()
    assert set(told) == {"here", "there"}
    there = told["there"]
    assert (there["request_count"], there["success_count"], there["failure_count"]) == (17, 15, 2)
    assert there["success_rate"] == pytest.approx(15 / 17)
    assert there["total_tokens"] == 15 * 1400
    assert there["latency_p95_ms"] == 10_000.0
    # b costs 10 and 20 per million, c 1 and 2; b had two thirds of the tokens.
    assert there["cost_per_1k_input"] == pytest.approx((10 * 2 + 1 * 1) / 3 / 1000)
    assert there["cost_per_1k_output"] == pytest.approx((20 * 2 + 2 * 1) / 3 / 1000)
    assert there["total_cost_usd"] == pytest.approx(0.105)
    assert there["cost_per_1k"] == pytest.approx(0.105 / 21)
    assert there["tps_1m"] is None, "nothing was answered in the last minute"


async def test_a_provider_that_nobody_asked_has_zeros_and_nulls(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        here = (await donut.client.get("/v1/metrics/providers")).json()["here"]
    assert (here["request_count"], here["total_tokens"], here["cost_per_1k_input"]) == (0, 0, 0.0)
    assert (here["success_rate"], here["latency_p50_ms"], here["cost_per_1k"]) == (None, None, None)


async def test_an_unknown_price_is_null_and_not_zero(tmp_path: Path) -> None:
    config = FLEET.replace(", price: {input: 10, output: 20}", "").replace(", price: {input: 1, output: 2}", "")
    await written(tmp_path / "donut.db", answered(1, at("there/b", cost_usd=None)))
    async with Donut(config, tmp_path) as donut:
        there = (await donut.client.get("/v1/metrics/providers")).json()["there"]
    assert (there["cost_per_1k_input"], there["cost_per_1k_output"], there["total_cost_usd"]) == (None, None, None)


async def test_speed_of_the_last_minute(tmp_path: Path) -> None:
    lately = answered(1, at("there/b", ttft_s=0.5, total_s=4.5), age_s=10)
    await written(tmp_path / "donut.db", lately, answered(2, at("there/b", ttft_s=0.5, total_s=400.5)))
    async with Donut(FLEET, tmp_path) as donut:
        assert (await donut.client.get("/v1/metrics/providers")).json()["there"]["tps_1m"] == pytest.approx(100.0)


def assert_readable(row: dict[str, Any], numbers: set[str]) -> None:
    assert all(isinstance(row[name], int) and row[name] >= 0 for name in numbers)
    assert all(row[name] is None or isinstance(row[name], float | int) for name in OPTIONAL)
    assert row["updated_at"].endswith("Z")


async def test_the_list_that_tokenledger_reads(tmp_path: Path) -> None:
    await written(tmp_path / "donut.db", *traffic())
    async with Donut(FLEET, tmp_path) as donut:
        here, there = (await donut.client.get("/v1/metrics/providers?format=list")).json()
        assert ((await donut.client.get("/v1/metrics/providers?format=object")).json()).keys() == {"here", "there"}
    for row in (here, there):
        assert_readable(row, PROVIDER_NUMBERS)
    assert (here["provider"], there["provider"]) == ("here", "there")
    assert (there["total_requests"], there["successful_requests"], there["failed_requests"], there["rate_limited_requests"]) == (
        17,
        15,
        2,
        1,
    )
    kinds = ("input", "cache_read", "cache_write", "output", "reasoning")
    assert [there[f"total_{kind}_tokens"] for kind in kinds] == [15 * 700, 15 * 200, 15 * 100, 15 * 400, 15 * 50]


async def test_models_as_tokenledger_reads_them(tmp_path: Path) -> None:
    await written(tmp_path / "donut.db", *traffic())
    async with Donut(FLEET, tmp_path) as donut:
        rows = (await donut.client.get("/v1/metrics/models")).json()
    for row in rows:
        assert_readable(row, NUMBERS)
    by_model = {row["model"]: row for row in rows}
    assert set(by_model) == {"tiny", "big", "usual"}
    assert (by_model["big"]["provider"], by_model["big"]["total_requests"], by_model["big"]["success_rate"]) == ("there", 10, 1.0)
    assert (by_model["big"]["avg_verbosity"], by_model["big"]["avg_cost_per_request"]) == (400.0, pytest.approx(0.01))
    assert (by_model["usual"]["failed_requests"], by_model["tiny"]["total_requests"]) == (2, 0)


async def test_usage_as_tokenledger_reads_it(tmp_path: Path) -> None:
    gone = answered(50, at("gone/x", cost_usd=None))
    await written(tmp_path / "donut.db", *traffic(), gone)
    async with Donut(FLEET, tmp_path) as donut:
        told = (await donut.client.get("/v1/usage?since=1h")).json()
    assert (told["total_requests"], told["total_tokens"], told["total_cost_usd"]) == (18, 16 * 1400, pytest.approx(0.105))
    assert {row["provider"]: row["tokens"] for row in told["by_provider"]} == {"gone": 1400, "there": 21_000}
    assert {(row["model"], row["cost_usd"] is None) for row in told["by_model"]} == {("big", False), ("usual", False), ("gone/x", True)}


@pytest.mark.parametrize(
    "path", ["/v1/metrics/providers?format=csv", "/v1/metrics/providers?since=soon", "/v1/metrics/models?by=mood", "/v1/usage?x=1"]
)
async def test_a_question_that_says_nothing(tmp_path: Path, path: str) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        got = await donut.client.get(path)
        assert (got.status_code, got.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_no_key_is_in_any_of_them(tmp_path: Path) -> None:
    await written(tmp_path / "donut.db", *traffic())
    async with Donut(FLEET, tmp_path) as donut:
        texts = [(await donut.client.get(path)).text for path in ("/v1/metrics/providers", "/v1/metrics/models", "/v1/usage")]
    assert not any("canary" in text for text in texts)


async def test_health_as_tokenledger_reads_it(tmp_path: Path) -> None:
    async with Donut(FLEET, tmp_path) as donut:
        donut.runtime.gateway.serving.router.fleet.state("there/b").timing = Timing(0.4)
        told = (await donut.client.get("/health")).json()
    assert (told["status"], told["version"]) == ("ok", "unknown")
    assert told["providers"] == [
        {"name": "here", "healthy": True, "latency_ms": None, "error_rate": 0.0},
        {"name": "there", "healthy": True, "latency_ms": 400, "error_rate": 0.0},
    ]


async def test_health_without_a_key_says_nothing_of_providers(tmp_path: Path) -> None:
    async with Donut("server: {api_keys: [sk-a-client-key]}\n" + FLEET, tmp_path) as donut:
        assert set((await donut.client.get("/health")).json()) == {"status", "ok", "service"}
