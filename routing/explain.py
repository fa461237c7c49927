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
    Ranking,
    Reject,
    TargetKind,
    capability_names,
)

# Looking a member up in its enum takes ten times as long as a name of this module in Python 3.11.
_PREFERRED = LocalPreference.PREFERRED
_POLICY = TargetKind.POLICY

STRENGTHS_SHOWN = 3
NO_DIFFERENCE = 1e-9
"""Of a mean of equals rounding may leave a rest."""
REJECTS_SHOWN = 5

CANDIDATES_KEPT = 32
REJECTS_KEPT = 32
"""In a record; the others are counted. Nobody reads five hundred rows, and they would be 100 KB."""

PARTED_FROM = 8
"""Candidates. With so many it pays to tell a factor that is the same for all of them once; with two, looking for such factors took a
third of the time that a decision's words take (measured), and saved 90 bytes."""

KEPT_ONLY = ("ids", "model_ids", "scores", "factors", "neutrals", "way", "ledger_notes")
"""Members of a kept record that `told` turns into rows, and into reasons."""

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
    """At least those that set candidates apart."""
    neutrals: Mapping[str, float]
    """Those that are the same for all candidates, unless `factors` has them too."""


def _seen(evidence: Evidence) -> Seen:
    ranking = evidence.ranked.ranking()
    ids, factors, scores = ranking.ids, ranking.columns, ranking.totals
    if evidence.deviations:
        factors, scores = _deviating(evidence, ranking)
    seen = Seen(ids, ranking.logical_model_ids, scores, factors, ranking.neutrals)
    if evidence.out:
        seen = _only(seen, [i for i in range(len(ids)) if i not in evidence.out])
    return _parted(seen) if len(seen.ids) >= PARTED_FROM else seen


def _deviating(evidence: Evidence, ranking: Ranking) -> tuple[Mapping[str, Sequence[float]], Sequence[float]]:
    """The ranking's factors and scores with what this one request adds to them."""
    factors, scores = dict(ranking.columns), list(ranking.totals)
    for name, values in evidence.deviations.items():
        weight, neutral = evidence.weights[name], ranking.neutrals[name]
        factors[name] = column = [neutral] * len(scores)
        for i, value in values.items():
            column[i] = value
            scores[i] += weight * (value - neutral)
    return factors, scores


def _parted(seen: Seen) -> Seen:
    """What is the same for all, moved to where it is told once."""
    factors: dict[str, Sequence[float]] = {}
    neutrals: dict[str, float] = dict(seen.neutrals)
    count = len(seen.ids)
    for name, column in seen.factors.items():
        if column.count(column[0]) == count:
            neutrals[name] = column[0]
        else:
            factors[name] = column
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
    demand = evidence.demand
    seen, target, notes = _seen(evidence), demand.target, notes_of(decision)
    record: dict[str, Any] = {
        "kind": "refusal",
        "target": {"kind": target.kind._value_, "id": target.id, "because": target.because},
        "demand": _demand(demand),
    }
    if isinstance(decision, Dispatch):
        replica = decision.replica
        record["kind"] = "dispatch"
        record["logical_model_id"] = replica.logical_model_id
        record["replica_id"] = replica.id
        if evidence.spilled_from is not None:
            record["way"] = _spilled(evidence, replica.tier.value)
        elif target.kind is _POLICY and evidence.stage is not None:
            record["way"] = f"the policy's step {evidence.stage.kind.value} {evidence.stage.id}"
        if replica.ledger_notes:
            record["ledger_notes"] = replica.ledger_notes
    else:
        record["reason"] = decision.reason.value if decision.reason else "nothing_serves_it"
        record["retry_after_s"] = decision.retry_after_s
    record["ids"], record["model_ids"], record["scores"], record["factors"], record["neutrals"] = seen
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
    if len(seen.ids) > CANDIDATES_KEPT and isinstance(decision, Dispatch):
        _keep_best(seen, decision.replica.id, record)
    return record


def _keep_best(seen: Seen, chosen: str, record: dict[str, Any]) -> None:
    record["selected_because"] = because_of(record)  # while all are there to be compared with
    record["candidates_left_out"] = len(seen.ids) - CANDIDATES_KEPT
    best = _best(seen, seen.ids.index(chosen))
    record["ids"], record["model_ids"], record["scores"], record["factors"], record["neutrals"] = best


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
    if demand.local_preference is not _PREFERRED:
        kept["local_preference"] = demand.local_preference.value
    if demand.excluded_providers:
        kept["excluded_providers"] = sorted(demand.excluded_providers)
    return kept


def told(record: Mapping[str, Any]) -> dict[str, Any]:
    """A kept record as people and programs read it: the candidates one by one, best first, each with its factors.

    `candidates_left_out` (a number) and `rejects_left_out` (reason → number) are there only when a record has not room for all.
    """
    ids, scores = record["ids"], record["scores"]
    factors = dict(record["factors"])
    for name, value in record.get("neutrals", {}).items():
        factors.setdefault(name, [value] * len(ids))
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
    said = _filled(USUAL, {name: value for name, value in record.items() if name not in KEPT_ONLY})
    if record.get("kind") == "dispatch":
        said["selected_because"] = because_of(record)
    if "demand" in record:
        said["demand"] = _filled(USUAL_DEMAND, record["demand"])
    return said | {"candidates": candidates}


