"""Ejected replicas and replicas whose one probe is out do not answer."""

from __future__ import annotations

from routing.candidates import Candidates, Occasion, Question
from routing.gates import Gate
from routing.health import Health, advance, needs_probe
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    if not question.unwell and question.unwell is not None:
        return []
    rejects: list[Reject] = []
    for i in candidates.to_look_at(question.unwell):
        replica_id, health = candidates.replicas[i].id, candidates.states[i].health
        if not needs_probe(health):
            continue
        advance(health, question.now_s)
        if health.health is Health.EJECTED:
            rejects.append(Reject(replica_id, RejectReason.EJECTED, health.reason, health.ejected_until_s))
        elif health.probe is not None:
            rejects.append(Reject(replica_id, RejectReason.PROBING, "one probe is out", None))
    return rejects


GATE = Gate(name="health", order=60, check=check, occasions=Occasion.UNWELL)
