"""One decision, told: as the record that programs read, and as a line for people. Header, journal, API and log all tell this.

The record is made behind the journal's queue, yet on the proxy's own processor: nothing is worked out twice, columns are shared with the
ranking, and members that have their usual value are left out until `told` puts them back. Weights stay in every record: only those it was
decided by explain a score, and the next version or the next reload may have others. (`_value_` of an enum is an attribute, `value` is two
calls of Python in 3.11.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from routing.candidates import objective_for
from routing.degrading import degraded_by
from routing.translation import note_of
from routing.types import (
    Decision,
    Demand,
    Dispatch,
    Escalation,
    Evidence,
    LocalPreference,
    Reject,
    TargetKind,
    capability_names,
    scores_of,
)

STRENGTHS_SHOWN = 3
NO_DIFFERENCE = 1e-9
"""Of a mean of equals rounding may leave a rest."""
REJECTS_SHOWN = 5

CANDIDATES_KEPT = 32
REJECTS_KEPT = 32
"""In a record; the others are counted. Nobody reads five hundred rows, and they would be 100 KB."""

COLUMNS = ("ids", "model_ids", "scores", "factors", "neutrals")
"""Members of a kept record that `told` turns into rows."""

USUAL: Mapping[str, Any] = {
    "rejected_candidates": (),
    "panic": False,
    "spilled_from": None,
    "escalation": None,
    "notes": (),
    "selected_because": (),
}
USUAL_DEMAND: Mapping[str, Any] = {
    "role": None,
    "tier": None,
    "difficulty": None,
    "confidence": None,
    "classified_because": (),
    "policy": None,
    "capabilities": (),
    "local_preference": LocalPreference.PREFERRED.value,
    "excluded_providers": (),
}
"""What a record leaves out."""


class Seen(NamedTuple):
    """The columns of an evidence, put together once."""

    ids: Sequence[str]
    model_ids: Sequence[str]
    scores: Sequence[float]
    factors: Mapping[str, Sequence[float]]
    """Those that set candidates apart."""
    neutrals: Mapping[str, float]
    """Those that are the same for all candidates. They decided nothing, and half of a record would be made of them."""

    def value(self, factor: str, position: int) -> float:
        """0.0 for what is no factor here."""
        column = self.factors.get(factor)
        return self.neutrals.get(factor, 0.0) if column is None else column[position]


def _seen(evidence: Evidence) -> Seen:
    ranking = evidence.ranked.ranking()
    factors, neutrals, scores = ranking.columns, ranking.neutrals, ranking.totals
    if evidence.deviations:
        scores = scores_of(evidence if evidence.ranked is ranking else evidence._replace(ranked=ranking))
        count = range(len(ranking.ids))
        deviating = {name: [values.get(i, neutrals[name]) for i in count] for name, values in evidence.deviations.items()}
        factors = {**factors, **deviating}
    seen = Seen(ranking.ids, ranking.logical_model_ids, scores, factors, neutrals)
    return _parted(_only(seen, [i for i in range(len(ranking.ids)) if i not in evidence.out]) if evidence.out else seen)


def _parted(seen: Seen) -> Seen:
    """What is the same for all, moved to where it is told once."""
    factors: dict[str, Sequence[float]] = {}
    neutrals: dict[str, float] = dict(seen.neutrals)
    count = len(seen.ids)
    for name, column in seen.factors.items():
        if count and column.count(column[0]) == count:
            neutrals[name] = column[0]
        else:
            factors[name] = column
            neutrals.pop(name, None)
    return seen._replace(factors=factors, neutrals=neutrals)


def _only(seen: Seen, positions: Sequence[int]) -> Seen:
    pick = _picker(positions)
    factors = {name: pick(column) for name, column in seen.factors.items()}
    return Seen(pick(seen.ids), pick(seen.model_ids), pick(seen.scores), factors, seen.neutrals)


def _picker(positions: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    if len(positions) > 1:
        return itemgetter(*positions)  # measured: 1.1 µs for 32 of 64, a comprehension 1.8, and there are twenty columns
    return lambda column: [column[i] for i in positions]


def _best(seen: Seen, chosen: int) -> Seen:
    """The best ones, and the chosen one in any case: another replica of a model that failed may come before better ones."""
    ranked = sorted(range(len(seen.ids)), key=seen.scores.__getitem__, reverse=True)[:CANDIDATES_KEPT]
    return _only(seen, ranked if chosen in ranked else [*ranked[:-1], chosen])


def as_record(decision: Decision) -> dict[str, Any]:
    """The decision with its evidence in plain values, as the journal keeps it. Its columns are the ranking's own: read, never changed."""
    evidence = decision.evidence
    seen, target = _seen(evidence), evidence.target
    record: dict[str, Any] = {
        "kind": "refusal",
        "target": {"kind": target.kind._value_, "id": target.id, "because": target.because},
        "demand": _demand(evidence.demand),
    }
    notes = notes_of(decision)
    if isinstance(decision, Dispatch):
        record["kind"] = "dispatch"
        record["logical_model_id"] = decision.replica.logical_model_id
        record["replica_id"] = decision.replica.id
        record["selected_because"] = _because(decision, seen, notes)
        if len(seen.ids) > CANDIDATES_KEPT:
            record["candidates_left_out"] = len(seen.ids) - CANDIDATES_KEPT
            seen = _best(seen, seen.ids.index(decision.replica.id))
    else:
        record["reason"] = decision.reason.value if decision.reason else "nothing_serves_it"
        record["retry_after_s"] = decision.retry_after_s
    record |= zip(COLUMNS, seen, strict=True)
    record["weights"] = evidence.weights
    if notes:
        record["notes"] = notes
    if evidence.rejected:
        _keep_rejects(evidence.rejected, record)
    if evidence.panic:
        record["panic"] = True
    if evidence.spilled_from is not None:
        record["spilled_from"] = evidence.spilled_from.value
        record["escalation"] = evidence.escalation.value if evidence.escalation else None
    return record


