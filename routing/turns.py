"""One call seen in its conversation: a person's turn is classified, a continuation reuses that, and a switch of tiers must be worth it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from routing.classify.classifier import NO_SIGNALS
from routing.classify.excerpt import Excerpt
from routing.classify.steps import is_prepared
from routing.conversations import Turn, is_due, mark_of, moved, stepped
from routing.types import CallRole, Classification, ModelTier


class Classifies(Protocol):
    def classify(self, excerpt: Excerpt) -> Classification: ...


class DefaultsTo(NamedTuple):
    """`classifier`, with `tier` for what it finds nothing in to judge by: config says which tier that is."""

    classifier: Classifies
    tier: ModelTier

    def classify(self, excerpt: Excerpt) -> Classification:
        found = self.classifier.classify(excerpt)
        if found.tier is self.tier or NO_SIGNALS not in found.reasons:
            return found
        reasons = tuple(f"nothing to judge by, so config's default: {self.tier}" if each == NO_SIGNALS else each for each in found.reasons)
        return found._replace(tier=self.tier, reasons=reasons, turn_tier=None)


Adjust = Callable[[Excerpt, ModelTier, float], tuple[ModelTier, float, tuple[str, ...]]]
"""(excerpt, the turn's tier, its difficulty) → the tier and the difficulty that the steps so far speak for, and why."""


class Verdict(NamedTuple):
    """Is it worth it to move a conversation to another tier, and in words why or why not."""

    is_worth_it: bool
    because: str


Weigh = Callable[[ModelTier, ModelTier, int], Verdict]
"""(tier in force, tier wanted, calls still expected) → verdict."""


class Reading(NamedTuple):
    classification: Classification
    """Of this call: its tier is the one in force."""
    turn: Turn | None
    """To be remembered once the call is sent; None where the call is no part of the conversation's course (a chore)."""


def read_call(excerpt: Excerpt, known: Turn | None, classifier: Classifies, adjust: Adjust, weigh: Weigh) -> Reading:
    """`known` is the conversation's turn as of its last call, if there was one."""
    mark = mark_of(excerpt)
    if known is not None and known.mark == mark:
        return _continued(excerpt, known, adjust, weigh)
    classification = classifier.classify(excerpt)
    if classification.role is CallRole.CHORE:
        return Reading(classification, None)
    if known is not None and known.tier is not classification.tier:
        calls = max(1, excerpt.assistant_turns // max(1, excerpt.human_turns))
        verdict = weigh(known.tier, classification.tier, calls)
        if not verdict.is_worth_it:
            # What the steps of this turn are measured against is then the tier that holds.
            classification = classification._replace(turn_tier=None)
            classification = _in_force(classification, known.tier, f"stays in {known.tier}, not {classification.tier}: {verdict.because}")
    return Reading(classification, Turn(mark, classification, classification.tier, excerpt.messages))


def _continued(excerpt: Excerpt, known: Turn, adjust: Adjust, weigh: Weigh) -> Reading:
    # From what the turn's words asked for: its tier is already adjusted for the step it was classified at, and twice would be too much.
    asked = known.classification.turn_tier or known.classification.tier
    wanted, _, reasons = adjust(excerpt, asked, known.classification.difficulty)
    turn = stepped(known, wanted, excerpt.messages)
    because = "the turn's classification holds"
    if is_due(turn) or (turn.rising and is_prepared(excerpt)):
        # The small model of a prepared task's first step is meant for that call only: nothing is proved by a second step in it.
        verdict = weigh(turn.tier, wanted, max(1, len(excerpt.steps)))
        steps = turn.rising or turn.falling
        in_a_row = "1 step" if steps == 1 else f"{steps} steps in a row"
        if verdict.is_worth_it:
            said = ", ".join(reasons) or "the steps speak for it"
            because = f"from {turn.tier} to {wanted} after {in_a_row}: {said}"
            turn = moved(turn, wanted)
        else:
            because = f"stays in {turn.tier}, though {in_a_row} {'speaks' if steps == 1 else 'speak'} for {wanted}: {verdict.because}"
    classification = _in_force(turn.classification, turn.tier, because)
    if excerpt.ends_with_result and classification.role is CallRole.MAIN:
        classification = classification._replace(role=CallRole.CONTINUATION)
    return Reading(classification, turn)


def _in_force(classification: Classification, tier: ModelTier, because: str) -> Classification:
    return classification._replace(tier=tier, reasons=(because, *classification.reasons))
