"""Nobody is asked beyond a limit: neither one that the upstream has named in a refusal, nor one that is counted here.

Both end by themselves, so both say when.
"""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    if not question.unwell and question.unwell is not None:
        return []
    now_s = question.now_s
    rejects: list[Reject] = []
    for i in candidates.to_look_at(question.unwell):
        replica_id, state = candidates.replicas[i].id, candidates.states[i]
        if now_s < state.health.limited_until_s:
            rejects.append(Reject(replica_id, RejectReason.RATE_LIMITED, state.health.limit_reason, state.health.limited_until_s))
        elif state.headroom <= 0.0 and (state.headroom_until_s is None or now_s < state.headroom_until_s):
            rejects.append(Reject(replica_id, RejectReason.NO_HEADROOM, "its limit is used up", state.headroom_until_s))
    return rejects


GATE = Gate(name="headroom", order=58, check=check)
