"""Was a choice made among cheaper ones than it would have been, because a budget is nearly used up?"""

from __future__ import annotations

from routing.types import Evidence, RejectReason


def degraded_by(evidence: Evidence) -> str | None:
    """Which budget, what is left of it and what the dearer ones would have needed; None where none had a say."""
    if not evidence.rejected:
        return None
    return next((reject.detail for reject in evidence.rejected if reject.reason is RejectReason.TOO_DEAR), None)
