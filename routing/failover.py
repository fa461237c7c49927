"""Which failovers count against the retry budget.

The budget protects an upstream that struggles from being asked again and again (routing/retry.py). To leave for another provider, which
is well and has headroom, adds nothing to the load of the one that struggles: it is where the first attempts of the next second will go
anyway. It is therefore free, or one vendor's outage would turn away clients whom another vendor could have answered. What is asked again at
the same provider, and what goes to one that fails as well, is charged. When everybody fails, everybody's error rate says so within a few
answers, and the budget holds for all.
"""

from __future__ import annotations

from collections.abc import Set

from routing.fleet import ReplicaState
from routing.health import Health
from routing.retry import WINDOW_S
from routing.types import ModelReplica

WELL_ERROR_RATE = 0.1
"""Above this it counts as struggling too: one failure among the last four answers (`fleet.ERROR_SMOOTHING`)."""

BACK_S = float(WINDOW_S)
"""One probe that went well is little to go by: after an ejection it counts as well again when a whole window of the budget has passed."""

WAITING_MOST = 10
"""Attempts whose first token has not come are a load of which nobody knows yet how it is borne. In the simulated stampede (seeds 1 to 6),
in which all clouds err, they got up to 56 % more attempts without this bound than with it."""


def is_charged(replica: ModelReplica, state: ReplicaState, tried_providers: Set[str], now_s: float) -> bool:
    """For an attempt on `replica` after others failed at `tried_providers`. Its headroom and its queue are the gates' business."""
    health = state.health
    is_well = health.health is Health.HEALTHY and state.error_rate <= WELL_ERROR_RATE and now_s - health.healed_s >= BACK_S
    return not is_well or state.waiting >= WAITING_MOST or replica.provider_id in tried_providers
