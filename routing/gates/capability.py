"""The model must be able to do what the request needs: tools, json, vision, embeddings."""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import Reject, RejectReason, capability_names


def check(candidates: Candidates, question: Question) -> list[Reject]:
    needed = question.demand.capability_bits
    if not needed:
        return []
    return [
        Reject(
            replica.id,
            RejectReason.MISSING_CAPABILITY,
            f"no {', '.join(capability_names(needed & ~replica.capability_bits))}",
        )
        for replica in candidates.replicas
        if needed & ~replica.capability_bits
    ]


GATE = Gate(name="capability", order=40, check=check, standing=True, advisory=True)
