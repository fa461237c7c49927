"""Sooner is better: the seconds until the whole answer to a demand of this size, as this replica's own answers let expect.

Prompt and answer are predicted from what was measured (routing/timing.py). Local replicas have a queue besides: one device reads one
prompt after the other, so each attempt that waits for its first token comes before this one. A remote account's queue is in its times.
"""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.scaling import Scale
from routing.timing import stepped
from routing.types import LogicalModel, ModelReplica

NOISE_S = 1.0
"""A second is where waiting begins to interrupt a person's train of thought (Nielsen, Usability Engineering, 1993, ch. 5)."""


def expected_start_s(replica: ModelReplica, state: Belief, task: Task) -> float | None:
    """Seconds until the first token, the local queue included; None while nothing was measured."""
    ttft_s = state.timing.expected_ttft_s(task.input_tokens)
    if ttft_s is None or not replica.is_local:
        return ttft_s
    return ttft_s * (1 + state.waiting)


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    start_s = expected_start_s(replica, state, task)
    if start_s is None:
        return None
    speed = state.timing.tokens_per_s_ewma or model.output_tokens_per_s
    return stepped(start_s + task.output_tokens / speed if speed else start_s)


FACTOR = MeasuredFactor("latency", 0.5, measure, Scale.LOWER_IS_BETTER, NOISE_S)
