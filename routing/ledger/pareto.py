"""Who is worth asking at all: fronts over quality, cost and latency.

A model dominates another when it is at least as good on every axis and better on one. Rank 1 is the front: nobody dominates its members;
rank 2 is the front of the rest, and so on. Quality and cost must be known, or a model has no rank: a guess would rank above an honest
figure. An unknown latency counts as the worst there is, since whoever is quick has been measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from routing.selectors import Axes
from routing.selectors.pareto import undominated


class Point(NamedTuple):
    """One model on the three axes. None = unknown."""

    id: str
    quality: float | None
    """0 to 1."""
    cost: float | None
    """USD per 1M tokens of a usual mix."""
    latency_s: float | None
    """Seconds for a usual answer."""

    @property
    def is_rated(self) -> bool:
        return self.quality is not None and self.cost is not None


class Standing(NamedTuple):
    """Where a point stands among the others. `pareto_rank` is None for one that can not be rated."""

    point: Point
    pareto_rank: int | None
    dominated_by: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """1 on the front, then a half, a third …"""
        return None if self.pareto_rank is None else 1.0 / self.pareto_rank


def standings(points: Sequence[Point]) -> list[Standing]:
    """Everybody's rank, best first; within a rank by quality, then by cost. Those without a rank come last."""
    rated = [point for point in points if point.is_rated]
    rank_of: dict[str, int] = {}
    left, rank = rated, 0
    while left:
        rank += 1
        front = undominated(_axes(left))
        rank_of |= {left[i].id: rank for i in front}
        left = [point for i, point in enumerate(left) if i not in front]
    found = [Standing(point, rank_of[point.id], _dominators(point, rated)) for point in rated]
    found.sort(key=lambda each: (each.pareto_rank or 0, -(each.point.quality or 0.0), each.point.cost or 0.0, each.point.id))
    return found + [Standing(point, None) for point in points if not point.is_rated]


def _axes(points: Sequence[Point]) -> Axes:
    """As selectors have them: higher is better on all three."""
    values = [_merits(point) for point in points]
    return Axes(cost=[value[0] for value in values], speed=[value[1] for value in values], quality=[value[2] for value in values])


def _merits(point: Point) -> tuple[float, float, float]:
    latency_s = math.inf if point.latency_s is None else point.latency_s
    return -(point.cost or 0.0), -latency_s, point.quality or 0.0


def _dominators(point: Point, others: Sequence[Point]) -> tuple[str, ...]:
    own = _merits(point)
    return tuple(
        other.id for other in others if (merits := _merits(other)) != own and all(a >= b for a, b in zip(merits, own, strict=True))
    )
