"""What the candidates are worth for the demand's objective: cost, speed and quality weighed by its selector (routing/selectors)."""

from __future__ import annotations

from collections.abc import Sequence

from routing.factors import DerivedFactor
from routing.selectors import Axes, Emphasis, Selector


def derive(sources: Sequence[Sequence[float]], selector: Selector, emphasis: Emphasis) -> list[float]:
    cost, speed, quality = sources
    return selector.merit(Axes(cost, speed, quality), emphasis)


FACTOR = DerivedFactor("merit", 1.0, sources=("price", "speed", "quality"), derive=derive)
