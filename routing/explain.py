"""One decision, told: as the record that programs read, and as a line for people. Header, journal, API and log all tell this."""

from __future__ import annotations

from typing import Any

from routing.types import Decision, Dispatch, Evidence, Reject


def as_dict(decision: Decision) -> dict[str, Any]:
    """The decision with its evidence in plain values, ready for JSON. Candidates come best first."""
    evidence = decision.evidence
    record: dict[str, Any] = {
        "kind": "dispatch" if isinstance(decision, Dispatch) else "refusal",
        "target": {"kind": evidence.target.kind.value, "id": evidence.target.id, "because": evidence.target.because},
        "candidates": _candidates(evidence),
        "weights": dict(evidence.weights),
        "rejected_candidates": [
            {"id": reject.replica_id, "reason": reject.reason.value, "detail": reject.detail, "until": reject.until_s}
            for reject in evidence.rejected
        ],
        "panic": evidence.panic,
        "spilled_from": evidence.spilled_from.value if evidence.spilled_from else None,
        "notes": list(evidence.notes),
    }
    if isinstance(decision, Dispatch):
        replica = decision.replica
        record["logical_model_id"] = replica.logical_model_id
        record["replica_id"] = replica.id
        record["selected_because"] = because(decision)
    else:
        record["reason"] = decision.reason.value if decision.reason else "nothing_serves_it"
        record["retry_after_s"] = decision.retry_after_s
        record["selected_because"] = []
    return record


def _candidates(evidence: Evidence) -> list[dict[str, Any]]:
    order = sorted(range(len(evidence.candidates)), key=lambda i: (-evidence.scores[i], evidence.candidates[i]))
    return [
        {
            "replica_id": evidence.candidates[i],
            "score": round(evidence.scores[i], 4),
            "factors": {name: round(column[i], 4) for name, column in evidence.factors.items()},
        }
        for i in order
    ]


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


def in_words(decision: Decision) -> str:
    """One line of English."""
    if isinstance(decision, Dispatch):
        return f"{decision.replica.id} because {'; '.join(because(decision))}"
    rejected = decision.evidence.rejected
    if not rejected:
        return f"refused: nothing serves {decision.evidence.target.kind.value} {decision.evidence.target.id}"
    return f"refused: {'; '.join(reject_in_words(reject) for reject in rejected[:5])}"


def reject_in_words(reject: Reject) -> str:
    return f"{reject.replica_id} {reject.reason.value.replace('_', ' ')}" + (f" ({reject.detail})" if reject.detail else "")
