"""The axis `cost` of the objectives: USD per token, blended. Shown; `merit` votes for it.

Rated by ratio: what matters is how many times dearer one is than another. On a linear scale one candidate at a hundred times the usual
price makes all others look alike.
"""

from __future__ import annotations

from routing.candidates import Task
from routing.factors import MeasuredFactor
from routing.fleet import Belief
from routing.pricing import blended_price
from routing.scaling import Scale, doublings
from routing.types import LogicalModel, ModelReplica

SMALL_USD = 0.10
"""Per 1M tokens, added before the ratio is taken, so that free has one: a request of 10,000 tokens that is a tenth of a cent cheaper
is not a reason."""

NOISE_DOUBLINGS = 1.0
"""Twice the price counts in full, a reseller's five per cent for a fourteenth."""


def measure(replica: ModelReplica, model: LogicalModel, state: Belief, task: Task) -> float | None:
    del model, state, task
    price = blended_price(replica.price)
    return None if price is None else doublings(price, SMALL_USD)


FACTOR = MeasuredFactor("price", 0.0, measure, Scale.LOWER_IS_BETTER, NOISE_DOUBLINGS, moves=False)
