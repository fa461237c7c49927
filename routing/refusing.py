"""Nobody may answer: the refusal says which reason stands for all, and when it is worth asking again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from routing.types import NOBODY, Demand, Evidence, Refusal, Reject, RejectReason

PASSING_REASONS = (
    RejectReason.RATE_LIMITED,
    RejectReason.NO_HEADROOM,
    RejectReason.RETRY_BUDGET,
    RejectReason.OVER_ALLOWANCE,
    RejectReason.TOO_DEAR,
    RejectReason.OVER_BUDGET,
)
"""What ends by itself is the news in a refusal, before anything that would have to be changed."""

FINAL_REASONS = frozenset({RejectReason.OVER_BUDGET, RejectReason.OVER_ALLOWANCE})
"""Whoever asks has used up what they may use: nobody is asked in other tiers instead."""


def is_final(stopped: Sequence[Reject]) -> bool:
    """Does what stops the candidates of one stage keep the demand from the next one?"""
    return any(reject.reason in FINAL_REASONS for reject in stopped)


def refusal(
    demand: Demand, weights: Mapping[str, float], rejects: Sequence[Reject], now_s: float, reason: RejectReason | None = None
) -> Refusal:
    """`reason`: the one that stands for all, where it is known already."""
    waits = [reject.until_s - now_s for reject in rejects if reject.until_s is not None]
    retry_after_s = max(0.0, min(waits)) if waits else None
    return Refusal(reason or _leading(rejects), retry_after_s, Evidence(demand, weights, NOBODY, rejected=rejects))


def _leading(rejects: Sequence[Reject]) -> RejectReason | None:
    """What would have to change: the limit that ends by itself, else what the first gate said of the first candidate not yet tried."""
    reasons = [reject.reason for reject in rejects]
    for passing in PASSING_REASONS:
        if passing in reasons:
            return passing
    untried = [reason for reason in reasons if reason is not RejectReason.ALREADY_TRIED]
    return next(iter(untried or reasons), None)
