"""Among equals, who lately got much more than an even part is preferred a little less, and who got less a little more (routing/skew.py)."""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del replica, model, task
    skew = state.skew
    return 0.5 if not skew else min(1.0, max(0.0, 0.5 - skew / 2))


# Less than what the load and a prompt cache may say: it decides among those who are equal in everything else.
FACTOR = MeasuredFactor("skew", 0.2, measure)
