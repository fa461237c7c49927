"""Each feed reads the shapes that its source is known to send (reference/benchmark-sources.md), and survives all others."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.ledger.refreshing import all_feeds
from config.ledger_settings import SOURCE_NAMES
from providers.feeds import (
    Feed,
    FeedError,
    Page,
    Parsed,
    arena,
    artificial_analysis,
    epoch,
    genai_prices,
    litellm,
    models_dev,
    openrouter,
    vellum,
)
from routing.ledger.metrics import METRICS
from routing.ledger.readings import SOURCES, Reading
from routing.ledger.terms import PriceOverride

FEEDS = all_feeds()
TODAY = "2026-11-21"


class Names:
    """Every model and entry that a test speaks of is known, under its last part."""

    def model(self, name: str) -> str | None:
        plain = name.rsplit("/", 1)[-1].lower().replace(" ", "-").removesuffix("-high").removesuffix("_max")
        return None if not plain or "unknown" in plain else plain

    def entry(self, provider: str, upstream: str) -> str | None:
        return None if "unknown" in upstream or not upstream else f"{provider}/{upstream}"

    def upstreams(self, provider: str) -> Sequence[str]:
        return ()


def parsed(feed: Feed, value: object, path: str = "/x") -> Parsed:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return feed.parse(Page(path, body, Names(), TODAY))


def figures(found: Parsed) -> dict[tuple[str, str], float]:
    return {(reading.subject, reading.metric): reading.value for reading in found.readings}


AA_NEW: dict[str, Any] = {
    "tier": "free",
    "intelligence_index_version": 4.3,
    "pagination": {"page": 1, "page_size": 200, "total_pages": 2, "has_more": True},
    "data": [
        {
            "id": "u",
            "name": "GPT X (high)",
            "slug": "gpt-x-high",
            "release_date": "2026-09-01",
            "model_creator": {"id": "o", "name": "OpenAI"},
            "evaluations": {
                "artificial_analysis_intelligence_index": 62.9,
                "artificial_analysis_coding_index": 55.8,
                "artificial_analysis_agentic_index": None,
            },
            "pricing": {
                "price_1m_input_tokens": 1.1,
                "price_1m_output_tokens": 4.4,
                "price_1m_cache_hit_tokens": 0,
                "price_1m_cache_write_tokens": None,
            },
            "performance": {
                "median_output_tokens_per_second": 153.8,
                "median_time_to_first_token_seconds": 14.9,
                "median_end_to_end_response_time_seconds": 30,
            },
        },
        {"name": "unknown", "slug": "unknown"},
    ],
}
AA_OLD = {
    "status": 200,
    "prompt_options": {"prompt_length": "medium", "parallel_queries": 1},
    "data": [
        {
            "id": "u",
            "name": "o-y",
            "slug": "o-y",
            "evaluations": {"artificial_analysis_intelligence_index": 62.9, "gpqa": 0.748, "math_500": 0.973, "hle": 0.087},
            "pricing": {"price_1m_blended_3_to_1": 1.925, "price_1m_input_tokens": 1.1, "price_1m_output_tokens": 4.4},
            "median_output_tokens_per_second": 153.831,
            "median_time_to_first_token_seconds": 14.939,
        }
    ],
}


def test_artificial_analysis_in_its_present_generation() -> None:
    found = parsed(artificial_analysis.FEED, AA_NEW, "/api/v2/language/models/free?page=1")
    assert figures(found) == {
        ("gpt-x", "intelligence_index"): 62.9,
        ("gpt-x", "coding_index"): 55.8,
        ("gpt-x", "speed_tps"): 153.8,
        ("gpt-x", "ttft_s"): 14.9,
        ("gpt-x", "end_to_end_s"): 30,
        ("gpt-x", "price_input"): 1.1,
        ("gpt-x", "price_output"): 4.4,
    }
    assert found.more == ("/api/v2/language/models/free?page=2",)
    assert {(reading.version, reading.effort) for reading in found.readings} == {("4.3", "high")}
    nested = {
        "meta": {"tier": "free", "intelligence_index_version": 4.3, "pagination": {"page": 2, "has_more": False}},
        "data": AA_NEW["data"],
    }
    again = parsed(artificial_analysis.FEED, nested)
    assert (again.readings, again.more) == (found.readings, ())


def test_artificial_analysis_in_its_older_generation() -> None:
    found = parsed(artificial_analysis.FEED, AA_OLD, "/api/v2/data/llms/models")
    shown = figures(found)
    assert shown["o-y", "gpqa"] == pytest.approx(74.8)
    assert shown["o-y", "math_500"] == pytest.approx(97.3)
    assert (shown["o-y", "speed_tps"], shown["o-y", "price_input"]) == (153.831, 1.1)
    assert {reading.version for reading in found.readings} == {""}, "it does not tell its edition, so it has none"


def test_artificial_analysis_says_what_is_wrong() -> None:
    with pytest.raises(FeedError, match="Invalid key"):
        parsed(artificial_analysis.FEED, {"error": "Invalid key", "details": "…"})


OR_MODELS = {
    "data": [
        {
            "id": "vendor/model-a",
            "canonical_slug": "vendor/model-a",
            "context_length": 1048576,
            "top_provider": {"max_completion_tokens": 64000},
            "pricing": {
                "prompt": "0.000002",
                "completion": "0.000012",
                "request": "0",
                "image": "0.001",
                "internal_reasoning": "0",
                "input_cache_read": "0.0000002",
                "input_cache_write": "0.00000375",
                "input_cache_write_1h": "0.000006",
                "overrides": [
                    {"min_prompt_tokens": 200001, "prompt": "0.000004", "completion": "0.000018"},
                    {"utc_start": "1630", "utc_end": "0030", "utc_days": ["monday", "friday"], "prompt": "0.000001"},
                    {"moon_phase": "full", "prompt": "0.0000001"},
                    {"utc_start": "noon", "prompt": "0.0000001"},
                ],
            },
            "benchmarks": {"artificial_analysis": {"intelligence_index": 57.1, "coding_index": None}},
        },
        {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "vendor/free:free", "pricing": {"prompt": "0", "completion": "0"}, "context_length": 1000},
        {"id": "vendor/gap", "pricing": {"prompt": "0", "completion": "0"}},
    ]
}


def test_openrouters_models() -> None:
    found = parsed(openrouter.FEED, OR_MODELS, openrouter.MODELS)
    entry = "openrouter/vendor/model-a"
    shown = figures(found)
    expected = {
        "price_input": 2.0,
        "price_output": 12.0,
        "price_cache_read": 0.2,
        "price_cache_write": 3.75,
        "price_cache_write_1h": 6.0,
        "price_image": 0.001,
        "context_window": 1048576,
        "max_output": 64000,
    }
    assert {metric: value for (subject, metric), value in shown.items() if subject == entry} == pytest.approx(expected)
    assert found.terms[entry].overrides == (
        PriceOverride((("input", 4.0), ("output", 18.0)), 200001),
        PriceOverride((("input", 1.0),), None, 990, 30, (0, 4)),
    )
    assert shown["model-a", "intelligence_index"] == 57.1
    assert shown["openrouter/vendor/free:free", "price_input"] == 0
    assert not any(subject.endswith(("auto", "gap")) for subject, _ in shown)


def test_openrouters_benchmarks_and_hosts() -> None:
    answer = {
        "data": [
            {
                "model_permaslug": "vendor/model-a",
                "intelligence_index": 60,
                "coding_index": "50.5",
                "agentic_index": None,
                "avg_cost_per_task": 0.4,
            }
        ],
        "meta": {"as_of": "2026-11-19T00:00:00Z", "version": "4.3", "model_count": 1},
    }
    found = parsed(openrouter.FEED, answer, openrouter.BENCHMARKS)
    assert figures(found) == {("model-a", "intelligence_index"): 60, ("model-a", "coding_index"): 50.5, ("model-a", "cost_per_task"): 0.4}
    assert found.readings[0].version == "4.3"
    assert found.readings[0].updated_at == "2026-11-19"
    hosts = [
        {
            "provider_name": "A",
            "status": 0,
            "throughput_last_30m": {"p50": 45.2},
            "latency_last_30m": {"p50": 0.25},
            "uptime_last_1d": 99.5,
        },
        {"provider_name": "B", "status": 0, "throughput_last_30m": 80, "latency_last_30m": 0.5, "uptime_last_1d": None},
        {"provider_name": "C", "status": -2, "throughput_last_30m": 999},
    ]
    path = openrouter.endpoints_of("vendor/model-a")
    best = parsed(openrouter.FEED, {"data": {"id": "vendor/model-a", "endpoints": hosts}}, path)
    entry = "openrouter/vendor/model-a"
    assert figures(best) == {(entry, "speed_tps"): 80, (entry, "ttft_s"): 0.25, (entry, "uptime"): 99.5}


def test_the_arena() -> None:
    pointer = parsed(arena.FEED, {"date": "2026-11-19", "leaderboards": ["text", "code"]}, arena.LATEST)
    assert [path.rsplit("/", 2)[-2:] for path in pointer.more] == [["2026-11-19", "text.json"], ["2026-11-19", "code.json"]]
    board = {
        "meta": {"leaderboard": "text", "last_updated": "2026-11-19", "model_count": 2},
        "models": [
            {"rank": 1, "model": "claude-x-high", "vendor": "Anthropic", "score": 1505, "ci": 5, "votes": 19373},
            {"model": "claude-x", "score": 1490},
        ],
    }
    found = parsed(arena.FEED, board, "/a/2026-11-19/text.json")
    assert [(each.subject, each.metric, each.value, each.effort, each.samples, each.version) for each in found.readings] == [
        ("claude-x", "arena_text_elo", 1505, "high", 19373, "2026-11-19"),
        ("claude-x", "arena_text_elo", 1490, "", None, "2026-11-19"),
    ]
    for wrong in ({}, {"date": "../../etc"}, {"date": 7}):
        with pytest.raises(FeedError, match="names no day"):
            parsed(arena.FEED, wrong, arena.LATEST)


def test_epochs_table() -> None:
    head = b"Model,Display name,eci,eci_ci_low,eci_ci_high,date\r\n"
    table = head + b"gpt-x_max,GPT X,166.57,164,169,2026-09-01\r\nunknown,Unknown,1,1,1,\r\nbroken,Broken,n/a,,,\r\n"
    found = parsed(epoch.FEED, table)
    assert [(each.subject, each.value, each.effort, each.licence) for each in found.readings] == [("gpt-x", 166.57, "max", "CC-BY-4.0")]
    for wrong in (b"", b"<html>", b"Model;eci\n1;2", b"\xff\xfe\x00"):
        with pytest.raises(FeedError, match=r"columns|UTF-8"):
            parsed(epoch.FEED, wrong)


def test_models_dev() -> None:
    cost = {"input": 2, "output": 12, "cache_read": 0.2, "context_over_200k": {"input": 4, "output": 18}}
    model = {"id": "m", "cost": cost, "limit": {"context": 1000000, "output": 64000}, "last_updated": "2026-09-30"}
    found = parsed(models_dev.FEED, {"google": {"models": {"m": model, "unknown-2": model, "odd": 7}}, "odd": []})
    assert figures(found)["google/m", "price_output"] == 12
    assert found.terms["google/m"].overrides == (PriceOverride((("input", 4.0), ("output", 18.0)), 200_001),)
    assert {each.updated_at for each in found.readings} == {"2026-09-30"}


def test_litellms_map() -> None:
    row = {
        "litellm_provider": "gemini",
        "mode": "chat",
        "input_cost_per_token": 2e-06,
        "output_cost_per_token": 1.2e-05,
        "max_input_tokens": 1048576,
        "cache_read_input_token_cost": 2e-07,
        "input_cost_per_token_above_200k_tokens": 4e-06,
        "output_cost_per_token_above_200k_tokens": 1.8e-05,
        "input_cost_per_token_batches": 1e-06,
        "input_cost_per_token_priority": 3.6e-06,
        "off_peak_pricing": {"hours_utc": "16:30-00:30", "input_cost_per_token": 1e-06, "output_cost_per_token": 6e-06},
    }
    found = parsed(litellm.FEED, {"sample_spec": {"mode": "x"}, "gemini/pro": row})
    assert figures(found) == {
        ("google/pro", "price_input"): 2.0,
        ("google/pro", "price_output"): 12.0,
        ("google/pro", "price_cache_read"): 0.2,
        ("google/pro", "max_input"): 1048576,
    }
    terms = found.terms["google/pro"]
    assert terms.lanes == (("batch", 0.5), ("priority", 1.8))
    assert terms.overrides == (
        PriceOverride((("input", 4.0), ("output", 18.0)), 200_001),
        PriceOverride((("input", 1.0), ("output", 6.0)), None, 990, 30, None),
    )


PAGE = b"""<html><body><h1>LLM Leaderboard</h1>
<table><tr><th>Context</th><th>Notes</th></tr><tr><td>1</td><td>2</td></tr></table>
<table><thead><tr><th>Model</th><th>GPQA Diamond</th><th>SWE-Bench</th><th>Speed</th><th>Logo</th></tr></thead>
<tbody><tr><td><a href="#">GPT X</a></td><td>91.3 %</td><td>n/a</td><td>120 t/s</td><td></td></tr>
<tr><td>unknown</td><td>50</td></tr></tbody></table>
<script>while(true){}</script></body></html>"""


def test_vellums_page() -> None:
    assert figures(parsed(vellum.FEED, PAGE)) == {("gpt-x", "gpqa"): 91.3, ("gpt-x", "speed_tps"): 120.0}
    for changed in (b"", b"<html><p>Please log in</p></html>", PAGE.replace(b"Model", b"Contender"), b"<table>" * 500):
        with pytest.raises(FeedError, match="the page has changed"):
            parsed(vellum.FEED, changed)


def test_genai_prices_is_read_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = Page("", b"", Names(), TODAY)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("genai_prices", None)
    with pytest.raises(FeedError, match="pip install genai-prices"):
        genai_prices.read_package(page)
    package = tmp_path / "genai_prices"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "data.py").write_text(
        "from decimal import Decimal\nfrom types import SimpleNamespace as N\n"
        "tiered = N(base=Decimal('2'), tiers=[])\n"
        "m = N(id='m', prices=N(input_mtok=tiered, output_mtok=Decimal('10')))\n"
        "c = N(id='c', prices=[N(constraint=None, prices=N(input_mtok=1)), N(constraint=object(), prices=N(input_mtok=9))])\n"
        "providers = [N(id='x-ai', models=[m, c])]\n"
    )
    meta = tmp_path / "genai_prices-9.9.9.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: genai-prices\nVersion: 9.9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = genai_prices.read_package(page)
    assert figures(found) == {("xai/m", "price_input"): 2.0, ("xai/m", "price_output"): 10.0, ("xai/c", "price_input"): 1.0}
    assert {each.where for each in found.readings} == {"genai-prices 9.9.9"}
    for name in ("genai_prices", "genai_prices.data"):
        sys.modules.pop(name, None)


# What every feed keeps

EVERY_FEED = pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))


@EVERY_FEED
def test_a_feed_is_named_after_its_source_and_asks_https_only(feed: Feed) -> None:
    assert feed.name in SOURCE_NAMES
    assert feed.name in SOURCES
    assert FEEDS[feed.name] is feed, "its module has its name"
    assert feed.base_url.startswith("https://") or feed.local is not None
    assert feed.interval_s >= 3600
    assert all(path.startswith("/") for has_key in (True, False) for path in feed.paths(Names(), has_key))
    assert not feed.needs_key or feed.key_variable


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEMPLATES: list[tuple[ModuleType, Any, str]] = [
    (artificial_analysis, AA_NEW, "/api/v2/language/models/free?page=1"),
    (artificial_analysis, AA_OLD, "/api/v2/data/llms/models"),
    (openrouter, OR_MODELS, openrouter.MODELS),
]


def mangled(value: Any, path: Sequence[int], junk: Any) -> Any:
    """`value` with the member that `path` leads to replaced by `junk`."""
    if not path or not isinstance(value, dict | list) or not value:
        return junk
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = mangled(copy[key], path[1:], junk)
    return copy


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEMPLATES), st.lists(st.integers(0, 30), min_size=1, max_size=6), JSON)
def test_a_mangled_answer_is_an_error_in_words_or_fewer_figures(template: tuple[ModuleType, Any, str], path: list[int], junk: Any) -> None:
    module, value, asked = template
    body = json.dumps(mangled(value, path, junk), default=str).encode()
    with contextlib.suppress(FeedError):
        found = module.FEED.parse(Page(asked, body, Names(), TODAY))
        assert all(isinstance(each, Reading) and each.metric in METRICS for each in found.readings)


@EVERY_FEED
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"[[[[", b"\xff\xfe", b"<html></html>", b'{"data":{}}', b'"x"', b"NaN"])
def test_no_answer_of_another_shape_gives_figures(feed: Feed, body: bytes) -> None:
    for path in feed.paths(Names(), True) or ("/x",):
        try:
            found = feed.parse(Page(path, body, Names(), TODAY))
        except FeedError:
            continue
        assert not found.readings
