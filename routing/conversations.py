"""What is remembered of a conversation's turn: how it was classified, which tier it is in, and which steps asked for another.

A person's turn is classified once; the calls that carry tool results back reuse it (LiteLLM's issue 38861: 412 → 63 runs of the
classifier, 18 → 0 switches in mid-loop). Steps may still move the tier, and only after several in a row agree.
"""

from __future__ import annotations

from typing import NamedTuple

from routing.classify.excerpt import Excerpt
from routing.recent import Recent
from routing.types import TIER_ORDER, Classification, ModelTier

RAISE_AFTER = 2
"""Steps in a row that ask for more: one failing call is how agents work, two in a row begin to be trouble."""

LOWER_AFTER = 4
"""Steps in a row that ask for less. More than for raising: a model that is too small costs the whole turn, one too large some money."""

TTL_S = 3600.0
"""As long as a binding."""

TURNS_MOST = 20_000
"""About 12 MB."""


class Turn(NamedTuple):
    """One human turn of a conversation, as it stands after the latest call."""

    mark: int
    """Tells this turn from the one before: see `mark_of`."""
    classification: Classification
    """As the classifier made it when the turn began."""
    tier: ModelTier
    """In force now."""
    messages: int
    """How many the latest call carried: a call that is sent again is no further step."""
    rising: int = 0
    """Steps in a row that asked for a higher tier than the one in force."""
    falling: int = 0


def mark_of(excerpt: Excerpt) -> int:
    """The same for all calls of one human turn. A hash, not the text: no prompt is kept.

    Not the number of turns: agents without tool messages send results as the user's (Roo, Cline), and each step would be a turn.
    """
    return hash((excerpt.human, excerpt.human_chars))


def stepped(turn: Turn, wanted: ModelTier, messages: int) -> Turn:
    """`turn` after a step whose signals ask for the tier `wanted`, which may be the one in force."""
    if messages <= turn.messages:
        return turn
    difference = TIER_ORDER.index(wanted) - TIER_ORDER.index(turn.tier)
    return turn._replace(
        messages=messages,
        rising=turn.rising + 1 if difference > 0 else 0,
        falling=turn.falling + 1 if difference < 0 else 0,
    )


def is_due(turn: Turn) -> bool:
    """Have enough steps in a row asked for another tier?"""
    return turn.rising >= RAISE_AFTER or turn.falling >= LOWER_AFTER


def moved(turn: Turn, tier: ModelTier) -> Turn:
    """`turn` in another tier, its steps counted anew."""
    return turn._replace(tier=tier, rising=0, falling=0)


class Conversations:
    """The latest turn of every conversation, by the keys of `routing.affinity`."""

    def __init__(self, most: int = TURNS_MOST, ttl_s: float = TTL_S) -> None:
        self._turns: Recent[str, Turn] = Recent(most, ttl_s)

    def __len__(self) -> int:
        return len(self._turns)

    def turn_of(self, keys: tuple[str, ...], now_s: float) -> Turn | None:
        """The turn under the first of `keys` that is known."""
        for key in keys:
            found = self._turns.get(key, now_s)
            if found is not None:
                return found
        return None

    def remember(self, keys: tuple[str, ...], turn: Turn, now_s: float) -> None:
        """Under the first of `keys`, the most specific."""
        if keys:
            self._turns.put(keys[0], turn, now_s)
