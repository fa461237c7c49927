"""Nobody is asked beyond a limit: neither one that the upstream has named in a refusal, nor one that is counted or was reported.

All end by themselves, so all say when. The replicas that might not have room for the demand are known by its size
(routing/headroom/near.py); the others need no look.
"""

from __future__ import annotations

from routing.candidates import Candidates, Occasion, Question
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    rejects = _limited(candidates, question) if question.unwell or question.unwell is None else []
    book = question.book
    if book is not None and book.is_watching:
        demand, now_s = question.demand, question.now_s
        near = book.near(demand)
        for i in candidates.among(near) if near else ():
            replica = candidates.replicas[i]
            place = book.place(replica.id)
            block = place.block(book.amounts(place, replica.logical_model_id, demand), now_s)
            if block is not None:
                rejects.append(Reject(replica.id, RejectReason.NO_HEADROOM, block.detail, block.until_s))
    return rejects


def _limited(candidates: Candidates, question: Question) -> list[Reject]:
    rejects: list[Reject] = []
    for i in candidates.to_look_at(question.unwell):
        health = candidates.states[i].health
        if question.now_s < health.limited_until_s:
            rejects.append(Reject(candidates.replicas[i].id, RejectReason.RATE_LIMITED, health.limit_reason, health.limited_until_s))
    return rejects


GATE = Gate(name="headroom", order=58, check=check, occasions=Occasion.UNWELL | Occasion.LIMITS)
