"""A replica that already failed this exchange is not asked again."""

from __future__ import annotations

from routing.candidates import Candidates, Occasion, Question
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    if not question.tried:
        return []
    return [Reject(candidates.replicas[i].id, RejectReason.ALREADY_TRIED) for i in candidates.among(question.tried)]


GATE = Gate(name="tried", order=10, check=check, occasions=Occasion.RETRY)
