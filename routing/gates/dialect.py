"""The replica must speak the request's dialect, or one into which donut can translate it."""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.translation import upstream_dialect
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    demand = question.demand
    return [
        Reject(replica.id, RejectReason.WRONG_DIALECT, f"speaks {', '.join(replica.dialects)}, not {demand.dialect}")
        for replica in candidates.replicas
        if upstream_dialect(demand, replica) is None
    ]


GATE = Gate(name="dialect", order=30, check=check, standing=True)
