"""A model that is made for the use case before one that merely can do it. What it can not do at all is the gates' business."""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del replica, state
    return 1.0 if task.use_case in model.use_cases else 0.0


FACTOR = MeasuredFactor("fit", 0.3, measure, moves=False)
