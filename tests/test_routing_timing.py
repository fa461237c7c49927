"""What a replica's own answers say about the next one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.timing import EXTRAPOLATION, STEPS_PER_DOUBLING, UNMEASURED, Timing, stepped
from tests.playbook import Asked, Began, Dispatched, Finished, Playbook

PAIRS = st.lists(st.tuples(st.integers(0, 200_000), st.floats(0.0, 100.0)), min_size=1, max_size=30)


def after(*answers: tuple[int, float]) -> Timing:
    timing = UNMEASURED
    for tokens, seconds in answers:
        timing = timing.after_first_token(tokens, seconds)
    return timing


def test_nothing_is_known_before_the_first_answer() -> None:
    assert UNMEASURED.expected_ttft_s(1000) is None
    assert after((500, 0.4)).expected_ttft_s(100_000) == 0.4, "one answer says nothing about length"


def test_a_device_that_reads_so_many_tokens_a_second_is_recognised() -> None:
    """0.2 s for the way there, and a thousand tokens a second."""
    timing = after(*[(tokens, 0.2 + tokens / 1000) for tokens in (500, 4000, 1000, 8000, 2000, 6000) * 3])
    for tokens in (1000, 3000, 10_000):
        assert timing.expected_ttft_s(tokens) == pytest.approx(0.2 + tokens / 1000, rel=0.02)


def test_a_longer_prompt_is_never_expected_sooner() -> None:
    timing = after((100, 5.0), (10_000, 0.5), (100, 5.0), (10_000, 0.5))
    assert timing.expected_ttft_s(1_000_000) == timing.expected_ttft_s(1) == timing.ttft_s_ewma


@given(PAIRS, st.integers(0, 10**7))
def test_no_history_leads_far_away_from_what_was_measured(answers: list[tuple[int, float]], tokens: int) -> None:
    timing = after(*answers)
    assert timing.ttft_s_ewma is not None
    expected = timing.expected_ttft_s(tokens)
    assert expected is not None
    assert timing.ttft_s_ewma / EXTRAPOLATION <= expected <= timing.ttft_s_ewma * EXTRAPOLATION


def test_speed_is_learned_from_answers_that_are_long_enough() -> None:
    timing = UNMEASURED.after_answer(7, 1.0).after_answer(1000, 0.001)
    assert timing == UNMEASURED
    timing = timing.after_answer(100, 1.0)
    assert timing.tokens_per_s_ewma == 100.0
    assert timing.after_answer(200, 1.0).tokens_per_s_ewma == pytest.approx(120.0)


@given(st.floats(1e-3, 1e6))
def test_steps_are_near_and_few(value: float) -> None:
    step = stepped(value)
    assert 2 ** (-0.51 / STEPS_PER_DOUBLING) <= step / value <= 2 ** (0.51 / STEPS_PER_DOUBLING)
    assert stepped(step) == step
    assert math.log2(step) * STEPS_PER_DOUBLING == pytest.approx(round(math.log2(step) * STEPS_PER_DOUBLING))


def test_nothing_is_quicker_than_the_least_step() -> None:
    assert stepped(0.0) == stepped(1e-9) > 0.0


def test_the_only_one_that_was_measured_is_neither_preferred_nor_avoided() -> None:
    """What one alone was measured at says nothing of the others."""
    play = Playbook("a", "b") >> Asked() << Dispatched("a") >> Began("a", 30.0) >> Finished("a") >> Asked()
    assert play.decision is not None
    factors = play.decision.evidence.factors
    assert list(factors["latency"]) == list(factors["speed"]) == [0.5, 0.5]
