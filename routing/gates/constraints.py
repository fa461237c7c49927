"""Policy wishes: excluded providers, local only, never local."""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import LocalPreference, Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    demand = question.demand
    rejects: list[Reject] = []
    if demand.excluded_providers:
        rejects += [
            Reject(replica.id, RejectReason.EXCLUDED, f"provider {replica.provider_id} is excluded")
            for replica in candidates.replicas
            if replica.provider_id in demand.excluded_providers
        ]
    if demand.local_preference is LocalPreference.REQUIRED:
        rejects += [
            Reject(replica.id, RejectReason.NOT_LOCAL, "the request must not leave this machine")
            for replica in candidates.replicas
            if not replica.is_local and replica.provider_id not in demand.excluded_providers
        ]
    elif demand.local_preference is LocalPreference.DISABLED:
        rejects += [
            Reject(replica.id, RejectReason.LOCAL_DISABLED)
            for replica in candidates.replicas
            if replica.is_local and replica.provider_id not in demand.excluded_providers
        ]
    return rejects


GATE = Gate(name="constraints", order=20, check=check, standing=True)
