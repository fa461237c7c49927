"""The axis `speed` of the objectives: output tokens per second, measured here, else what the catalog says. Shown; `merit` votes for it."""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.scaling import Scale
from routing.timing import stepped
from routing.types import LogicalModel, ModelReplica

NOISE_TOKENS_PER_S = 10.0
"""People read at five to ten tokens per second: less of a difference is hardly felt."""


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del replica, task
    speed = state.timing.tokens_per_s_ewma
    if speed is not None:
        return stepped(speed)
    return model.output_tokens_per_s


FACTOR = MeasuredFactor("speed", 0.0, measure, Scale.HIGHER_IS_BETTER, NOISE_TOKENS_PER_S)
