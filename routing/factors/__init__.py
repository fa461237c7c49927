"""Soft opinions, one file each: how much a candidate is to be preferred, from 0.0 (worst) to 1.0 (best).

Each module exports `FACTOR`. Adding a factor is adding a file. A factor of weight 0 is still computed and shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from routing.candidates import Candidates, Question


@dataclass(frozen=True, slots=True)
class Factor:
    """`score` returns one value in [0, 1] per candidate, in their order, and does not care what that order is."""

    name: str
    weight: float
    """Default; `routing.weights` in config overrides it."""
    score: Callable[[Candidates, Question], list[float]]
