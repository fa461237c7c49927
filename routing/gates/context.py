"""Prompt and answer together must fit into the replica's real window. The estimate is rough, so it only advises where a model is named."""

from __future__ import annotations

from routing.candidates import Candidates, Occasion, Question
from routing.gates import Gate
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    demand = question.demand
    tokens = demand.input_tokens_estimated + demand.output_tokens_estimated
    if tokens <= candidates.smallest_window:
        return []
    what = f"about {demand.input_tokens_estimated} tokens of prompt and {demand.output_tokens_estimated} of answer"
    return [
        Reject(replica.id, RejectReason.CONTEXT_TOO_SMALL, f"{what}, window {replica.context_window}")
        for replica in candidates.replicas
        if replica.context_window is not None and tokens > replica.context_window
    ]


GATE = Gate(name="context", order=50, check=check, occasions=Occasion.LONG, advisory=True)
