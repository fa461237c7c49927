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
"""Answers that are remembered before they are learned from: a loop over them costs half of what each costs at its own end, and nobody reads
what they teach while no limit is configured and upstreams report their usage."""

Lesson = tuple[str, Demand, Usage, int]
"""(logical model, demand, usage, output tokens counted)."""


class Sizing:
    """Whoever reads has what every answer taught: lessons are learned before, in their order."""

    __slots__ = ("_calibrations", "_lessons", "_outputs", "_ratio_most")

    def __init__(self, input_ratios: Mapping[str, float] | None = None) -> None:
        """`input_ratios`: logical model id → reported ÷ estimated input tokens, as an earlier process learned them."""
        self._calibrations = {model_id: Calibration(ratio) for model_id, ratio in (input_ratios or {}).items()}
        self._ratio_most = max([1.0, *(input_ratios or {}).values()])
        self._outputs = ExpectedOutputs()
        self._lessons: list[Lesson] = []

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

    def learn(self, logical_model_id: str, demand: Demand, usage: Usage, output_tokens_counted: int) -> None:
        """From an answer whose usage was reported."""
        self._lessons.append((logical_model_id, demand, usage, output_tokens_counted))
        if len(self._lessons) >= LESSONS_MOST:
            self._catch_up()

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
