"""`GET /api/routing/costs` and `/performance`: the journal's sums, and how well everybody did."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from config.commands import usage
from proxy.journal.records import ExchangeRecord, Status
from proxy.journal.sqlite import SqliteStore
from routing.types import Usage
from tests.journal_samples import attempt, exchange, in_rows
from tests.serving import Donut


async def written(path: Path, *records: ExchangeRecord) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.write(in_rows(records))
    await store.close()


def lately(number: int, *attempts: Any, **more: Any) -> ExchangeRecord:
    return exchange(number, started_at=time.time() - 60 + number, attempts=list(attempts), **more)


async def test_costs_are_what_the_command_line_says(tmp_path: Path) -> None:
    await written(tmp_path / "donut.db", lately(1, attempt()), lately(2, attempt(cost_usd=None)))
    async with Donut("discovery: {local: false, environment: false}", tmp_path) as donut:
        told = (await donut.client.get("/api/routing/costs", params={"by": "provider", "since": "7d"})).json()
        arguments = ["--json", "--by", "provider", "--since", "7d", "--journal", str(donut.journal)]
        said = json.loads((await asyncio.to_thread(CliRunner().invoke, usage.COMMAND, arguments)).stdout)
    assert (told["rows"], told["totals"], told["by"]) == (said["rows"], said["totals"], "provider")
    assert (told["totals"]["cost_usd"], told["totals"]["unpriced"]) == (0.0123, 1)


async def test_performance_counts_answers_and_failures(tmp_path: Path) -> None:
    waits = [0.1, 0.2, 0.3, 0.4, 10.0]
    good = [lately(number, attempt(ttft_s=wait, total_s=wait + 1)) for number, wait in enumerate(waits)]
    gone = lately(10, attempt(status=Status.CLIENT_GONE, ttft_s=None, total_s=99.0), status=Status.CLIENT_GONE)
    failed = attempt(status=Status.UPSTREAM_ERROR, failure_kind="connect", ttft_s=None, total_s=0.001, usage=None)
    moved = lately(11, failed, attempt(2, replica_id="cloud/up", provider_id="cloud", ttft_s=1.0, total_s=2.0))
    await written(tmp_path / "donut.db", *good, gone, moved)
    async with Donut("discovery: {local: false, environment: false}", tmp_path) as donut:
        got = (await donut.client.get("/api/routing/performance")).json()
        box, cloud = got["rows"]
        by_model = (await donut.client.get("/api/routing/performance?by=model")).json()["rows"]
    assert (got["by"], box["key"], cloud["key"]) == ("replica", "box/up", "cloud/up")
    assert (box["attempts"], box["ok"], box["client_gone"], box["failed"]) == (7, 5, 1, 1)
    assert box["success_rate"] == pytest.approx(5 / 6)
    assert (box["ttft_ms_p50"], box["ttft_ms_p95"]) == (300.0, 10_000.0)
    assert (box["total_ms_p50"], box["total_ms_p95"]) == (1300.0, 11_000.0)
    assert box["output_tokens_per_s"] == pytest.approx(40.0)
    assert (cloud["ttft_ms_p50"], cloud["success_rate"]) == (1000.0, 1.0)
    assert [row["attempts"] for row in by_model] == [8]


async def test_what_nobody_measured_is_null(tmp_path: Path) -> None:
    silent = attempt(status=Status.UPSTREAM_ERROR, failure_kind="connect", ttft_s=None, usage=None)
    whole = attempt(2, replica_id="cloud/up", ttft_s=None, usage=Usage(1, output=5))
    await written(tmp_path / "donut.db", lately(1, silent), lately(2, whole, stream=False))
    async with Donut("discovery: {local: false, environment: false}", tmp_path) as donut:
        rows = {row["key"]: row for row in (await donut.client.get("/api/routing/performance")).json()["rows"]}
    assert (rows["box/up"]["success_rate"], rows["box/up"]["total_ms_p50"], rows["box/up"]["ttft_ms_p95"]) == (0.0, None, None)
    assert (rows["cloud/up"]["ttft_ms_p50"], rows["cloud/up"]["output_tokens_per_s"]) == (None, None)


@pytest.mark.parametrize("query", ["by=mood", "since=1h&until=2h", "since=soon", "for=ever"])
@pytest.mark.parametrize("page", ["costs", "performance"])
async def test_a_question_that_says_nothing(tmp_path: Path, page: str, query: str) -> None:
    async with Donut("discovery: {local: false, environment: false}", tmp_path) as donut:
        got = await donut.client.get(f"/api/routing/{page}?{query}")
        assert (got.status_code, got.json()["error"]["type"]) == (400, "invalid_request_error")
