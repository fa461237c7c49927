"""When it is worth it to move a conversation to another tier."""

from __future__ import annotations

from typing import Any

import pytest

from routing.switching import TIER_WORTH_USD, Move, cost_usd, gain_usd
from routing.types import ModelTier, Price

DEAR = Price(5.0, 25.0, 0.5)
CHEAP = Price(1.0, 5.0, 0.1)
FREE = Price(0.0, 0.0)


def move(**changes: Any) -> Move:
    fields: dict[str, Any] = {
        "from_tier": ModelTier.FRONTIER,
        "to_tier": ModelTier.SMALL,
        "here": DEAR,
        "there": CHEAP,
        "input_tokens": 10_000,
        "output_tokens": 500,
        "calls_expected": 1,
    }
    return Move(**{**fields, **changes})


def test_moving_costs_the_prompt_read_anew() -> None:
    assert cost_usd(move()) == pytest.approx(10_000 * (1.0 - 0.1) / 1e6)
    assert cost_usd(move(there=DEAR)) == pytest.approx(10_000 * (5.0 - 0.5) / 1e6)


@pytest.mark.parametrize("there", [FREE, None, Price(None, None), Price(3.0, 15.0)])
def test_without_a_cache_price_nothing_is_lost(there: Price | None) -> None:
    assert cost_usd(move(there=there)) == 0.0


def test_downward_the_gain_is_what_the_calls_to_come_will_save() -> None:
    here, there = 10_000 * 0.5 + 500 * 25.0, 10_000 * 0.1 + 500 * 5.0
    assert gain_usd(move()) == pytest.approx((here - there) / 1e6)
    assert gain_usd(move(calls_expected=7)) == pytest.approx(7 * (here - there) / 1e6)


def test_a_warm_cache_keeps_a_long_conversation_where_it_is_for_a_call_but_not_for_many() -> None:
    long = move(input_tokens=150_000)
    assert gain_usd(long) < cost_usd(long)
    assert gain_usd(long._replace(calls_expected=5)) > cost_usd(long)


def test_downward_an_unknown_price_promises_nothing() -> None:
    assert gain_usd(move(here=None)) == gain_usd(move(there=Price(1.0, None))) == 0.0


def test_upward_the_gain_is_what_the_tiers_are_worth_whatever_they_cost_per_call() -> None:
    up = move(from_tier=ModelTier.SMALL, to_tier=ModelTier.FRONTIER, here=FREE, there=DEAR)
    assert gain_usd(up) == 2 * TIER_WORTH_USD
    assert gain_usd(up) > cost_usd(up)


def test_upward_one_tier_pays_for_110_000_tokens_at_opus_prices() -> None:
    """The figure in TIER_WORTH_USD's reason."""
    up = move(from_tier=ModelTier.MID, to_tier=ModelTier.FRONTIER, here=CHEAP, there=DEAR)
    assert gain_usd(up) > cost_usd(up._replace(input_tokens=110_000))
    assert gain_usd(up) < cost_usd(up._replace(input_tokens=112_000))
