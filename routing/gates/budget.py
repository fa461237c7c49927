"""Nobody is asked whom the client, its key, its policy, its harness or its conversation can not afford.

A limit that refuses stops everyone who would exceed it, and the router then asks nobody in other tiers. One that degrades stops only those
who are too dear for what is left: cheaper ones and those on this machine may answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from routing.candidates import Candidates, Occasion, Question
from routing.gates import Gate
from routing.headroom.book import Book
from routing.headroom.counters import Ceiling
from routing.headroom.limits import SLOT, Amounts, OnExceed
from routing.headroom.places import Block, ceiling_block, later
from routing.headroom.types import Unit
from routing.types import Demand, ModelReplica, Reject, RejectReason


def check(candidates: Candidates, question: Question) -> list[Reject]:
    book = question.book
    if book is None or book.people.is_empty:
        return []
    tight = _tight(book, question.demand, question.now_s)
    if not tight:
        return []
    rejects: list[Reject] = []
    for replica in candidates.replicas:
        amounts = book.amounts(book.place(replica.id), replica.logical_model_id, question.demand)
        block = _block(tight, replica, amounts, question.now_s)
        if block is not None:
            rejects.append(Reject(replica.id, _reason(block.ceiling), block.detail, block.until_s))
    return rejects


def _tight(book: Book, demand: Demand, now_s: float) -> list[Ceiling]:
    """Those of the demand's limits that somebody might exceed."""
    ceilings = [each for each in book.people.ceilings(demand) if each.stops and not each.is_soft]
    tokens = book.sizing.most_tokens(demand)
    return [each for each in ceilings if each.left(now_s) < _most_needed(book, each, tokens)]


def _most_needed(book: Book, ceiling: Ceiling, tokens: int) -> float:
    match ceiling.limit.unit:
        case Unit.REQUESTS:
            return 1
        case Unit.COST:
            return tokens * book.dearest + 1 if ceiling.limit.allows_unpriced else float("inf")
        case _:
            return tokens


def _block(tight: Sequence[Ceiling], replica: ModelReplica, amounts: Amounts, now_s: float) -> Block | None:
    found: Block | None = None
    for ceiling in tight:
        if ceiling.limit.on_exceed is OnExceed.DEGRADE and _is_free(replica, amounts):
            continue
        found = later(found, ceiling_block(ceiling, amounts, now_s))
    return found


def _is_free(replica: ModelReplica, amounts: Amounts) -> bool:
    return replica.is_local or (amounts.is_priced and not amounts[SLOT[Unit.COST]])


def _reason(ceiling: Ceiling | None) -> RejectReason:
    if ceiling is None or ceiling.limit.on_exceed is OnExceed.DEGRADE:
        return RejectReason.TOO_DEAR
    return RejectReason.OVER_BUDGET if ceiling.limit.unit is Unit.COST else RejectReason.OVER_ALLOWANCE


GATE = Gate(name="budget", order=56, check=check, occasions=Occasion.LIMITS)
