"""With the retry budget used up, nobody is asked again whose being asked would count against it (routing/failover.py says who)."""

from __future__ import annotations

from routing.candidates import Candidates, Occasion, Question
from routing.failover import is_charged
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    spent, now_s = question.budget_spent, question.now_s
    if spent is None:
        return []
    return [
        Reject(replica.id, RejectReason.RETRY_BUDGET, spent.words, spent.opens_at_s)
        for replica, state in zip(candidates.replicas, candidates.states, strict=True)
        if is_charged(replica, state, spent.tried_providers, now_s)
    ]


# Before headroom and health: a retry that would be panic is a retry first.
GATE = Gate(name="retry_budget", order=57, check=check, occasions=Occasion.RETRY)
