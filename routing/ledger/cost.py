"""What one answer costs, part by part. Pure arithmetic: the time comes in, and what is unknown stays unknown.

A part that was used and has no price makes the whole unknown (None), never zero. Three prices stand in for a missing one, as providers
without them bill it: cache reads and writes cost what plain input costs, an hour's cache write what a short one does, reasoning what
output does. Prompt-length conditions look at the whole prompt, and reprice all of the request (OpenAI's, Anthropic's and Google's rule).
"""

from __future__ import annotations

from typing import NamedTuple

from routing.types import Price, Usage

PER_TOKENS = 1_000_000
STANDARD_LANES = frozenset({"", "standard", "default", "auto", "on_demand"})
"""Names of the plain service lane."""


class Circumstances(NamedTuple):
    """What a price may depend on besides the tokens."""

    at_s: float | None = None
    """Seconds since 1970 at which the request was made; None = unknown, and then no price by the hour applies."""
    lane: str = "standard"
    """`batch`, `flex`, `priority`; OpenAI calls it the service tier."""
    prompt_tokens: int | None = None
    """The whole prompt; None = what the usage says."""
    images: int = 0
    """Images that were made."""
    requests: int = 1


PLAIN = Circumstances()


class Cost(NamedTuple):
    """USD, part by part. `total` is their sum, in this order."""

    input: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    cache_write_1h: float = 0.0
    output: float = 0.0
    reasoning: float = 0.0
    request: float = 0.0
    image: float = 0.0

    @property
    def total(self) -> float:
        return sum(self)


def cost(usage: Usage, price: Price | None, when: Circumstances = PLAIN) -> Cost | None:
    """The parts of what `usage` costs; None when a part that was used has no known price, or the lane's factor is not known."""
    if price is None:
        return None
    factor = lane_factor(price, when.lane)
    if factor is None:
        return None
    prompt_tokens = usage.input if when.prompt_tokens is None else when.prompt_tokens
    rates = rates_at(price, prompt_tokens, when.at_s)
    long_writes = max(0, min(usage.cache_write_1h, usage.cache_write))
    reasoning = max(0, min(usage.reasoning, usage.output))
    counts = (usage.input_uncached, usage.cache_read, usage.cache_write - long_writes, long_writes, usage.output - reasoning, reasoning)
    parts = [_part(count, rate, factor / PER_TOKENS) for count, rate in zip(counts, rates, strict=True)]
    # A provider that lists no fee per request has none; one that makes images has a price for them or the whole is unknown.
    parts.append(when.requests * (price.request or 0.0))
    parts.append(_part(when.images, price.image, 1.0))
    known = [part for part in parts if part is not None]
    return Cost(*known) if len(known) == len(parts) else None


def lane_factor(price: Price, lane: str) -> float | None:
    """What the token prices of `lane` are multiplied with; None for a lane whose factor nobody has told."""
    return 1.0 if lane in STANDARD_LANES else dict(price.terms.lanes).get(lane)


Rates = tuple[float | None, float | None, float | None, float | None, float | None, float | None]
"""USD per 1M tokens: input, cache read, cache write, cache write of an hour, output, reasoning."""


def rates_at(price: Price, prompt_tokens: int, at_s: float | None) -> Rates:
    """The token prices in force for a prompt of this size at this time, with those that stand in for missing ones."""
    figures: dict[str, float | None] = {}
    for override in price.terms.overrides:
        if override.applies(prompt_tokens, at_s):
            figures.update(override.figures)
    input_ = figures.get("input", price.input)
    cache_read = figures.get("cache_read", price.cache_read)
    cache_write = figures.get("cache_write", price.cache_write)
    cache_write_1h = figures.get("cache_write_1h", price.cache_write_1h)
    output = figures.get("output", price.output)
    reasoning = figures.get("reasoning", price.reasoning)
    short = input_ if cache_write is None else cache_write
    return (
        input_,
        input_ if cache_read is None else cache_read,
        short,
        short if cache_write_1h is None else cache_write_1h,
        output,
        output if reasoning is None else reasoning,
    )


def _part(count: int, rate: float | None, unit: float) -> float | None:
    if not count:
        return 0.0
    return None if rate is None else count * rate * unit
