"""What a person allows: limits, whom they bind, and the whole numbers in which everything is counted.

A ceiling of a provider, a budget in USD and a client key's own allowance are the same thing: a `Limit`.

Amounts are integers (tokens, requests, billionths of a USD, millionths of a share): what was added can be taken away again without a
remainder, in whatever order attempts end, so that "nothing is held" is exactly zero. Rounding happens once per charge, upwards.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from routing.headroom.types import WINDOW_S, Unit, Window

ANY = "*"
"""As a limit's id: one counter for each value of its scope."""


class Scope(enum.StrEnum):
    """Whose use a limit counts. The words are those of the config."""

    ALL = "all"
    PROVIDER = "provider"
    """An account at a provider: every replica of it."""
    REPLICA = "replica"
    MODEL = "model"
    """A logical model, wherever it runs."""
    CLIENT = "key"
    """The name of a client's key."""
    POLICY = "policy"
    HARNESS = "harness"
    SESSION = "session"
    """One conversation."""


PLACES = frozenset({Scope.PROVIDER, Scope.REPLICA, Scope.MODEL})
"""Scopes that are about who answers. The others are about who asks."""


class OnExceed(enum.StrEnum):
    REFUSE = "refuse"
    """Whoever would exceed it is not asked. About who asks: nobody else is asked instead."""
    DEGRADE = "degrade"
    """Who is too dear for what is left is not asked; cheaper and free ones are."""
    ALERT = "alert"
    """Nobody is stopped; `alert_at` says when it is told."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that may be used in one window by one scope."""

    scope: Scope
    id: str
    """Of the provider, replica, … ; `ANY` for one counter each. No meaning for ALL."""
    unit: Unit
    """Not SHARE: only providers count in shares."""
    window: Window
    most: float
    """In `unit`; USD for COST."""
    source: str
    """Where a person wrote it: `providers[0].headroom.hour.tokens`."""
    on_exceed: OnExceed = OnExceed.REFUSE
    spare: float = 0.0
    """The share in [0, 1) that its owner keeps for what does not pass through donut."""
    calendar: bool = False
    """Begins with the day, week or month (UTC) instead of rolling."""
    pace: float | None = None
    """How many times the even rate a part of the window may take (`pacing.PACED_BY` says which part); None = no pacing."""
    alert_at: tuple[float, ...] = ()
    """Shares of `most` that are worth telling when they are passed."""
    allows_unpriced: bool = True
    """COST: may a replica answer whose price is not known? It is then counted as nothing."""


NOTHING_SPARED: Mapping[str, float] = {}


class Limits(NamedTuple):
    """Everything that config says about headroom."""

    limits: tuple[Limit, ...] = ()
    spare: Mapping[str, float] = NOTHING_SPARED
    """Provider id → share of whatever that provider reports which is kept for its owner."""


NO_LIMITS = Limits()


class Amounts(NamedTuple):
    """What one attempt needs or used, counted. The order is that of `SLOT`."""

    tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    cost: int = 0
    """Billionths of a USD; 0 when the price is not known (`is_priced` says so)."""
    is_priced: bool = True


SLOT: Mapping[Unit, int] = {Unit.TOKENS: 0, Unit.INPUT_TOKENS: 1, Unit.OUTPUT_TOKENS: 2, Unit.REQUESTS: 3, Unit.COST: 4}
"""The field of `Amounts` that each unit counts."""

PER_UNIT: Mapping[Unit, int] = {Unit.COST: 1_000_000_000, Unit.SHARE: 1_000_000}
"""Counted parts per unit, where it is not one."""


def counted(unit: Unit, value: float) -> int:
    """In whole parts, upwards."""
    return math.ceil(value * PER_UNIT.get(unit, 1) - 1e-6)


def told(unit: Unit, amount: float) -> float:
    """The inverse: tokens, requests, USD, share."""
    return amount / PER_UNIT.get(unit, 1)


def worded(unit: Unit, amount: float) -> str:
    """For people: `12,400 tokens`, `$0.25`, `31 %`."""
    match unit:
        case Unit.COST:
            return in_usd(told(unit, amount))
        case Unit.SHARE:
            return f"{100 * told(unit, amount):.0f} %"
        case _:
            return f"{amount:,.0f} {unit.value.replace('_', ' ')}"


def in_usd(usd: float) -> str:
    """`$1,250.00`, `$0.50`, `$0.0034`, `$0.000056`, `$0`: two figures are enough below ten cents, and nobody reads exponents."""
    if not usd:
        return "$0"
    return f"${usd:,.2f}" if usd >= 0.1 else f"${usd:.{1 - math.floor(math.log10(usd))}f}"


def key_of(scope: Scope, id_: str) -> str:
    """What a counter is called, here and in a shared store."""
    return scope.value if scope is Scope.ALL else f"{scope.value}:{id_}"


def length_s(window: Window) -> float:
    """Seconds; 0.0 for a single request."""
    return WINDOW_S[window]
