"""Soft opinions, one file each: how much a candidate is to be preferred, from 0.0 (worst) to 1.0 (best).

Each module exports `FACTOR`. Adding a factor is adding a file. A factor of weight 0 is still computed and shown. Four kinds, by what
they look at: `MeasuredFactor` one candidate (kept until its state changes), `LoadFactor` what a candidate has in flight, `DerivedFactor`
the columns of others, `DemandFactor` the one request that is asked for.

The weights stand in relation to each other. One point is what separates the best candidate from the worst by the demand's objective
(`merit`); the sum of what a factor can take is its weight. What the shipped ones are chosen for:

- Tiers micro and small: local first. A local replica that is the worst in latency (0.5), cold (0.1) and, under the objectives
  `cost_speed` and `balanced`, the least in speed and quality (0.7 at most, less what it saves) still leads by its bonus of 1.5 or 1.2,
  unless its first token takes near ten seconds (factors/local.py).
- Tier mid: among equals local by 0.3; a clearly better remote replica goes first. Frontier: location does not count.
- A conversation stays (0.6) against what load, warmth and small differences may say together; against a replica that is best by half of
  all that merit and latency can give, that fails often and is nearly out of headroom, or against the local one that is back, it moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from routing.candidates import Candidates, Occasion, Question, Task
from routing.fleet import Belief
from routing.scaling import Scale
from routing.selectors import Emphasis, Selector
from routing.types import LogicalModel, ModelReplica

UNKNOWN = 0.5
"""What counts for a candidate of which a factor knows nothing: it is tried now and then, yet never preferred to one known to be good."""


@dataclass(frozen=True, slots=True)
class Factor:
    """What all kinds have. Only its subclasses are factors."""

    name: str
    weight: float
    """Default; `routing.weights` in config overrides it."""


@dataclass(frozen=True, slots=True)
class MeasuredFactor(Factor):
    """`measure` looks at one candidate for demands of one kind, and at nothing else: not at a clock, not at the others."""

    measure: Callable[[ModelReplica, LogicalModel, Belief, Task], float | None]
    """In any unit, finite; in [0, 1] for AS_IS. None when it is not known."""
    scale: Scale = Scale.AS_IS
    noise: float = 1.0
    """In the unit of `measure`: the candidates' spread counts in full from here on, and in proportion below."""
    neutral: float = UNKNOWN
    """For None."""
    moves: bool = True
    """False when `measure` does not read the state: it is then asked once per ranking."""


@dataclass(frozen=True, slots=True)
class LoadFactor(Factor):
    """Depends on nothing but how many attempts a candidate has in flight. Every decision changes that, so it is looked up in a table."""

    of: Callable[[int], float]
    """Attempts in flight → a value in [0, 1]."""


@dataclass(frozen=True, slots=True)
class DerivedFactor(Factor):
    """Made of the normalised columns of measured factors, which `sources` names."""

    sources: tuple[str, ...]
    derive: Callable[[Sequence[Sequence[float]], Selector, Emphasis], list[float]]
    """(the sources' columns, what the demand aims at, what the profile stresses) → one value in [0, 1] per candidate."""


@dataclass(frozen=True, slots=True)
class DemandFactor(Factor):
    """Depends on the single request, so it is asked every time and answers sparsely: position → value, for whom it is not `neutral`."""

    neutral: float
    deviations: Callable[[Candidates, Question], Mapping[int, float]]
    occasions: int = Occasion.ALWAYS
    """Bits: without any of these nobody deviates, and the factor is not asked."""
