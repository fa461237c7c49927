"""A client's key may be for some models only: the others do not answer it, however they are asked for."""

from __future__ import annotations

from fnmatch import fnmatchcase

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import ModelReplica, Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    patterns = question.demand.models_allowed
    if not patterns:
        return []
    detail = f"the key is for {', '.join(patterns)}"
    return [Reject(each.id, RejectReason.NOT_ALLOWED, detail) for each in candidates.replicas if not is_allowed(each, patterns)]


def is_allowed(replica: ModelReplica, patterns: tuple[str, ...]) -> bool:
    """Does one of `patterns` match its logical model or its id? No patterns allow everything."""
    return not patterns or any(fnmatchcase(replica.logical_model_id, each) or fnmatchcase(replica.id, each) for each in patterns)


GATE = Gate(name="allowed", order=15, check=check, standing=True)
