"""Nobody who is worse than another in every respect: the front of cost, speed and quality first, by balance within it."""

from __future__ import annotations

from routing.selectors import Axes, Emphasis, Selector, weighing

_balance = weighing(cost=0.30, speed=0.30, quality=0.40)


def merit(axes: Axes, emphasis: Emphasis) -> list[float]:
    """The front from 0.5 to 1, the others below."""
    front = undominated(axes)
    return [(value + (i in front)) / 2 for i, value in enumerate(_balance(axes, emphasis))]


def undominated(axes: Axes) -> set[int]:
    """Positions of those to whom nobody is at least equal on all axes and better on one. Equals share their fate."""
    points = list(zip(*axes, strict=True))
    front: list[tuple[float, float, float]] = []
    # In descending order only those before can dominate, and whoever is dominated is so by a member of the front.
    for point in sorted(set(points), reverse=True):
        if not any(other[1] >= point[1] and other[2] >= point[2] for other in front):
            front.append(point)
    members = set(front)
    return {i for i, point in enumerate(points) if point in members}


SELECTOR = Selector("pareto", merit)
