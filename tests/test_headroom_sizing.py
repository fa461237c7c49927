"""Lessons about size: all of them while there are few, a share of them while there are thousands, and whoever reads is up to date."""

from __future__ import annotations

import pytest

from routing.headroom.sizing import LESSON_PERIOD_S, LESSONS_MOST, Sizing
from routing.types import Usage
from tests.playbook import demand_for

DEMAND = demand_for(input_tokens_estimated=100, output_tokens_estimated=512)


def taught(sizing: Sizing, times: int, now_s: float) -> int:
    """So many answers at one moment, as the router hears them: how many it learned from."""
    before = sizing.calibration("m").samples
    for _ in range(times):
        if now_s >= sizing.rests_until_s:
            sizing.learn("m", DEMAND, Usage(200, output=50), 25, now_s)
    return sizing.calibration("m").samples - before


def test_every_answer_teaches_while_they_are_few() -> None:
    sizing = Sizing()
    for second in range(3):
        assert taught(sizing, 1, 100.0 + second) == 1
    assert sizing.calibration("m").input_ratio == pytest.approx(2.0 - 0.8**3)
    assert sizing.size("m", DEMAND).output_tokens < DEMAND.output_tokens_estimated


@pytest.mark.parametrize("asked_between", [False, True], ids=["nobody reads", "somebody reads"])
def test_some_teach_while_they_are_many(asked_between: bool) -> None:
    sizing, end_s = Sizing(), 100.0 + LESSON_PERIOD_S
    if asked_between:
        assert taught(sizing, LESSONS_MOST - 1, 100.0) + taught(sizing, 10, 100.1) == LESSONS_MOST
    else:
        assert taught(sizing, 10 * LESSONS_MOST, 100.0) == LESSONS_MOST
    assert taught(sizing, 10, end_s - 0.01) == 0
    assert taught(sizing, 10, end_s) == 10
