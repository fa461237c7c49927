"""What this request would cost, in USD, prompt and answer at their own prices. An unknown price is neither free nor the dearest.

Rated by ratio, as `price` is. The vote is small: what cost is worth in general is the objective's business (`merit`). This one tells a dear
answer to a long prompt from a dear price for a short one.
"""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.pricing import expected_cost_usd
from routing.scaling import Scale, doublings
from routing.types import LogicalModel, ModelReplica

SMALL_USD = 0.01
"""Added before the ratio is taken: below a cent per request nobody counts."""

NOISE_DOUBLINGS = 1.0
"""As in factors/price.py."""


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del model, state
    usd = expected_cost_usd(task.input_tokens, task.output_tokens, replica.price)
    return None if usd is None else doublings(usd, SMALL_USD)


FACTOR = MeasuredFactor("cost", 0.2, measure, Scale.LOWER_IS_BETTER, NOISE_DOUBLINGS, moves=False)