def _keep_rejects(rejected: Sequence[Reject], record: dict[str, Any]) -> None:
    record["rejected_candidates"] = [
        {"id": reject.replica_id, "reason": reject.reason.value, "detail": reject.detail, "until": reject.until_s}
        for reject in rejected[:REJECTS_KEPT]
    ]
    if len(rejected) > REJECTS_KEPT:
        record["rejects_left_out"] = dict(Counter(reject.reason.value for reject in rejected[REJECTS_KEPT:]))


def _demand(demand: Demand) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "use_case": demand.use_case._value_,
        "objective": objective_for(demand)._value_,
        "dialect": demand.dialect,
        "harness": demand.harness,
        "input_tokens": demand.input_tokens_estimated,
        "output_tokens": demand.output_tokens_estimated,
        "requested_model": demand.requested_model,
    }
    classified = demand.classification
    if classified is not None:
        kept["role"] = classified.role.value
        kept["tier"] = classified.tier.value
        kept["difficulty"] = classified.difficulty
        kept["confidence"] = classified.confidence
        kept["classified_because"] = classified.reasons
    if demand.policy is not None:
        kept["policy"] = demand.policy
    if demand.capability_bits:
        kept["capabilities"] = capability_names(demand.capability_bits)
    if demand.local_preference is not LocalPreference.PREFERRED:
        kept["local_preference"] = demand.local_preference.value
    if demand.excluded_providers:
        kept["excluded_providers"] = sorted(demand.excluded_providers)
    return kept


def told(record: Mapping[str, Any]) -> dict[str, Any]:
    """A kept record as people and programs read it: the candidates one by one, best first, each with its factors.

    `candidates_left_out` (a number) and `rejects_left_out` (reason → number) are there only when a record has not room for all.
    """
    ids, scores = record["ids"], record["scores"]
    factors = {**record["factors"], **{name: [value] * len(ids) for name, value in record.get("neutrals", {}).items()}}
    model_ids = record.get("model_ids") or [None] * len(ids)  # records from before 0.2 do not say
    candidates = [
        {
            "replica_id": ids[i],
            "logical_model_id": model_ids[i],
            "score": round(scores[i], 4),
            "factors": {name: round(column[i], 4) for name, column in factors.items()},
        }
        for i in sorted(range(len(ids)), key=lambda i: (-scores[i], ids[i]))
    ]
    said = _filled(USUAL, {name: value for name, value in record.items() if name not in COLUMNS})
    if "demand" in record:
        said["demand"] = _filled(USUAL_DEMAND, record["demand"])
    return said | {"candidates": candidates}


