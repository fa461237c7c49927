"""Why a replica was chosen, in plain phrases: of a record as the journal keeps it, or of what the choice already knew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from routing.seen import Seen, seen_in
from routing.types import Reject, Target

STRENGTHS_SHOWN = 3
NO_DIFFERENCE = 1e-9
"""Of a mean of equals rounding may leave a rest."""
WORDS_KEPT = 256
"""Of the latest decisions: those of one conversation, and most of one catalog, are said in the same words."""

NAMED = "the client named it"
"""Usually why a target is one."""

HERE = "\0"
"""Stands for a score until it is known."""


class Among(NamedTuple):
    """How the chosen one stands among several, but for its score."""

    size: int
    objective: str
    is_best: bool
    is_bound: bool
    """Was the conversation answered there before?"""
    is_local: bool
    """And was that a reason?"""


@lru_cache(WORDS_KEPT)
def kept_target(target: Target) -> dict[str, Any]:
    """As a record has it: without the usual reason."""
    said = {"kind": target.kind.value, "id": target.id}
    return said if target.because == NAMED else {**said, "because": target.because}


def because_of(record: Mapping[str, Any], *, is_brief: bool = False) -> list[str]:
    """The same of a kept record of a dispatch. Briefly: without what sets the chosen one apart."""
    if "selected_because" in record:  # worked out where there was more to see, or by an older donut
        return list(record["selected_because"])
    return because_among(record, seen_in(record), is_brief=is_brief)


def because_among(record: Mapping[str, Any], seen: Seen, *, is_brief: bool = False) -> list[str]:
    count, index = len(seen.ids), seen.ids.index(record["replica_id"])
    score, demand = seen.scores[index], record["demand"]
    objective = demand["objective"] if is_brief else f"{demand['objective']} ({', '.join(_strengths(seen, index)) or 'all alike'})"
    affinity, local = seen.factors.get("affinity"), seen.factors.get("local")
    is_bound = affinity is not None and affinity[index] > 0.0
    is_local = local is not None and local[index] > 0.0 and "local_preference" not in demand
    among = Among(count, objective, score == max(seen.scores), is_bound, is_local)
    return reasons_of(record, count, phrases_of(among, f"{score:.2f}"))


def _strengths(seen: Seen, index: int) -> list[str]:
    """What speaks for the chosen one."""
    shares: list[tuple[float, str]] = []
    for name, column in seen.factors.items():
        share = seen.weights[name] * (column[index] - sum(column) / len(column))
        if share > NO_DIFFERENCE:
            shares.append((-share, name))
    return [f"{name} {seen.factors[name][index]:.2f}" for _, name in sorted(shares)[:STRENGTHS_SHOWN]]


def phrases_of(among: Among, score: str) -> list[str]:
    said = [f"{'best' if among.is_best else 'one'} of {among.size} with score {score} by objective {among.objective}"]
    if among.is_bound:
        said.append("the conversation was answered there before")
    if among.is_local:
        said.append("it is local")
    return said


def reasons_of(record: Mapping[str, Any], count: int, among: Sequence[str]) -> list[str]:
    target = record["target"]
    reasons = [f"{target['kind']} {target['id']}: {target.get('because', NAMED)}"]
    if "way" in record:
        reasons.append(record["way"])
    if "panic" in record:
        reasons.append("every candidate is ejected; this one is the least bad")
    elif count == 1:
        reasons.append("the only candidate left" if "rejected_candidates" in record else "the only replica that serves it")
    else:
        reasons += among
    if "notes" in record:
        reasons += record["notes"]
    if "ledger_notes" in record:
        reasons += [f"the ledger has {note}" for note in record["ledger_notes"]]
    return reasons


@lru_cache(WORDS_KEPT)
def usual_words(replica_id: str, target: Target, among: Among) -> tuple[str, str]:
    """The line of a choice among several of which nothing more is to be said, before and after its score."""
    record = {"replica_id": replica_id, "target": kept_target(target)}
    before, _, after = line_with(record, reasons_of(record, among.size, phrases_of(among, HERE))).rpartition(HERE)
    return before, after


def line_of(record: Mapping[str, Any]) -> str:
    """A kept record of a dispatch in one line, briefly."""
    return line_with(record, because_of(record, is_brief=True))


def line_with(record: Mapping[str, Any], reasons: Sequence[str]) -> str:
    return f"{record['replica_id']} because {'; '.join(reasons)}"


def reject_in_words(reject: Reject) -> str:
    return f"{reject.replica_id} {reject.reason.value.replace('_', ' ')}" + (f" ({reject.detail})" if reject.detail else "")
