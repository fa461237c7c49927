"""How many tokens a demand will take at a model: the estimate of its prompt, calibrated, and the answer that is expected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from routing.calibration import Calibration
from routing.headroom.expected import ExpectedOutputs
from routing.types import Demand, Usage


class Size(NamedTuple):
    input_tokens: int
    output_tokens: int


LESSONS_MOST = 64
LESSON_PERIOD_S = 0.25
"""So many answers teach in such a time: all of them while they are few, the first of each quarter of a second while there are thousands.
Five outweigh all before them, and to learn from one costs a twenty-fifth of a small request. They are remembered until somebody reads
what they teach, or the next period begins: a loop over them costs half of what each costs at its own end."""

Lesson = tuple[str, Demand, Usage, int]
"""(logical model, demand, usage, output tokens counted)."""


class Sizing:
    """Whoever reads has what every lesson taught: they are learned before, in their order."""

    __slots__ = ("_calibrations", "_lessons", "_lessons_left", "_outputs", "_period_ends_s", "_ratio_most", "rests_until_s")

    def __init__(self, input_ratios: Mapping[str, float] | None = None) -> None:
        """`input_ratios`: logical model id → reported ÷ estimated input tokens, as an earlier process learned them."""
        self._calibrations = {model_id: Calibration(ratio) for model_id, ratio in (input_ratios or {}).items()}
        self._ratio_most = max([1.0, *(input_ratios or {}).values()])
        self._outputs = ExpectedOutputs()
        self._lessons: list[Lesson] = []
        self._lessons_left = LESSONS_MOST
        self._period_ends_s = -math.inf
        self.rests_until_s = -math.inf
        """Nothing that is heard before is learned."""

    @property
    def outputs(self) -> ExpectedOutputs:
        self._catch_up()
        return self._outputs

    def calibration(self, logical_model_id: str) -> Calibration:
        self._catch_up()
        return self._calibration(logical_model_id)

    def _calibration(self, logical_model_id: str) -> Calibration:
        found = self._calibrations.get(logical_model_id)
        if found is None:
            found = self._calibrations[logical_model_id] = Calibration()
        return found

    def size(self, logical_model_id: str, demand: Demand) -> Size:
        outputs = self.outputs
        known, estimated = self._calibrations.get(logical_model_id), demand.input_tokens_estimated
        return Size(known.input_tokens(estimated) if known is not None else estimated, outputs.expected(logical_model_id, demand))

    def most_tokens(self, demand: Demand) -> int:
        """No model takes more than so many, by all that was learned: what lets most limits be passed without a look."""
        output_tokens = max(demand.output_tokens_estimated, self.outputs.most)
        return math.ceil(demand.input_tokens_estimated * self._ratio_most) + output_tokens

    def learn(self, logical_model_id: str, demand: Demand, usage: Usage, output_tokens_counted: int, now_s: float) -> None:
        """From an answer whose usage was reported. To be asked before: `rests_until_s`."""
        if now_s >= self._period_ends_s:
            self._catch_up()
            self._period_ends_s = now_s + LESSON_PERIOD_S
            self._lessons_left = LESSONS_MOST
        self._lessons.append((logical_model_id, demand, usage, output_tokens_counted))
        self._lessons_left -= 1
        if not self._lessons_left:
            self.rests_until_s = self._period_ends_s

    def _catch_up(self) -> None:
        if not self._lessons:
            return
        lessons, self._lessons = self._lessons, []
        for logical_model_id, demand, usage, output_tokens_counted in lessons:
            calibration = self._calibration(logical_model_id)
            calibration.learn_input(demand.input_tokens_estimated, usage.input)
            calibration.learn_output(output_tokens_counted, usage.output)
            self._ratio_most = max(self._ratio_most, calibration.input_ratio)
            self._outputs.learn(logical_model_id, demand, usage.output)
