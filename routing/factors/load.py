"""The fewer attempts a replica has in flight, the better: spreads equal replicas, and steers around one that hangs."""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del replica, model, task
    return 1.0 / (1 + state.in_flight)


FACTOR = MeasuredFactor("load", 0.25, measure, by_load=True)