def _filled(usual: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    missing = {name: [] if value == () else value for name, value in usual.items() if name not in kept}
    return {**kept, **missing}


def because(decision: Dispatch) -> list[str]:
    """Why this replica, in the order in which it was found: plain phrases."""
    return _because(decision, _seen(decision.evidence), notes_of(decision))


def _because(decision: Dispatch, seen: Seen, notes: Sequence[str]) -> list[str]:
    evidence = decision.evidence
    target = evidence.target
    reasons = [f"{target.kind._value_} {target.id}: {target.because}"]
    if evidence.spilled_from is not None:
        reasons.append(_spilled(evidence, decision.replica.tier.value))
    elif target.kind is TargetKind.POLICY and evidence.stage is not None:
        reasons.append(f"the policy's step {evidence.stage.kind.value} {evidence.stage.id}")
    if evidence.panic:
        reasons.append("every candidate is ejected; this one is the least bad")
    elif len(seen.ids) == 1:
        reasons.append("the only candidate left" if evidence.rejected else "the only replica that serves it")
    else:
        reasons += _strengths(evidence, seen, seen.ids.index(decision.replica.id))
    reasons += notes
    reasons += (f"the ledger has {note}" for note in decision.replica.ledger_notes)
    return reasons


def notes_of(decision: Decision) -> tuple[str, ...]:
    """What was done on the way, the translation that the chosen replica needs included."""
    evidence = decision.evidence
    translated = note_of(evidence.demand, decision.replica) if isinstance(decision, Dispatch) else ()
    degraded = degraded_by(evidence) if isinstance(decision, Dispatch) else None
    spared = (f"a budget asks for cheaper ones: {degraded}",) if degraded is not None else ()
    return (*evidence.demand.notes, *translated, *spared, *evidence.notes)


def _spilled(evidence: Evidence, tier: str) -> str:
    wanted = evidence.spilled_from.value if evidence.spilled_from else ""
    way = {Escalation.UP: "up to", Escalation.DOWN: "down to", None: "to"}[evidence.escalation]
    ids = evidence.ranked.ranking().ids
    rejected = any(reject.replica_id not in ids for reject in evidence.rejected)
    why = "nobody in it can answer" if rejected else "nothing serves it there"
    return f"tier {wanted} is left {way} {tier}: {why}"


def _strengths(evidence: Evidence, seen: Seen, index: int) -> list[str]:
    """What speaks for the chosen one, and what the request itself added."""
    factors, scores, weights = seen.factors, seen.scores, evidence.weights
    count = len(scores)
    shares: list[tuple[float, str]] = []
    for name, column in factors.items():
        if weight := weights[name]:
            share = weight * (column[index] - sum(column) / count)
            if share > NO_DIFFERENCE:
                shares.append((-share, name))
    words = ", ".join([f"{name} {factors[name][index]:.2f}" for _, name in sorted(shares)[:STRENGTHS_SHOWN]])
    score = scores[index]
    place = "best" if score == max(scores) else "one"
    objective = objective_for(evidence.demand)._value_
    reasons = [f"{place} of {count} with score {score:.2f} by objective {objective} ({words or 'all alike'})"]
    if "affinity" in evidence.deviations and seen.value("affinity", index) > 0.0:
        reasons.append("the conversation was answered there before")
    if seen.value("local", index) > 0.0 and evidence.demand.local_preference is LocalPreference.PREFERRED:
        reasons.append("it is local")
    return reasons


def in_words(decision: Decision, reasons: list[str] | None = None) -> str:
    """One line of English. `reasons` are those of `because`, where the caller has them already."""
    if isinstance(decision, Dispatch):
        return f"{decision.replica.id} because {'; '.join(reasons or because(decision))}"
    rejected = decision.evidence.rejected
    if not rejected:
        return f"refused: nothing serves {decision.evidence.target.kind.value} {decision.evidence.target.id}"
    return f"refused: {'; '.join(reject_in_words(reject) for reject in rejected[:REJECTS_SHOWN])}"


def reject_in_words(reject: Reject) -> str:
    return f"{reject.replica_id} {reject.reason.value.replace('_', ' ')}" + (f" ({reject.detail})" if reject.detail else "")
