"""One decision, told: as the record that programs read, and as a line for people. Header, journal, API and log all tell this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routing.types import Decision, Dispatch, Evidence, Reject


def as_record(decision: Decision) -> dict[str, Any]:
    """The decision with its evidence in plain values, as the journal keeps it: columns, as they were computed. See `told`."""
    evidence = decision.evidence
    record: dict[str, Any] = {
        "target": {"kind": evidence.target.kind.value, "id": evidence.target.id, "because": evidence.target.because},
        "ids": evidence.candidates,
        "scores": evidence.scores,
        "factors": evidence.factors,
        "weights": evidence.weights,
        "rejected_candidates": [
            {"id": reject.replica_id, "reason": reject.reason.value, "detail": reject.detail, "until": reject.until_s}
            for reject in evidence.rejected
        ],
        "panic": evidence.panic,
        "spilled_from": evidence.spilled_from.value if evidence.spilled_from else None,
        "notes": evidence.notes,
    }
    if isinstance(decision, Dispatch):
        record["kind"] = "dispatch"
        record["logical_model_id"] = decision.replica.logical_model_id
        record["replica_id"] = decision.replica.id
        record["selected_because"] = because(decision)
    else:
        record["kind"] = "refusal"
        record["reason"] = decision.reason.value if decision.reason else "nothing_serves_it"
        record["retry_after_s"] = decision.retry_after_s
        record["selected_because"] = []
    return record


def told(record: Mapping[str, Any]) -> dict[str, Any]:
    """A kept record as people and programs read it: the candidates one by one, best first, each with its factors."""
    ids, scores, factors = record["ids"], record["scores"], record["factors"]
    order = sorted(range(len(ids)), key=lambda i: (-scores[i], ids[i]))
    candidates = [
        {"replica_id": ids[i], "score": round(scores[i], 4), "factors": {name: round(column[i], 4) for name, column in factors.items()}}
        for i in order
    ]
    rest = {name: value for name, value in record.items() if name not in ("ids", "scores", "factors")}
    return rest | {"candidates": candidates}


def because(decision: Dispatch) -> list[str]:
    """Why this replica, in the order of weight: plain phrases."""
    evidence, replica = decision.evidence, decision.replica
    reasons = [f"{evidence.target.kind.value} {evidence.target.id}: {evidence.target.because}"]
    if evidence.spilled_from is not None:
        reasons.append(f"nothing serves tier {evidence.spilled_from.value}, so {replica.tier.value} answers")
    if evidence.panic:
        reasons.append("every candidate is ejected; this one is the least bad")
    elif len(evidence.candidates) == 1:
        reasons.append("the only candidate left" if evidence.rejected else "the only replica that serves it")
    else:
        reasons.append(_strengths(evidence, evidence.candidates.index(replica.id)))
    reasons.extend(evidence.notes)
    return reasons


def _strengths(evidence: Evidence, index: int) -> str:
    shares = {name: evidence.weights[name] * column[index] for name, column in evidence.factors.items()}
    best = sorted(((share, name) for name, share in shares.items() if share > 0), key=lambda pair: (-pair[0], pair[1]))
    words = ", ".join(f"{name} {evidence.factors[name][index]:.2f}" for _, name in best[:3])
    return f"best of {len(evidence.candidates)} with score {evidence.scores[index]:.2f} ({words or 'all factors zero'})"


def in_words(decision: Decision, reasons: list[str] | None = None) -> str:
    """One line of English. `reasons` are those of `because`, where the caller has them already."""
    if isinstance(decision, Dispatch):
        return f"{decision.replica.id} because {'; '.join(reasons or because(decision))}"
    rejected = decision.evidence.rejected
    if not rejected:
        return f"refused: nothing serves {decision.evidence.target.kind.value} {decision.evidence.target.id}"
    return f"refused: {'; '.join(reject_in_words(reject) for reject in rejected[:5])}"


def reject_in_words(reject: Reject) -> str:
    return f"{reject.replica_id} {reject.reason.value.replace('_', ' ')}" + (f" ({reject.detail})" if reject.detail else "")
