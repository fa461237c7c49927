"""Estimates of tokens: bounded, at least one, and pulled to where each model's own reports are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.calibration import RATIO_MAX, RATIO_MIN, Calibration, tokens_from_bytes

COUNTS = st.integers(-(2**70), 2**70)


@pytest.mark.parametrize(("size", "tokens"), [(0, 1), (1, 1), (4, 1), (8, 2), (65536, 16384)])
def test_bytes(size: int, tokens: int) -> None:
    assert tokens_from_bytes(size) == tokens


@given(st.lists(st.tuples(COUNTS, COUNTS), max_size=30))
def test_no_history_of_figures_poisons_it(history: list[tuple[int, int]]) -> None:
    calibration = Calibration()
    for estimated, reported in history:
        calibration.learn_input(estimated, reported)
        calibration.learn_output(estimated, reported)
    assert RATIO_MIN <= calibration.input_ratio <= RATIO_MAX
    assert RATIO_MIN <= calibration.output_ratio <= RATIO_MAX
    assert calibration.input_tokens(1000) >= 0


@given(st.floats(0.2, 5), st.integers(1000, 100_000))
def test_it_comes_to_the_models_own_ratio(ratio: float, estimated: int) -> None:
    calibration = Calibration()
    for _ in range(40):
        calibration.learn_input(estimated, round(estimated * ratio))
        calibration.learn_output(estimated, round(estimated * ratio))
    assert calibration.input_tokens(1000) == pytest.approx(1000 * ratio, rel=0.02)
    assert calibration.output_tokens(1000) == pytest.approx(1000 * ratio, rel=0.02)


def test_one_answer_is_not_the_truth() -> None:
    calibration = Calibration()
    calibration.learn_input(100, 200)
    assert calibration.input_tokens(100) == 120


@pytest.mark.parametrize(("estimated", "reported"), [(0, 5), (5, 0), (-1, 5), (5, -1)])
def test_what_says_nothing_teaches_nothing(estimated: int, reported: int) -> None:
    calibration = Calibration()
    calibration.learn_input(estimated, reported)
    assert calibration.input_ratio == 1.0
