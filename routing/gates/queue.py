"""Nobody is sent into a long queue while somebody else can answer: a box that holds two answers at a time spills over like any limit.

Only local replicas, and only those that were seen to keep somebody waiting (`ReplicaState.began`): a vendor's queue is not ours to count,
and a box of which nothing was measured may hold many. Advisory, and the last to speak, so that whoever is stopped here is stopped by
nothing else: a client that names a model waits for it, and so does a request that nobody else can answer.
"""

from __future__ import annotations

from routing.candidates import Candidates, Occasion, Question
from routing.fleet import QUEUE_MOST_S
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    if not question.unwell and question.unwell is not None:
        return []
    rejects: list[Reject] = []
    for i in candidates.to_look_at(question.unwell):
        replica, queue_s = candidates.replicas[i], candidates.states[i].queue_s
        if replica.is_local and queue_s > QUEUE_MOST_S:
            detail = f"about {queue_s:.0f} s of others before it"
            rejects.append(Reject(replica.id, RejectReason.NO_HEADROOM, detail, question.now_s + queue_s - QUEUE_MOST_S))
    return rejects


GATE = Gate(name="queue", order=90, check=check, occasions=Occasion.UNWELL, advisory=True)
