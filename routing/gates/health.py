"""Ejected replicas, replicas whose one probe is out, and replicas at their rate limit do not answer."""

from __future__ import annotations

from routing.candidates import Candidates, Question
from routing.gates import Gate
from routing.health import Health, advance
from routing.types import Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    if question.all_well:
        return []
    now_s = question.now_s
    rejects: list[Reject] = []
    for replica, state in zip(candidates.replicas, candidates.states, strict=True):
        health = state.health
        if health.health is Health.HEALTHY and now_s >= health.limited_until_s:
            continue
        advance(health, now_s)
        if now_s < health.limited_until_s:
            rejects.append(Reject(replica.id, RejectReason.RATE_LIMITED, health.limit_reason, health.limited_until_s))
        elif health.health is Health.EJECTED:
            rejects.append(Reject(replica.id, RejectReason.EJECTED, health.reason, health.ejected_until_s))
        elif health.probe is not None:
            rejects.append(Reject(replica.id, RejectReason.PROBING, "one probe is out", None))
    return rejects


GATE = Gate(name="health", order=60, check=check)
