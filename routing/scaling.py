"""From what was measured to opinions in [0, 1]: each column is normalised over the candidates it is about."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import NamedTuple


class Scale(enum.Enum):
    AS_IS = "as_is"
    """Already in [0, 1], 1 = best."""
    LOWER_IS_BETTER = "lower"
    HIGHER_IS_BETTER = "higher"


def doublings(value: float, small: float) -> float:
    """`value` (≥ 0) on a scale of ratios: how many times it has to be doubled from 1.0. `small` is added, so that
    nothing has a ratio too, and what is far smaller counts as nothing."""
    return math.log2(value + small)


class Extremes(NamedTuple):
    low: float
    high: float


def extremes(raw: Sequence[float | None]) -> Extremes | None:
    """The least and the greatest known value. None where nothing can be compared: nobody is known, or one of several alone.

    The one that has been measured is the best and the worst of all that have, and neither is a reason to ask it.
    """
    known = [value for value in raw if value is not None]
    if not known or len(known) == 1 < len(raw):
        return None
    return Extremes(min(known), max(known))


def normalised(raw: Sequence[float | None], scale: Scale, within: Extremes | None, noise: float, neutral: float) -> list[float]:
    """Min-max: the best is 1.0. The worst is 0.0 when it is further from the best than `noise`, else in proportion to that.

    Without `noise` ten milliseconds between two candidates would weigh as much as ten seconds between two others.
    """
    if scale is Scale.AS_IS:
        return [neutral if value is None else value for value in raw]
    if within is None:
        return [neutral] * len(raw)
    low, high = within
    span = max(high - low, noise)
    if scale is Scale.LOWER_IS_BETTER:
        return [neutral if value is None else 1.0 - (value - low) / span for value in raw]
    return [neutral if value is None else 1.0 - (high - value) / span for value in raw]


def normalised_one(value: float | None, scale: Scale, within: Extremes | None, noise: float, neutral: float) -> float:
    """The same for one of them; equal to the last bit."""
    return normalised((value,), scale, within, noise, neutral)[0]
