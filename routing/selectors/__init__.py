"""What the candidates are ranked by, one file each: an objective turns the axes cost, speed and quality into one merit.

Each module exports `SELECTOR`, named after the Objective that chooses it. Adding a selector is adding a file and a word of Objective.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Axes(NamedTuple):
    """Parallel columns in [0, 1], 1 = best, normalised over the candidates; unknown values stand in the middle."""

    cost: Sequence[float]
    speed: Sequence[float]
    quality: Sequence[float]


class Emphasis(NamedTuple):
    """How much each axis counts."""

    cost: float
    speed: float
    quality: float


PROFILES: Mapping[str, Emphasis] = {
    "fast": Emphasis(1.10, 1.20, 0.75),
    "balanced": Emphasis(1.0, 1.0, 1.0),
    "strong": Emphasis(0.85, 0.90, 1.25),
}
"""What a profile multiplies the weights of an objective with (issue 3, item 3)."""


@dataclass(frozen=True, slots=True)
class Selector:
    name: str
    merit: Callable[[Axes, Emphasis], list[float]]
    """One value in [0, 1] per candidate; it does not care about their order."""


def weighing(cost: float, speed: float, quality: float) -> Callable[[Axes, Emphasis], list[float]]:
    """The weighted mean of the axes."""

    def merit(axes: Axes, emphasis: Emphasis) -> list[float]:
        by_cost, by_speed, by_quality = cost * emphasis.cost, speed * emphasis.speed, quality * emphasis.quality
        total = by_cost + by_speed + by_quality
        # Rounding may carry a sum of three shares just beyond one.
        return [min(1.0, (by_cost * c + by_speed * s + by_quality * q) / total) for c, s, q in zip(*axes, strict=True)]

    return merit
