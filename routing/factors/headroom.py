"""The more would be left before a limit, the better: spreads traffic before a limit is hit. Unmetered and unknown count as full.

Of several windows the tightest counts: an empty month is not hidden behind a full minute. An unmetered local replica must not look like one
that has used everything up (reference/replica-routing-agentsy.md has both bugs).
"""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del replica, model
    return state.standing.after(task.input_tokens, task.output_tokens)


FACTOR = MeasuredFactor("headroom", 0.3, measure)
