"""tokenledger: its events and pricing files go out and come back as they were, and its figures reach the ledger."""

from __future__ import annotations

import string
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters import read_file
from providers.adapters.tokenledger import (
    ADAPTER,
    RATE_NAMES,
    Event,
    Pricing,
    ProviderPricing,
    event_line,
    pricing_document,
    pricing_of,
    read_events,
    read_pricing,
)
from routing.types import Usage
from tests.adapter_samples import BENCHMARKS, PRICING

NAMES = st.text(string.ascii_letters + string.digits + "-._:/", min_size=1, max_size=20)
TOKENS = st.integers(0, 10**9)
USAGE = st.tuples(TOKENS, TOKENS, TOKENS, TOKENS).map(lambda tokens: Usage(*tokens))
EVENTS = st.builds(Event, NAMES, NAMES, NAMES, st.integers(0, 4 * 10**12).map(lambda ms: ms / 1000), USAGE, TOKENS, TOKENS)
USD = st.floats(0, 1000)
RATES = st.fixed_dictionaries(dict.fromkeys(RATE_NAMES[:2], USD), optional=dict.fromkeys(RATE_NAMES[2:], USD))
ALIASES = st.dictionaries(NAMES, NAMES, max_size=2)
PROVIDERS = st.builds(ProviderPricing, st.dictionaries(NAMES, RATES, max_size=3), ALIASES, USD)
META = st.dictionaries(st.sampled_from(["source", "version"]), NAMES)
PRICINGS = st.builds(Pricing, st.dictionaries(NAMES, PROVIDERS, max_size=3), ALIASES, META)


def test_an_event_as_tokenledger_reads_it() -> None:
    usage = Usage(input_uncached=100, cache_read=2000, cache_write=300, output=50, reasoning=20)
    assert event_line(Event("anthropic", "big-1", "s-1", 1795284000.25, usage)) == {
        "provider": "anthropic",
        "model": "big-1",
        "session_id": "s-1",
        "timestamp": "2026-11-21T18:00:00.250Z",
        "usage": {
            "input_tokens": 100,
            "output_tokens": 50,
            "cache_write_tokens": 300,
            "cache_read_tokens": 2000,
            "tool_input_tokens": 0,
            "tool_output_tokens": 0,
        },
    }


@given(st.lists(EVENTS, max_size=4))
def test_events_come_back_as_they_went(events: list[Event]) -> None:
    lines = [orjson.loads(orjson.dumps(event_line(event))) for event in events]
    back, others = read_events(lines)
    assert others == 0
    assert [event._replace(at_s=round(event.at_s, 3)) for event in back] == events


def test_lines_that_are_no_events_are_counted() -> None:
    good = event_line(Event("p", "m", "s", 0.0, Usage(1)))
    bad: list[Any] = [
        None,
        [],
        {},
        {**good, "usage": 3},
        {**good, "timestamp": "never"},
        {**good, "model": "a\nb"},
        {**good, "session_id": ""},
    ]
    events, others = read_events([*bad, good])
    assert (len(events), others) == (1, len(bad))


def test_tokens_that_make_no_sense_count_as_none() -> None:
    line = event_line(Event("p", "m", "s", 0.0, Usage(1, output=2)))
    line["usage"] |= {"input_tokens": -5, "output_tokens": True, "cache_read_tokens": 1e300}
    (event,), _ = read_events([line])
    assert event.usage == Usage()


@given(PRICINGS)
def test_a_pricing_file_comes_back_as_it_went(pricing: Pricing) -> None:
    assert read_pricing(orjson.loads(orjson.dumps(pricing_document(pricing)))) == pricing


def test_a_pricing_file_that_tokenledger_wrote_comes_back_as_it_was() -> None:
    assert pricing_document(read_pricing(PRICING)) == PRICING


def test_a_model_whose_price_is_half_known_is_not_exported() -> None:
    """Its reader refuses a whole file in which one model has no output price."""
    prices = [("p", "whole", {"price_input": 1.0, "price_output": 2.0, "price_reasoning": 9.0}), ("p", "half", {"price_input": 1.0})]
    models = pricing_document(pricing_of(prices, {"source": "donut"}))["providers"]["p"]["models"]
    assert list(models) == ["whole"]
    assert {rate: usd for rate, usd in models["whole"].items() if usd is not None} == {
        "input_usd_per_mtok": 1.0,
        "output_usd_per_mtok": 2.0,
    }


def test_prices_reach_the_ledger_per_entry() -> None:
    found = read_file(orjson.dumps(PRICING), ADAPTER.formats)
    assert {(reading.subject, reading.metric, reading.value) for reading in found.readings} == {
        ("anthropic/big-1", "price_input", 3.0),
        ("anthropic/big-1", "price_output", 15.0),
        ("anthropic/big-1", "price_cache_write", 3.75),
        ("anthropic/big-1", "price_cache_read", 0.3),
    }
    assert {(reading.source, reading.updated_at) for reading in found.readings} == {("imported", "2026-11-01T00:00:00Z")}


def test_benchmarks_reach_the_ledger_in_its_own_units() -> None:
    found = read_file(orjson.dumps(BENCHMARKS), ADAPTER.formats, {"big-1": "claude-big-1"})
    assert {reading.metric: reading.value for reading in found.readings} == {
        "intelligence_index": 61.0,
        "speed_tps": 74.0,
        "ttft_s": 0.85,
        "price_input": 3.0,
        "context_window": 200000.0,
    }
    assert {(reading.confidence, reading.where) for reading in found.readings} == {(0.9, "artificial_analysis")}
    prices = {reading.subject for reading in found.readings if reading.metric.startswith("price")}
    others = {reading.subject for reading in found.readings if not reading.metric.startswith("price")}
    assert (prices, others) == ({"anthropic/big-1"}, {"claude-big-1"})


def test_a_price_that_is_none_is_unknown_and_not_free() -> None:
    hostile = orjson.loads(orjson.dumps(PRICING))
    rates = hostile["providers"]["anthropic"]["models"]["big-1"]
    rates |= {"input_usd_per_mtok": -3.0, "output_usd_per_mtok": "15", "cache_read_usd_per_mtok": 1e300, "cache_write_usd_per_mtok": False}
    found = read_file(orjson.dumps(hostile), ADAPTER.formats)
    assert found.readings == ()
    assert found.problems == ("1 models without any usable rate were left out",)
