"""Use first what would expire unused, and hold back what is used up faster than its window passes.

A plan of which 70 % are left an hour before its reset goes first; one that has spent half of its week on Monday goes last. What is even,
and what has no window with a reset, is neither (routing/headroom/pacing.py). `routing.weights.pacing` in config says how much that counts.
"""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del replica, model, task
    return state.standing.pace


FACTOR = MeasuredFactor("pacing", 0.4, measure)
