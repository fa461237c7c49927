"""One decision, told: as the record that programs read, and as a line for people. Header, journal, API and log all tell this.

The record is made behind the journal's queue, yet on the proxy's own processor: nothing is worked out there that `told` can work out when
somebody reads it. It holds the figures that many decisions share (`routing.types.Figures`, which a store writes out once and copies from
then on), what was in flight, and what the request itself added; members that have their usual value are left out. Weights stay in every
record: only those it was decided by explain a score, and the next version or the next reload may have others. Records of before hold
scores and whole columns, and are told as well.

(`_value_` of an enum is an attribute, `value` is two calls of Python in 3.11.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from routing.candidates import objective_for
from routing.degrading import degraded_by
from routing.reasons import (
    NAMED,
    Among,
    because_among,
    because_of,
    kept_target,
    line_of,
    line_with,
    phrases_of,
    reasons_of,
    reject_in_words,
    usual_words,
)
from routing.seen import picker, seen_in, seen_with
from routing.translation import note_of
from routing.types import (
    Decision,
    Demand,
    Dispatch,
    Escalation,
    Evidence,
    Figures,
    LocalPreference,
    Refusal,
    Reject,
    TargetKind,
    capability_names,
)

# Looking a member up in its enum takes ten times as long as a name of this module in Python 3.11.
_PREFERRED = LocalPreference.PREFERRED
_POLICY = TargetKind.POLICY

REJECTS_SHOWN = 5

CANDIDATES_KEPT = 32
FIGURES_CUT = 16
"""Of so many rankings in which there are more."""
REJECTS_KEPT = 32
"""In a record; the others are counted. Nobody reads five hundred rows, and they would be 100 KB."""

KEPT_ONLY = ("figures", "loads", "own", "out", "way", "ledger_notes", "ids", "model_ids", "scores", "factors", "neutrals")
"""Members of a kept record that `told` turns into rows, and into reasons. The last five are of older records."""

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
USUAL_TARGET: Mapping[str, Any] = {"because": NAMED}
"""What a record leaves out."""

NOT_SAID = frozenset(
    {"kind", "target", "demand", "replica_id", "figures", "loads", "own", "out", "rejected_candidates", "rejects_left_out"},
)
"""Members of a record that add no words of their own to what is said of a choice among several."""


def as_record(decision: Decision) -> dict[str, Any]:
    """The decision with its evidence, as the journal keeps it: plain values, but for `figures`, which stay what they are (`plain`).

    Everything in it is shared with the decision, and with other records: to be read, never changed.
    """
    record = _dispatched(decision) if isinstance(decision, Dispatch) else _refused(decision)
    evidence = decision.evidence
    if notes := notes_of(decision):
        record["notes"] = notes
    if evidence.rejected:
        _keep_rejects(evidence.rejected, record)
    if evidence.panic:
        record["panic"] = True
    if evidence.spilled_from is not None:
        record["spilled_from"] = evidence.spilled_from.value
        record["escalation"] = evidence.escalation.value if evidence.escalation else None
    figures = record.get("figures")
    if figures is not None and len(figures.ids) > CANDIDATES_KEPT:
        _keep_best(record)
    return record


def _dispatched(decision: Dispatch) -> dict[str, Any]:
    evidence, replica = decision.evidence, decision.replica
    demand, deviations = evidence.demand, evidence.deviations
    figures, loads, _ = evidence.ranked.ranking()
    target = demand.target
    record = {
        "kind": "dispatch",
        "target": kept_target(target),
        "demand": _demand(demand),
        "replica_id": replica.id,
        "figures": figures,
        "loads": loads,
    }
    if deviations:
        record["own"] = {name: [*values.items()] for name, values in deviations.items()}
    if evidence.out:
        record["out"] = sorted(evidence.out)
    if evidence.spilled_from is not None:
        record["way"] = _spilled(evidence, replica.tier.value)
    elif target.kind is _POLICY and evidence.stage is not None:
        record["way"] = f"the policy's step {evidence.stage.kind.value} {evidence.stage.id}"
    if replica.ledger_notes:
        record["ledger_notes"] = replica.ledger_notes
    return record


def _refused(refusal: Refusal) -> dict[str, Any]:
    demand = refusal.evidence.demand
    return {
        "kind": "refusal",
        "target": kept_target(demand.target),
        "demand": _demand(demand),
        "weights": refusal.evidence.weights,
        "reason": refusal.reason.value if refusal.reason else "nothing_serves_it",
        "retry_after_s": refusal.retry_after_s,
    }


def _keep_best(record: dict[str, Any]) -> None:
    """The best ones, and the chosen one in any case: another replica of a model that failed may come before better ones."""
    figures: Figures = record["figures"]
    seen, out = seen_with(figures, record), record.pop("out", ())
    left_out = len(seen.ids) - CANDIDATES_KEPT
    if left_out > 0:
        record["selected_because"] = because_among(record, seen)  # while all are there to be compared with
        record["candidates_left_out"] = left_out
    best = _best_first(figures)
    kept = (best if not out else [i for i in best if i not in out])[:CANDIDATES_KEPT]
    chosen = figures.ids.index(record["replica_id"])
    if chosen not in kept:
        kept = [*kept[:-1], chosen]
    record["figures"] = _only(figures, tuple(sorted(kept)))
    kept, pick = sorted(kept), picker(sorted(kept))
    record["loads"] = {name: pick(column) for name, column in record["loads"].items()}
    if "own" in record:
        places = {position: place for place, position in enumerate(kept)}
        record["own"] = {name: [(places[i], value) for i, value in own if i in places] for name, own in record["own"].items()}


@lru_cache(FIGURES_CUT)
def _best_first(figures: Figures) -> Sequence[int]:
    """Whatever is in flight: then many decisions leave out the same ones, and share what is left."""
    return sorted(range(len(figures.ids)), key=figures.totals.__getitem__, reverse=True)


@lru_cache(FIGURES_CUT)
def _only(figures: Figures, kept: tuple[int, ...]) -> Figures:
    pick = picker(kept)
    columns = {name: pick(column) for name, column in figures.columns.items()}
    ids, model_ids, totals = pick(figures.ids), pick(figures.logical_model_ids), pick(figures.totals)
    return Figures(ids, model_ids, columns, figures.neutrals, totals, figures.weights)


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
    seen = seen_in(record)
    candidates = [
        {
            "replica_id": seen.ids[i],
            "logical_model_id": seen.model_ids[i],
            "score": round(seen.scores[i], 4),
            "factors": {name: round(column[i], 4) for name, column in seen.factors.items()},
        }
        for i in sorted(range(len(seen.ids)), key=lambda i: (-seen.scores[i], seen.ids[i]))
    ]
    said = _filled(USUAL, {name: value for name, value in record.items() if name not in KEPT_ONLY})
    said["weights"] = seen.weights
    if record.get("kind") == "dispatch":
        said.setdefault("logical_model_id", seen.model_ids[seen.ids.index(record["replica_id"])])
        said["selected_because"] = because_of(record)
    if "target" in record:
        said["target"] = _filled(USUAL_TARGET, record["target"])
    if "demand" in record:
        said["demand"] = _filled(USUAL_DEMAND, record["demand"])
    return said | {"candidates": candidates}


def _filled(usual: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    missing = {name: [] if value == () else value for name, value in usual.items() if name not in kept}
    return {**kept, **missing}


def because(decision: Dispatch) -> list[str]:
    """Why this replica, in the order in which it was found: plain phrases."""
    return because_of(as_record(decision))


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
    ids = evidence.ranked.ranking().figures.ids
    rejected = any(reject.replica_id not in ids for reject in evidence.rejected)
    why = "nobody in it can answer" if rejected else "nothing serves it there"
    return f"tier {wanted} is left {way} {tier}: {why}"


def described(decision: Decision) -> tuple[dict[str, Any], str]:
    """`as_record`, and the decision in one line, briefly: it is made for every request, and hardly ever read. `line_of` the record says
    the same; this takes it from what the choice already knew."""
    record = as_record(decision)
    if not isinstance(decision, Dispatch):
        return record, in_words(decision)
    if "selected_because" in record:
        return record, line_of(record)
    evidence, figures = decision.evidence, record["figures"]
    place, count, replica_id = evidence.place, len(figures.ids), record["replica_id"]
    if "out" in record:
        count -= len(record["out"])
    if place is None or count == 1:
        return record, line_with(record, reasons_of(record, count, ()))
    position, score, top = place
    demand, local, bound = evidence.demand, figures.columns.get("local"), evidence.deviations.get("affinity")
    is_bound = bound is not None and bound.get(position, 0.0) > 0.0
    here, is_preferred = figures.ids.index(replica_id), demand.local_preference is _PREFERRED  # not `position`: some may be left out
    is_local = is_preferred and local is not None and local[here] > 0.0
    # Not by a call of Python: one is made for every request.
    among = tuple.__new__(Among, (count, record["demand"]["objective"], score == top, is_bound, is_local))
    if record.keys() <= NOT_SAID:
        before, after = usual_words(replica_id, demand.target, among)
        return record, f"{before}{score:.2f}{after}"
    return record, line_with(record, reasons_of(record, count, phrases_of(among, f"{score:.2f}")))


def in_words(decision: Decision) -> str:
    """One line of English."""
    if isinstance(decision, Dispatch):
        return line_with(as_record(decision), because(decision))
    rejected = decision.evidence.rejected
    if not rejected:
        return f"refused: nothing serves {decision.evidence.target.kind.value} {decision.evidence.target.id}"
    return f"refused: {'; '.join(reject_in_words(reject) for reject in rejected[:REJECTS_SHOWN])}"
