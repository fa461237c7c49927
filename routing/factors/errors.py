"""The fewer of its newest attempts failed, the better. What fails every other time is never ejected, and still to be avoided."""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del replica, model, task
    return 1.0 - state.error_rate


FACTOR = MeasuredFactor("errors", 1.0, measure)