def _filled(usual: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    missing = {name: [] if value == () else value for name, value in usual.items() if name not in kept}
    return {**kept, **missing}


def because(decision: Dispatch) -> list[str]:
    """Why this replica, in the order in which it was found: plain phrases."""
    return because_of(as_record(decision))


def because_of(record: Mapping[str, Any], *, is_brief: bool = False) -> list[str]:
    """The same of a kept record of a dispatch. Briefly: without what sets the chosen one apart, which takes as long as all the rest."""
    if "selected_because" in record:  # worked out where there was more to see, or by an older donut
        return list(record["selected_because"])
    target, candidates = record["target"], len(record["ids"])
    reasons = [f"{target['kind']} {target['id']}: {target['because']}"]
    if "way" in record:
        reasons.append(record["way"])
    if "panic" in record:
        reasons.append("every candidate is ejected; this one is the least bad")
    elif candidates == 1:
        reasons.append("the only candidate left" if "rejected_candidates" in record else "the only replica that serves it")
    else:
        _add_standing(record, reasons, is_brief=is_brief)
    if "notes" in record:
        reasons += record["notes"]
    if "ledger_notes" in record:
        reasons += [f"the ledger has {note}" for note in record["ledger_notes"]]
    return reasons


def notes_of(decision: Decision) -> tuple[str, ...]:
    """What was done on the way, the translation that the chosen replica needs included."""
    evidence = decision.evidence
    demand = evidence.demand
    notes = demand.notes
    if isinstance(decision, Dispatch):
        if demand.dialect not in decision.replica.dialects:
            notes += note_of(demand, decision.replica)
        if evidence.rejected and (degraded := degraded_by(evidence)) is not None:
            notes += (f"a budget asks for cheaper ones: {degraded}",)
    return notes + evidence.notes


def _spilled(evidence: Evidence, tier: str) -> str:
    wanted = evidence.spilled_from.value if evidence.spilled_from else ""
    way = {Escalation.UP: "up to", Escalation.DOWN: "down to", None: "to"}[evidence.escalation]
    ids = evidence.ranked.ranking().ids
    rejected = any(reject.replica_id not in ids for reject in evidence.rejected)
    why = "nobody in it can answer" if rejected else "nothing serves it there"
    return f"tier {wanted} is left {way} {tier}: {why}"


def _add_standing(record: Mapping[str, Any], reasons: list[str], *, is_brief: bool) -> None:
    """How the chosen one stands among the candidates, and what the request itself added."""
    factors, neutrals, scores, demand = record["factors"], record["neutrals"], record["scores"], record["demand"]
    index = record["ids"].index(record["replica_id"])
    score = scores[index]
    place = "best" if score == max(scores) else "one"
    strengths = "" if is_brief else f" ({', '.join(_strengths(record, index)) or 'all alike'})"
    reasons.append(f"{place} of {len(scores)} with score {score:.2f} by objective {demand['objective']}{strengths}")
    if _value(factors, neutrals, "affinity", index) > 0.0:
        reasons.append("the conversation was answered there before")
    if "local_preference" not in demand and _value(factors, neutrals, "local", index) > 0.0:
        reasons.append("it is local")


def _strengths(record: Mapping[str, Any], index: int) -> list[str]:
    """What speaks for the chosen one."""
    factors, weights, count = record["factors"], record["weights"], len(record["ids"])
    shares: list[tuple[float, str]] = []
    for name, column in factors.items():
        share = weights[name] * (column[index] - sum(column) / count)
        if share > NO_DIFFERENCE:
            shares.append((-share, name))
    return [f"{name} {factors[name][index]:.2f}" for _, name in sorted(shares)[:STRENGTHS_SHOWN]]


def _value(factors: Mapping[str, Sequence[float]], neutrals: Mapping[str, float], name: str, position: int) -> float:
    """0.0 for what is no factor here."""
    return factors[name][position] if name in factors else neutrals.get(name, 0.0)


def described(decision: Decision) -> tuple[dict[str, Any], str]:
    """`as_record`, and the decision in one line, briefly: it is made for every request, and hardly ever read."""
    record = as_record(decision)
    if isinstance(decision, Dispatch):
        return record, f"{decision.replica.id} because {'; '.join(because_of(record, is_brief=True))}"
    return record, in_words(decision)


def in_words(decision: Decision) -> str:
    """One line of English."""
    if isinstance(decision, Dispatch):
        return f"{decision.replica.id} because {'; '.join(because(decision))}"
    rejected = decision.evidence.rejected
    if not rejected:
        return f"refused: nothing serves {decision.evidence.target.kind.value} {decision.evidence.target.id}"
    return f"refused: {'; '.join(reject_in_words(reject) for reject in rejected[:REJECTS_SHOWN])}"


def reject_in_words(reject: Reject) -> str:
    return f"{reject.replica_id} {reject.reason.value.replace('_', ' ')}" + (f" ({reject.detail})" if reject.detail else "")
