"""What tokens cost. Pure arithmetic; an unknown price stays unknown."""

from __future__ import annotations

from routing.types import Demand, Price, Usage

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


def expected_cost_usd(input_tokens: int, output_tokens: int, price: Price | None) -> float | None:
    """What a request of this size would cost in USD with nothing cached; None when a part of it has no known price."""
    if price is None or price.input is None or (price.output is None and output_tokens):
        return None
    return (input_tokens * price.input + output_tokens * (price.output or 0.0)) / PER_TOKENS


def demand_cost_usd(demand: Demand, price: Price | None) -> float | None:
    """The estimate for one demand."""
    return expected_cost_usd(demand.input_tokens_estimated, demand.output_tokens_estimated, price)


INPUT_SHARE, OUTPUT_SHARE = 0.6, 0.4
"""The design's blend (issue 3, item 3): agents read far more than they write, and output costs several times as much."""


def blended_price(price: Price | None) -> float | None:
    """USD per 1M tokens of a usual mix; None when unknown. What has no output (embeddings) is priced by its input alone."""
    if price is None or price.input is None:
        return None
    return price.input if price.output is None else INPUT_SHARE * price.input + OUTPUT_SHARE * price.output
