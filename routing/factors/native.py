"""Who speaks the client's own dialect comes first: bytes that go through as they are lose nothing, and keep a vendor's prompt cache warm.

The vote is small. Translation costs well under a millisecond, and what it loses is told; a better, nearer or cheaper model is worth that.
"""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float:
    del model, state
    return 1.0 if task.dialect in replica.dialects else 0.0


FACTOR = MeasuredFactor("native", 0.2, measure, moves=False)
