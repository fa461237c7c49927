"""What tokens cost, quickly. Pure arithmetic; an unknown price stays unknown. `ledger/cost.py` counts part by part, and is asked where a
price has conditions.
"""

from __future__ import annotations

from routing.ledger.cost import Circumstances, cost, rates_at
from routing.ledger.terms import PLAIN
from routing.types import Demand, Price, Usage

PER_TOKENS = 1_000_000
"""Prices are USD per this many tokens."""


def cost_usd(usage: Usage, price: Price | None, at_s: float | None = None, lane: str = "standard") -> float | None:
    """The price of `usage` in USD; None when a part that was used has no known price.

    `at_s`: seconds since 1970 when it was asked; without it no price by the hour applies. `lane`: the service tier that answered.
    Cache reads and writes without a price of their own cost what plain input costs, as providers without cache pricing bill them.
    """
    if price is None:
        return None
    input_uncached, cache_read, cache_write, output, _, _, cache_write_1h = usage
    has_more = price.terms is not PLAIN or price.reasoning is not None or price.request is not None
    if lane != "standard" or cache_write_1h or (has_more and _is_special(price, usage, at_s)):
        parts = cost(usage, price, Circumstances(at_s, lane))
        return None if parts is None else parts.total
    if price.input is None or (price.output is None and output):
        return None
    total = input_uncached * price.input + output * (price.output or 0.0)
    if cache_read:
        total += cache_read * (price.input if price.cache_read is None else price.cache_read)
    if cache_write:
        total += cache_write * (price.input if price.cache_write is None else price.cache_write)
    return total / PER_TOKENS


def expected_cost_usd(input_tokens: int, output_tokens: int, price: Price | None) -> float | None:
    """What a request of this size would cost in USD with nothing cached; None when a part of it has no known price.

    Prices by prompt length count, those by the hour do not: an estimate has no clock, and the plain figure is the dearer one wherever a
    provider has hours.
    """
    if price is None:
        return None
    input_, output = price.input, price.output
    if price.terms.overrides and _is_long(price, input_tokens):
        input_, _, _, _, output, _ = rates_at(price, input_tokens, None)
    if input_ is None or (output is None and output_tokens):
        return None
    return (input_tokens * input_ + output_tokens * (output or 0.0)) / PER_TOKENS + (price.request or 0.0)


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


def _is_special(price: Price, usage: Usage, at_s: float | None) -> bool:
    """Does anything but the four plain figures count? Most answers cost those: 0.6 to 1.6 µs here, 9 to 20 part by part (on a
    busy core)."""
    if price.reasoning is not None or price.request is not None:
        return True
    return any(override.applies(usage.input, at_s) for override in price.terms.overrides)


def _is_long(price: Price, input_tokens: int) -> bool:
    """Is the prompt longer than some condition of the price allows?"""
    for override in price.terms.overrides:  # noqa: SIM110 - asked once per replica of a decision: no generator for it
        if override.min_prompt_tokens is not None and input_tokens >= override.min_prompt_tokens:
            return True
    return False
