"""Costs add up, and an unknown price is never taken for zero."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.pricing import cost_usd
from routing.types import Price, Usage

TOKENS = st.integers(0, 10**7)
RATES = st.floats(0, 500, allow_nan=False)
PRICES = st.tuples(RATES, RATES, st.none() | RATES, st.none() | RATES).map(lambda rates: Price(*rates))
"""Plain ones; those with conditions are test_ledger_cost.py's."""
USAGES = st.tuples(TOKENS, TOKENS, TOKENS, TOKENS).map(lambda counts: Usage(*counts))


def cost(usage: Usage, price: Price) -> float:
    found = cost_usd(usage, price)
    assert found is not None
    return found


@given(USAGES, PRICES)
def test_the_whole_is_the_sum_of_its_parts(usage: Usage, price: Price) -> None:
    parts = [
        Usage(usage.input_uncached),
        Usage(cache_read=usage.cache_read),
        Usage(cache_write=usage.cache_write),
        Usage(output=usage.output),
    ]
    assert cost(usage, price) == pytest.approx(sum(cost(part, price) for part in parts))


@given(USAGES, USAGES, PRICES)
def test_two_answers_cost_what_each_costs(one: Usage, other: Usage, price: Price) -> None:
    both = Usage(
        one.input_uncached + other.input_uncached,
        one.cache_read + other.cache_read,
        one.cache_write + other.cache_write,
        one.output + other.output,
    )
    assert cost(both, price) == pytest.approx(cost(one, price) + cost(other, price))


@given(USAGES, PRICES)
def test_never_negative_and_free_only_where_the_price_is(usage: Usage, price: Price) -> None:
    assert cost(usage, price) >= 0.0
    assert cost(usage, Price(0.0, 0.0)) == 0.0


@given(USAGES, PRICES, TOKENS)
def test_reasoning_is_output_and_not_paid_twice(usage: Usage, price: Price, reasoning: int) -> None:
    assert cost(usage._replace(reasoning=min(reasoning, usage.output)), price) == cost(usage, price)


@given(USAGES, RATES, RATES)
def test_a_cache_without_a_price_costs_what_input_costs(usage: Usage, input_: float, output: float) -> None:
    assert cost(usage, Price(input_, output)) == pytest.approx(cost(Usage(usage.input, output=usage.output), Price(input_, output)))


@pytest.mark.parametrize(
    ("usage", "price", "expected"),
    [
        (Usage(1_000_000, output=1_000_000), Price(2.0, 8.0), 10.0),
        (Usage(500_000, 400_000, 100_000, 10_000), Price(3.0, 15.0, 0.3, 3.75), 2.145),
        (Usage(1000), None, None),
        (Usage(1000, output=1), Price(None, 8.0), None),
        (Usage(0, output=5), Price(None, 8.0), None),
        (Usage(1000, output=5), Price(2.0, None), None),
        (Usage(), Price(None, None), None),
        (Usage(1_000_000), Price(0.02, None), 0.02),  # embeddings have no output, and many catalogs no price for it
        (Usage(1_000_000, 1_000_000), Price(2.0, 8.0, 0.0), 2.0),
        (Usage(1_000_000, output=1, reported=False), Price(2.0, 0.0), 2.0),
    ],
)
def test_by_example(usage: Usage, price: Price | None, expected: float | None) -> None:
    assert cost_usd(usage, price) == (None if expected is None else pytest.approx(expected))
