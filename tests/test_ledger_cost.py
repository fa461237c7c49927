"""The cost of one answer: thirty requests counted by hand, and what must hold for every one."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.ledger.cost import Circumstances, Cost, cost, lane_factor
from routing.ledger.terms import PriceOverride, Terms, as_text, minutes_of
from routing.pricing import cost_usd
from routing.types import Price, Usage


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


WEEKDAYS = (0, 1, 2, 3, 4)
LONG = 272_001
SOL = Price(
    2.0,
    10.0,
    0.1,
    2.5,
    terms=Terms(
        (PriceOverride((("input", 4.0), ("output", 15.0), ("cache_read", 0.2), ("cache_write", 5.0)), LONG),),
        (("batch", 0.5), ("flex", 0.5), ("priority", 2.0)),
    ),
)
HAIKU = Price(
    0.1,
    0.5,
    0.01,
    0.125,
    cache_write_1h=0.2,
    terms=Terms((PriceOverride((("input", 0.5), ("output", 2.5), ("cache_read", 0.05), ("cache_write", 0.625)), 100_001),)),
)
_OFF_PEAK = (("input", 0.66), ("output", 1.98), ("cache_read", 0.022))
DEEPSEEK = Price(
    1.32,
    3.96,
    0.044,
    terms=Terms(
        (
            PriceOverride(_OFF_PEAK, None, 0, 60, WEEKDAYS),
            PriceOverride(_OFF_PEAK, None, 240, 360, WEEKDAYS),
            PriceOverride(_OFF_PEAK, None, 600, 0, WEEKDAYS),
            PriceOverride(_OFF_PEAK, None, 0, 0, (5, 6)),
        )
    ),
)
THINKER = Price(1.0, 4.0, reasoning=8.0)
SEARCHER = Price(1.0, 1.0, request=0.005, image=0.04)
ANNOUNCED = Price(3.0, 15.0, terms=Terms((PriceOverride((("input", 2.0), ("output", 10.0)), effective_from_s=at("2026-12-01")),)))
SATURDAY, MONDAY = "2026-11-21", "2026-11-23"

# usage, price, circumstances, USD as counted by hand: figure by figure in the comment.
BY_HAND = [
    (Usage(1_000_000), SOL, {}, 2.00),  # but see the long prompt below: a million is long
    (Usage(100_000), SOL, {}, 0.20),  # 0.1 M × 2
    (Usage(100_000, output=10_000), SOL, {}, 0.30),  # 0.20 + 0.01 M × 10
    (Usage(20_000, 180_000, output=2_000), SOL, {}, 0.078),  # 0.04 + 0.18 M × 0.1 + 0.02
    (Usage(0, 0, 40_000, 1_000), SOL, {}, 0.11),  # 0.04 M × 2.5 + 0.01
    (Usage(272_000), SOL, {}, 0.544),  # the limit itself is still short
    (Usage(272_001), SOL, {}, 1.088004),  # one more, and every token costs 4
    (Usage(200_000, 100_000, output=10_000), SOL, {}, 0.97),  # long by its whole prompt: 0.8 + 0.02 + 0.15
    (Usage(0, 300_000, output=100_000), SOL, {}, 1.56),  # all of it cached and long: 0.06 + 1.5
    (Usage(100_000, output=10_000), SOL, {"lane": "batch"}, 0.15),
    (Usage(100_000, output=10_000), SOL, {"lane": "flex"}, 0.15),
    (Usage(100_000, output=10_000), SOL, {"lane": "priority"}, 0.60),
    (Usage(300_000, output=10_000), SOL, {"lane": "batch"}, 0.675),  # (1.2 + 0.15) / 2
    (Usage(100_000, output=10_000, reasoning=9_000), SOL, {}, 0.30),  # reasoning is output, once
    (Usage(50_000, output=1_000), HAIKU, {}, 0.0055),
    (Usage(100_001, output=1_000), HAIKU, {}, 0.0525005),  # the fivefold jump
    (Usage(0, 0, 50_000), HAIKU, {}, 0.00625),
    (Usage(0, 0, 50_000, cache_write_1h=50_000), HAIKU, {}, 0.01),  # an hour's writes: 0.05 M × 0.2
    (Usage(0, 0, 50_000, cache_write_1h=20_000), HAIKU, {}, 0.00775),  # 0.03 M × 0.125 + 0.02 M × 0.2
    (Usage(100_000, 50_000, output=10_000), DEEPSEEK, {"at_s": at(f"{MONDAY}T02:00")}, 0.1738),  # peak: 0.132 + 0.0022 + 0.0396
    (Usage(100_000, 50_000, output=10_000), DEEPSEEK, {"at_s": at(f"{MONDAY}T05:00")}, 0.0869),  # half of it
    (Usage(100_000), DEEPSEEK, {"at_s": at(f"{MONDAY}T00:59:59")}, 0.066),
    (Usage(100_000), DEEPSEEK, {"at_s": at(f"{MONDAY}T01:00")}, 0.132),
    (Usage(100_000), DEEPSEEK, {"at_s": at(f"{MONDAY}T23:59")}, 0.066),
    (Usage(100_000), DEEPSEEK, {"at_s": at(f"{SATURDAY}T02:00")}, 0.066),  # the weekend is off-peak
    (Usage(100_000), DEEPSEEK, {}, 0.132),  # nobody knows when: the plain figure
    (Usage(10_000, output=5_000, reasoning=4_000), THINKER, {}, 0.046),  # 0.01 + 0.004 + 0.032
    (Usage(1_000, output=1_000), SEARCHER, {}, 0.007),
    (Usage(1_000), SEARCHER, {"images": 3, "requests": 2}, 0.131),  # 0.001 + 0.01 + 0.12
    (Usage(100_000, output=10_000), ANNOUNCED, {"at_s": at("2026-11-30T23:59")}, 0.45),
    (Usage(100_000, output=10_000), ANNOUNCED, {"at_s": at("2026-12-01")}, 0.30),
    (Usage(30_000, 70_000, 5_000, 2_000), Price(3.0, 15.0), {}, 0.345),  # no cache prices: all input costs 3
]
BY_HAND[0] = (Usage(1_000_000), SOL, {"prompt_tokens": 200_000}, 2.00)  # whoever knows better says how long the prompt was


@pytest.mark.parametrize(("usage", "price", "when", "usd"), BY_HAND)
def test_thirty_requests_counted_by_hand(usage: Usage, price: Price, when: dict[str, float], usd: float) -> None:
    found = cost(usage, price, Circumstances(**when))  # type: ignore[arg-type]
    assert found is not None
    assert found.total == pytest.approx(usd, rel=1e-12)


def test_there_are_thirty() -> None:
    assert len(BY_HAND) >= 30


TOKENS = st.integers(0, 10**7)
RATE = st.floats(0, 500, allow_nan=False)
FIELDS = st.sampled_from(("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"))
MINUTES = st.none() | st.integers(0, 1439)
OVERRIDES = st.builds(
    PriceOverride,
    st.dictionaries(FIELDS, RATE, max_size=4).map(lambda figures: tuple(figures.items())),
    st.none() | st.integers(0, 10**6),
    MINUTES,
    MINUTES,
    st.none() | st.sets(st.integers(0, 6)).map(lambda days: tuple(sorted(days))),
    st.none() | st.floats(0, 4e9),
)
PRICES = st.builds(
    Price,
    RATE,
    RATE,
    st.none() | RATE,
    st.none() | RATE,
    st.just("test"),
    st.none() | RATE,
    st.none() | RATE,
    st.none() | RATE,
    st.none() | RATE,
    st.builds(Terms, st.lists(OVERRIDES, max_size=3).map(tuple), st.just((("batch", 0.5),))),
)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, st.booleans(), TOKENS)
TIMES = st.none() | st.floats(0, 4e9)


@given(USAGES, PRICES, TIMES)
def test_the_total_is_the_sum_of_its_parts(usage: Usage, price: Price, at_s: float | None) -> None:
    when = Circumstances(at_s, prompt_tokens=usage.input)
    whole = cost(usage, price, when)
    assert whole is not None
    assert whole.total == sum(whole)
    assert all(part >= 0 for part in whole)
    long_writes, reasoning = min(usage.cache_write_1h, usage.cache_write), min(usage.reasoning, usage.output)
    alone = [
        Usage(usage.input_uncached),
        Usage(cache_read=usage.cache_read),
        Usage(cache_write=usage.cache_write - long_writes),
        Usage(cache_write=long_writes, cache_write_1h=long_writes),
        Usage(output=usage.output - reasoning),
        Usage(output=reasoning, reasoning=reasoning),
    ]
    costs = [cost(part, price, when._replace(requests=0)) for part in alone]
    assert whole.total == pytest.approx(sum(part.total for part in costs if part is not None) + (price.request or 0.0))


@given(USAGES, PRICES, TIMES)
def test_the_journal_counts_the_same(usage: Usage, price: Price, at_s: float | None) -> None:
    whole = cost(usage, price, Circumstances(at_s))
    assert whole is not None
    assert cost_usd(usage, price, at_s) == pytest.approx(whole.total)


def test_an_unknown_price_of_a_used_part_makes_the_whole_unknown() -> None:
    assert cost(Usage(1), None) is None
    assert cost(Usage(1), Price(None, 1.0)) is None
    assert cost(Usage(0, output=1), Price(1.0, None)) is None
    assert cost(Usage(1), Price(1.0, None)) == Cost(1e-6)
    assert cost(Usage(1), Price(1.0, 1.0), Circumstances(images=1)) is None
    assert cost(Usage(1), SOL, Circumstances(lane="turbo")) is None
    assert (lane_factor(SOL, "default"), lane_factor(SOL, "flex"), lane_factor(HAIKU, "batch")) == (1.0, 0.5, None)


def test_a_later_override_wins_figure_by_figure() -> None:
    price = Price(1.0, 2.0, terms=Terms((PriceOverride((("input", 3.0), ("output", 4.0)), 10), PriceOverride((("input", 5.0),), 20))))
    figures = {tokens: cost(Usage(1_000_000, output=1_000_000), price, Circumstances(prompt_tokens=tokens)) for tokens in (9, 10, 20)}
    assert {tokens: (found.input, found.output) for tokens, found in figures.items() if found} == {9: (1, 2), 10: (3, 4), 20: (5, 4)}


def test_hours_are_read_and_shown() -> None:
    assert [minutes_of(text) for text in ("0000", "01:30", "930", "16:30", "2400")] == [0, 90, 570, 990, 0]
    for wrong in ("", "2500", "0960", "noon", "12345", "-100"):
        with pytest.raises(ValueError, match="time of day"):
            minutes_of(wrong)
    assert as_text(DEEPSEEK.terms.overrides[2]) == "10:00–00:00 UTC, Mon Tue Wed Thu Fri"
    assert as_text(SOL.terms.overrides[0]) == "prompt ≥ 272,001 tokens"
    assert as_text(PriceOverride()) == "always"
