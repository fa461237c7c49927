"""Embeddings are asked of a model that is made for them where the stage has one, and of nobody else there.

A model that nobody has described is taken to be able to do everything (config/sources.py), so a chat model that a person declared counts
as able to embed. It usually is not, and its 400 is final: no figure of speed or merit may put it before a model that is known to embed.
Advisory: a client that names it is sent there, for it may be an embedding model whose name does not say so. For the same reason a model
that this client may not have, or that is in the wrong place, keeps nobody out.
"""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate, allowed, constraints, dialect, made_by
from routing.types import Capability, LogicalModel, ModelReplica, Reject, RejectReason, UseCase

OF_THE_CLIENT = (allowed.GATE, constraints.GATE, made_by.GATE, dialect.GATE)
"""What bars a candidate for good, as long as the same is asked: all standing, as this one is."""


def check(candidates: Candidates, question: Question) -> list[Reject]:
    if question.demand.dialect != "embeddings":
        return []
    rows = list(zip(candidates.replicas, candidates.models, strict=True))
    embedders = {replica.id for replica, model in rows if is_made_for_it(replica, model)}
    if embedders <= {reject.replica_id for gate in OF_THE_CLIENT for reject in gate.check(candidates, question)}:
        return []
    others = [replica.id for replica, _ in rows if replica.id not in embedders]
    return [Reject(id_, RejectReason.MISSING_CAPABILITY, "not known to embed, and another model here is made for it") for id_ in others]


def is_made_for_it(replica: ModelReplica, model: LogicalModel) -> bool:
    return replica.capability_bits == Capability.EMBEDDINGS or UseCase.EMBED in model.use_cases


GATE = Gate(name="purpose", order=42, check=check, standing=True, advisory=True)
