"""The axis `quality` of the objectives: general capability as the catalog's benchmarks have it. Shown; `merit` votes for it."""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.scaling import Scale
from routing.types import LogicalModel, ModelReplica

NOISE = 0.05
"""On the catalog's scale from 0 to 1: two points of the index that it is made of (scripts/catalog_quality.py). Chosen, not measured: the
models of one tier lie up to eight points apart."""


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del replica, state, task
    return model.quality


FACTOR = MeasuredFactor("quality", 0.0, measure, Scale.HIGHER_IS_BETTER, NOISE, moves=False)
