"""Encrypted reasoning and stored responses can be read by the account that made them, and by nobody else."""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    account = question.demand.made_by
    if account is None:
        return []
    return [
        Reject(replica.id, RejectReason.OTHER_ACCOUNT, f"only {account} can read what this conversation carries")
        for replica in candidates.replicas
        if replica.provider_id != account
    ]


GATE = Gate(name="made_by", order=25, check=check, standing=True)
