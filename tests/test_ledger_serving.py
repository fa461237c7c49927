"""The ledger in a running donut: a person's figures decide without a restart, and the decision says so; the page shows their sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.ledger.living import Living
from config.ledger.store import Kept, write
from routing.ledger.readings import Reading
from routing.ledger.sheet import sheets_of
from tests.processes import DonutProcess
from tests.serving import Donut, config_for
from tests.streams import CHAT
from tests.upstreams import ScriptedUpstream, answer, eventually, saying

MODELS = "models: [{id: model-a, tier: mid, quality: 0.6}, {id: model-b, tier: mid, quality: 0.6}]\nrouting: {objective: quality}\n"
WORDS = (
    b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"%b"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1000,"completion_tokens":100}}'
)


def two_models(one: int, other: int, more: str = "") -> str:
    entry = (
        "  - {{id: {name}, kind: openai, base_url: 'http://127.0.0.1:{port}/v1', api_key: upstream-secret-1, "
        "models: [{{upstream: up, model: model-{name}, price: {{input: 1, output: 2}}}}]}}"
    )
    lines = ["discovery: {local: false, environment: false}", "providers:"]
    lines += [entry.format(name="a", port=one), entry.format(name="b", port=other)]
    return "\n".join(lines) + "\n" + MODELS + more


def says(word: bytes) -> bytes:
    return answer(WORDS % word)


async def test_an_override_in_benchmarks_yaml_changes_the_next_decision_without_a_restart(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(says(b"a"))) as one,
        ScriptedUpstream(saying(says(b"b"))) as other,
        DonutProcess(tmp_path, two_models(one.port, other.port)) as donut,
    ):
        file = donut.config.with_name("benchmarks.yaml")
        for number, (winner, loser) in enumerate((("model-b", "model-a"), ("model-a", "model-b")), 1):
            file.write_text(f"overrides:\n  {winner}: {{quality: 0.9}}\n  {loser}: {{quality: 0.1}}\n")
            await donut.said("config_reloaded", count=number)
            chosen = await donut.client.post(CHAT, json={"model": "mid", "messages": [{"role": "user", "content": f"Hi {number}"}]})
            assert chosen.headers["x-donut-model"] == winner
        file.write_text("overrides: {model-a: {qualty: 1}}\n")
        refused = await donut.said("config_refused")
        assert "benchmarks.yaml:1" in refused["why"]
        assert "quality" in refused["why"]


async def test_a_decision_says_which_figure_is_a_persons(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(says(b"a"))) as one, ScriptedUpstream(saying(says(b"b"))) as other:
        config = two_models(one.port, other.port, "overrides: {model-b: {quality: 0.95, speed_tps: 65}}\n")
        async with Donut(config, tmp_path) as donut:
            got = await donut.client.post(
                CHAT, json={"model": "mid", "messages": [{"role": "user", "content": "Hi"}]}, headers={"x-donut-debug": "1"}
            )
            assert got.headers["x-donut-model"] == "model-b"
            await donut.wait_for_rows(1)
            told = (await donut.client.get(f"/api/routing/decisions/{got.headers['x-donut-decision']}")).json()
            because = str(told)
            assert "the ledger has quality 0.95 of manual" in because
            assert "the ledger has speed_tps 65 of manual" in because


async def test_an_overridden_price_is_what_an_answer_costs_and_the_journal_says_whose_it_is(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(says(b"a"))) as one:
        for number, (subject, expected) in enumerate((("p0/up-model", 0.0073), ("test-model", 0.0073), ("other", 0.0012))):
            more = f"overrides: {{{subject}: {{price_input: 7, price_output: 3}}}}"
            folder = tmp_path / str(number)
            folder.mkdir()
            async with Donut(config_for(one.port, more=more), folder) as donut:
                await donut.client.post(CHAT, json={"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]})
                await donut.wait_for_rows(1)
                row = donut.rows("attempts")[0]
                assert row["cost_usd"] == pytest.approx(expected)
                assert row["price_version"] == ("manual" if subject != "other" else "config")


async def test_the_page_shows_the_ledger_with_its_sources(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(says(b"a"))) as one:
        config = config_for(one.port, more="overrides: {gemini-3.1-pro: {intelligence_index: 57, speed_tps: 65, latency_ms: 3990}}")
        async with Donut(config, tmp_path) as donut:
            table = (await donut.client.get("/api/ledger")).json()
            row = next(each for each in table["data"] if each["model"] == "gemini-3.1-pro")
            assert row["quality_source"] == "manual"
            assert {"manual", "shipped", "epoch"} <= {each["source"] for each in table["sources"]}
            one_model = (await donut.client.get("/api/ledger/models/gemini-3.1-pro")).json()
            assert one_model["speed"]["ttft_s"] == pytest.approx(3.99)
            figure = next(each for each in one_model["figures"] if each["metric"] == "intelligence_index")
            assert (figure["value"], figure["source"], figure["candidates"][0]["won"]) == (57.0, "manual", True)
            entry = (await donut.client.get("/api/ledger/models/anthropic/claude-sonnet-5-5")).json()
            assert entry["price"]["input"] == 2.0
            losers = [each for figure in entry["figures"] for each in figure["candidates"] if not each["won"]]
            assert [(each["source"], each["value"]) for each in losers] == [("models_dev", 0.2)]
            front = (await donut.client.get("/api/ledger/pareto", params={"use_case": "code"})).json()
            assert front["data"][0]["pareto_rank"] == 1
            missing = await donut.client.get("/api/ledger/models/claud-opus-5")
            assert missing.status_code == 404
            assert "did you mean claude-opus-5" in missing.text
            assert (await donut.client.get("/api/ledger?nonsense=1")).status_code == 400


async def test_what_donut_measures_becomes_a_source_of_the_ledger(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(says(b"a"))) as one, Donut(config_for(one.port), tmp_path) as donut:
        for _ in range(25):
            await donut.client.post(CHAT, json={"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]})
        await donut.wait_for_rows(25)
        shelf = donut.runtime._shelf
        sheets = await Living(donut.runtime.store, shelf, shelf.folder).measure()
        assert {sheet.source for sheet in sheets} == {"live"}
        book = shelf.library.book
        figure = book.figure("p0/up-model", "success_rate")
        assert figure.winner is not None
        assert (figure.value, figure.winner.source, figure.winner.samples) == (1.0, "live", 25)
        assert book.value("test-model", "end_to_end_s") is not None
        assert book.value("chat|test-model", "success_rate") == 1.0 or book.value("code|test-model", "success_rate") == 1.0
        assert shelf.is_plain, "the router has its own, newer belief"
        assert (shelf.folder / "live.json").exists()


async def test_what_config_says_of_a_model_comes_before_every_feed_and_after_an_override(tmp_path: Path) -> None:
    figures = [Reading(name, "quality", 0.99, "imported") for name in ("model-a", "model-b", "claude-opus-5")]
    write(tmp_path / "ledger", Kept("import-x", sheets_of(figures)))
    more = "overrides: {model-b: {quality: 0.2}}\n"
    async with ScriptedUpstream(saying(says(b"a"))) as one, Donut(two_models(one.port, one.port, more), tmp_path) as donut:
        models = donut.runtime.gateway.serving.router.catalog.models
        assert (models["model-a"].quality, models["model-b"].quality) == (0.6, 0.2)
        assert donut.runtime._shelf.catalog.models["claude-opus-5"].quality == 0.99


async def test_what_another_process_puts_beside_the_journal_is_served_by(tmp_path: Path) -> None:
    """`donut ledger import` while a server runs."""
    async with ScriptedUpstream(saying(says(b"a"))) as one, Donut(config_for(one.port), tmp_path) as donut:
        assert donut.runtime._shelf.is_plain
        folder = tmp_path / "ledger"
        write(folder, Kept("import-x", sheets_of([Reading("test-model", "speed_tps", 44.0, "imported")])))
        donut.runtime._keeper.look()
        await eventually(lambda: not donut.runtime._shelf.is_plain)
        await eventually(lambda: served(donut) == 44.0)
        (folder / "import-x.json").unlink()
        donut.runtime._keeper.look()
        await eventually(lambda: served(donut) is None)


def served(donut: Donut) -> float | None:
    return donut.runtime.gateway.serving.router.catalog.models["test-model"].output_tokens_per_s


async def test_an_hour_in_the_cache_costs_what_it_costs(tmp_path: Path) -> None:
    """Anthropic's usage says how long its cache keeps what was written, and the price has a figure for it."""
    usage = b'{"input_tokens":10,"cache_creation_input_tokens":1000,"cache_creation":{"ephemeral_1h_input_tokens":600},"output_tokens":5}'
    head = b'{"id":"m","type":"message","role":"assistant","model":"up","stop_reason":"end_turn",'
    body = head + b'"content":[{"type":"text","text":"a"}],"usage":%b}'
    config = """
discovery: {local: false, environment: false}
providers:
  - id: there
    kind: anthropic
    base_url: "http://127.0.0.1:%d"
    api_key: upstream-secret-1
    models: [{upstream: up, model: m, price: {input: 2, output: 10, cache_write: 2.5, cache_write_1h: 4}}]
"""
    async with ScriptedUpstream(saying(answer(body % usage))) as one, Donut(config % one.port, tmp_path) as donut:
        request = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}
        got = await donut.client.post("/v1/messages", json=request)
        assert got.status_code == 200, got.text
        await donut.wait_for_rows(1)
        assert donut.rows("attempts")[0]["cost_usd"] == pytest.approx((10 * 2 + 400 * 2.5 + 600 * 4 + 5 * 10) / 1e6)
