"""A local model that answered lately is loaded, and the start of its prompts is cached; another would have to be swapped in first.

A remote model is always loaded somewhere, and its prompt cache belongs to the conversation (factor affinity).
"""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del model, task
    return 1.0 if state.is_warm or not replica.is_local else 0.0


FACTOR = MeasuredFactor("warmth", 0.1, measure)
