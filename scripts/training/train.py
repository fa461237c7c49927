"""From examples to the bytes of a weights file, and where an embedding model has a say to the matrix on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scripts.training.heads import fit
from scripts.training.matrix import choose_columns, design
from scripts.training.pack import packed
from scripts.training.rows import Example

LEANS = {"fast": -0.4, "balanced": 0.0, "strong": 0.4, "chat": 0.4}
"""`routing/classify/weights.py` says what they are added to. `chat`: out of fold it gave the best macro-F1 of 0, 0.2, 0.4, 0.6 and 0.8."""
MIDDLE = (0.16, 0.5, 0.84)
"""Quantiles: the mean and a standard deviation to either side, were it a normal distribution."""
SPREAD_MIN = 0.05


class Trained(NamedTuple):
    weights: bytes
    """A weights file's content."""
    matrix: np.ndarray
    """(dimensions, heads), for an embedding's vector; (0, heads) without one."""


def train(examples: Sequence[Example], note: str, vectors: np.ndarray | None = None) -> Trained:
    """What all `examples` teach; `vectors` has one row per example. The same examples give the same bytes."""
    columns = choose_columns(examples)
    seen = design(examples, columns, vectors)
    model = fit(examples, seen)
    score = model.heads(seen)[:, 0]
    # A set counts as one, however large: otherwise the middle of the scale would be that of multiple-choice questions.
    sources = np.array([example.source for example in examples])
    quantiles = [np.quantile(score[sources == source], MIDDLE) for source in np.unique(sources)]
    low, centre, high = (float(value) for value in np.median(np.array(quantiles), axis=0))
    weights = packed(model, columns, note=note, scale=(centre, max((high - low) / 2, SPREAD_MIN)), leans=LEANS)
    return Trained(weights, model.vectors)
