"""The estimated prompt must fit into the replica's real window. The estimate is rough, so the margin is the model's."""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    tokens = question.demand.input_tokens_estimated
    if tokens <= candidates.smallest_window:
        return []
    return [
        Reject(replica.id, RejectReason.CONTEXT_TOO_SMALL, f"about {tokens} tokens of prompt, window {replica.context_window}")
        for replica in candidates.replicas
        if replica.context_window is not None and tokens > replica.context_window
    ]


GATE = Gate(name="context", order=50, check=check, advisory=True)
