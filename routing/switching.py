"""Is it worth it to move a conversation to another tier? Its prompt cache stays behind, and sealed reasoning can not come along.

What moving costs once: every token of the prompt is read anew where it would have been read from the cache,

    cost = input_tokens × (there.input − there.cache_read)

What it gains. Downward, the money that the calls still expected will save, each with a warm cache at either place:

    gain = calls_expected × (call(here) − call(there));   call(p) = input_tokens × p.cache_read + output_tokens × p.output

Upward, an answer that the tier in force is believed not to give: TIER_WORTH_USD for each tier.
"""

from __future__ import annotations

from typing import NamedTuple

from routing.types import TIER_ORDER, ModelTier, Price

TIER_WORTH_USD = 0.5
"""Chosen, not measured: what a minute of the person who waits for a stuck agent costs. At Claude Opus's prices (5.0 fresh, 0.5 cached, per
1M tokens) it pays for moving 110,000 tokens."""

PER_TOKEN = 1e-6
"""Prices are per 1M tokens."""


class Move(NamedTuple):
    """A conversation that could go from the tier it is in to another."""

    from_tier: ModelTier
    to_tier: ModelTier
    here: Price | None
    """Of the replica that it is with; None when unknown."""
    there: Price | None
    """Of the cheapest replica of the other tier."""
    input_tokens: int
    output_tokens: int
    calls_expected: int
    """How many calls are still to come in this turn. About as many as there were: nothing better is known of a loop than its age."""


def cost_usd(move: Move) -> float:
    """Of reading the prompt anew. An unknown price counts as zero: it can not be held against the move."""
    price = move.there
    if price is None or price.input is None:
        return 0.0
    return move.input_tokens * (price.input - _cached(price)) * PER_TOKEN


def gain_usd(move: Move) -> float:
    """See the module."""
    steps = TIER_ORDER.index(move.to_tier) - TIER_ORDER.index(move.from_tier)
    if steps > 0:
        return steps * TIER_WORTH_USD
    here, there = _call_usd(move, move.here), _call_usd(move, move.there)
    return move.calls_expected * (here - there) if here is not None and there is not None else 0.0


def _call_usd(move: Move, price: Price | None) -> float | None:
    if price is None or price.input is None or price.output is None:
        return None
    return (move.input_tokens * _cached(price) + move.output_tokens * price.output) * PER_TOKEN


def _cached(price: Price) -> float:
    """Without a price for it there is no cache as far as anybody knows."""
    fresh = price.input or 0.0
    return fresh if price.cache_read is None else min(fresh, price.cache_read)
