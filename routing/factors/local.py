"""Local replicas first, the more so the smaller the tier: a frontier question is not answered worse for being nearer.

Bonus per tier from the design: micro 100, small 80, mid 20, frontier 0, scaled to [0, 1]. It fades with a first token that takes five to
ten seconds: a model that is being swapped in, or that a long prompt overwhelms, is near but not there.
"""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.factors.latency import expected_start_s
from routing.fleet import Belief
from routing.types import LogicalModel, ModelReplica, ModelTier

BONUS = {ModelTier.MICRO: 1.0, ModelTier.SMALL: 0.8, ModelTier.MID: 0.2, ModelTier.FRONTIER: 0.0}

PATIENCE_S = 5.0
HOPELESS_S = 10.0
"""Where a person's attention is gone (Nielsen again); a cold start of a model on a disk takes about as long."""


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del model
    if not replica.is_local:
        return 0.0
    start_s = expected_start_s(replica, state, task)
    if start_s is None or start_s <= PATIENCE_S:
        return BONUS[replica.tier]
    return BONUS[replica.tier] * max(0.0, (HOPELESS_S - start_s) / (HOPELESS_S - PATIENCE_S))


FACTOR = MeasuredFactor("local", 1.5, measure)
