"""The resolver's answers and Pareto's fronts: from the special to the general, and nobody on the front who is beaten."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.ledger.book import Book
from routing.ledger.names import NameIndex
from routing.ledger.pareto import Point, standings
from routing.ledger.quality import FIXED_SCALES
from routing.ledger.readings import Reading, harness_key
from routing.ledger.resolver import Entry, Resolver
from routing.ledger.sheet import sheets_of
from routing.types import UseCase

ENTRIES = {
    entry.key: entry
    for entry in (
        Entry("anthropic", "claude-x-1", "claude-x.1"),
        Entry("openrouter", "anthropic/claude-x.1", "claude-x.1"),
        Entry("openrouter", "anthropic/claude-x.1:free", "claude-x.1", is_primary=False),
        Entry("copilot", "claude-x.1", "claude-x.1", billing="subscription"),
        Entry("openai", "gpt-y", "gpt-y"),
        Entry("openai", "gpt-old", "gpt-old", is_retired=True),
    )
}
NAMES = NameIndex([(name, entry.model) for entry in ENTRIES.values() for name in (entry.model, entry.upstream)])


def reading(subject: str, metric: str, value: float, source: str = "shipped") -> Reading:
    return Reading(subject, metric, value, source, samples=99)


FACTS = [
    reading("claude-x.1", "quality", 0.7),
    reading("gpt-y", "quality", 0.5),
    reading("anthropic/claude-x-1", "price_input", 3.0),
    reading("anthropic/claude-x-1", "price_output", 15.0),
    reading("openrouter/anthropic/claude-x.1", "price_input", 2.0),
    reading("openrouter/anthropic/claude-x.1", "price_output", 10.0),
    reading("copilot/claude-x.1", "price_input", 1.0),
    reading("openai/gpt-y", "price_input", 1.0),
    reading("openai/gpt-y", "price_output", 1.0),
    reading("claude-x.1", "speed_tps", 50.0),
    reading("claude-x.1", "ttft_s", 1.0),
    reading("anthropic/claude-x-1", "speed_tps", 80.0),
]


def resolver(*more: Reading) -> Resolver:
    return Resolver(Book(sheets_of([*FACTS, *more])), ENTRIES, NAMES)


def test_what_a_provider_calls_a_model() -> None:
    known = resolver()
    found = known.resolve_for_backend("openrouter", "claude-x-1", "codex")
    assert found.entry is not None
    assert (found.entry.upstream, found.confidence) == ("anthropic/claude-x.1", 0.99)
    assert known.resolve_for_backend("openai", "gpt-old").entry is ENTRIES["openai/gpt-old"]
    lacking = known.resolve_for_backend("openai", "claude-x.1")
    assert (lacking.entry, lacking.model, lacking.suggestions) == (None, "claude-x.1", ("anthropic", "copilot", "openrouter"))
    assert known.resolve_for_backend("openia", "gpt-y").suggestions
    assert known.resolve_for_backend("openai", "gpt-z").suggestions[0] == "gpt-y"


def test_costs_are_of_the_provider_or_of_the_cheapest_that_bills_by_use() -> None:
    known = resolver()
    at_home = known.get_cost("claude-x.1", "anthropic")
    assert at_home is not None
    assert at_home.price.input == 3.0
    assert at_home.blended == pytest.approx(7.8)
    anywhere = known.get_cost("claude-x.1")
    assert anywhere is not None
    assert anywhere.subject == "openrouter/anthropic/claude-x.1"  # a subscription's price is not what a request costs
    assert known.get_cost("claude-x.1", "groq") is None
    assert known.get_cost("gpt-old") is None


def test_speeds_from_the_special_to_the_general() -> None:
    known = resolver(reading(harness_key("codex", "anthropic/claude-x-1"), "speed_tps", 20.0, "live"))
    trio, pair, model = (
        known.get_speed("claude-x.1", "anthropic", "codex"),
        known.get_speed("claude-x.1", "anthropic"),
        known.get_speed("claude-x.1"),
    )
    assert [found.tokens_per_s for found in (trio, pair, model) if found] == [20.0, 80.0, 50.0]
    assert model is not None
    assert model.usual_answer_s == pytest.approx(11.0)
    assert known.get_speed("gpt-y") is None


def test_a_persons_index_beats_the_shipped_quality_and_says_so() -> None:
    low, high = FIXED_SCALES["intelligence_index"]
    found = resolver(reading("gpt-y", "intelligence_index", 57.0, "manual")).get_quality("gpt-y")
    assert found is not None
    assert found.basis == "intelligence_index 57 of manual"
    assert found.value == pytest.approx((57.0 - low) / (high - low), abs=1e-4)
    plain = resolver(reading("gpt-y", "quality", 0.9, "manual"), reading("gpt-y", "intelligence_index", 57.0, "manual")).get_quality(
        "gpt-y"
    )
    assert plain is not None
    assert plain.value == 0.9
    assert resolver().get_quality("nobody") is None


def test_an_index_that_enough_models_have_is_laid_onto_the_shipped_scale() -> None:
    entries = {f"p/m{i}": Entry("p", f"m{i}", f"m{i}") for i in range(7)}
    facts = [reading(f"m{i}", "quality", 0.2 + 0.1 * i) for i in range(6)]
    facts += [reading(f"m{i}", "intelligence_index", 40.0 + i, "artificial_analysis") for i in range(7)]
    known = Resolver(Book(sheets_of(facts)), entries, NameIndex((f"m{i}", f"m{i}") for i in range(7)))
    found = known.get_quality("m6")
    assert found is not None
    assert found.value == pytest.approx(0.8)


def test_quality_depends_on_the_use_case() -> None:
    known = resolver(
        reading("gpt-y", "coding_index", 60.0, "artificial_analysis"), reading("claude-x.1", "coding_index", 40.0, "artificial_analysis")
    )
    # Two models link no scale, so code falls back to general quality.
    assert known.get_quality("gpt-y", use_case=UseCase.CODE) == known.get_quality("gpt-y")


def test_the_front() -> None:
    known = resolver()
    table = known.pareto()
    assert {name: each.pareto_rank for name, each in table.items()} == {"claude-x.1": 1, "gpt-y": 1, "gpt-old": None}
    standing = known.get_pareto_score("anthropic/claude-x.1")
    assert standing is not None
    assert (standing.score, standing.dominated_by) == (1.0, ())
    at_home = known.get_pareto_score("claude-x.1", "anthropic", "codex")
    assert at_home is not None
    assert at_home.point.cost == pytest.approx(7.8)
    assert (at_home.point.latency_s, at_home.pareto_rank) == (None, 1)
    assert known.get_pareto_score("nobody") is None
    better = resolver(
        reading("gpt-y", "quality", 0.95, "manual"), reading("openai/gpt-y", "speed_tps", 500.0), reading("gpt-y", "end_to_end_s", 2.0)
    )
    beaten = better.get_pareto_score("claude-x.1")
    assert beaten is not None
    assert (beaten.pareto_rank, beaten.dominated_by, beaten.score) == (2, ("gpt-y",), 0.5)


AXIS = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])
POINTS = st.lists(st.tuples(AXIS, AXIS, AXIS), max_size=9).map(lambda rows: [Point(f"m{i}", *row) for i, row in enumerate(rows)])


@given(POINTS)
def test_ranks_are_those_of_peeling_fronts(points: list[Point]) -> None:
    found = standings(points)
    assert sorted(each.point.id for each in found) == sorted(point.id for point in points)
    by_id = {each.point.id: each for each in found}
    for each in found:
        assert (each.pareto_rank is None) == (not each.point.is_rated)
        if each.pareto_rank is not None:
            above = [by_id[name].pareto_rank or 0 for name in each.dominated_by]
            assert each.pareto_rank == max(above, default=0) + 1
    for one, other in itertools.permutations(found, 2):
        if one.point.is_rated and other.point.is_rated and one.point.id in other.dominated_by:
            assert other.point.id not in one.dominated_by
