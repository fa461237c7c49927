"""What tokens cost. Pure arithmetic; an unknown price stays unknown."""

from __future__ import annotations

from routing.types import Price, Usage

PER_TOKENS = 1_000_000
"""Prices are USD per this many tokens."""


def cost_usd(usage: Usage, price: Price | None) -> float | None:
    """The price of `usage` in USD; None when a part that was used has no known price.

    Cache reads and writes without a price of their own cost what plain input costs, as providers without cache pricing bill them.
    """
    if price is None or price.input is None or (price.output is None and usage.output):
        return None
    cache_read = price.input if price.cache_read is None else price.cache_read
    cache_write = price.input if price.cache_write is None else price.cache_write
    total = (
        usage.input_uncached * price.input
        + usage.cache_read * cache_read
        + usage.cache_write * cache_write
        + usage.output * (price.output or 0.0)
    )
    return total / PER_TOKENS
