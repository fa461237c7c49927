"""What would be used up faster than its pace allows is asked only while nobody else can answer (routing/headroom/pacing.py).

Advisory, as a long queue is: a client that names the model gets it, and so does a request that has no other place to go.
"""

from __future__ import annotations

from routing.candidates import Candidates, Occasion, Question
from routing.gates import Gate
from routing.headroom.places import ceiling_block, later
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    book = question.book
    if book is None or not book.has_pacing:
        return []
    demand, now_s = question.demand, question.now_s
    ours = [each for each in book.people.ceilings(demand) if each.is_soft]
    near = book.near(demand)
    rejects: list[Reject] = []
    for i in range(len(candidates.replicas)) if ours else candidates.among(near) if near else ():
        replica = candidates.replicas[i]
        place = book.place(replica.id)
        amounts = book.amounts(place, replica.logical_model_id, demand)
        block = place.soft_block(amounts, now_s)
        for ceiling in ours:
            block = later(block, ceiling_block(ceiling, amounts, now_s))
        if block is not None:
            rejects.append(Reject(replica.id, RejectReason.NO_HEADROOM, block.detail, block.until_s))
    return rejects


GATE = Gate(name="pacing", order=89, check=check, occasions=Occasion.LIMITS, advisory=True)
