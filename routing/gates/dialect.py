"""The replica must speak the request's dialect."""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    dialect = question.demand.dialect
    return [
        Reject(replica.id, RejectReason.WRONG_DIALECT, f"speaks {', '.join(replica.dialects)}, not {dialect}")
        for replica in candidates.replicas
        if dialect not in replica.dialects
    ]


GATE = Gate(name="dialect", order=30, check=check, standing=True)
