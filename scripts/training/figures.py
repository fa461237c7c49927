"""The figures of merit, as the evaluation harness defines them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def apgr(score: np.ndarray, weak: np.ndarray, strong: np.ndarray) -> float:
    """Average performance gap recovered: the area under the curve of quality over the share sent to the strong model. 0.5 is chance.

    Ties count as if their order were random. NaN where the two models do equally well.
    """
    gain = strong - weak
    if abs(gain.mean()) < 1e-9:
        return float("nan")
    _, inverse, counts = np.unique(-score, return_inverse=True, return_counts=True)
    expected = (np.bincount(inverse, weights=gain) / counts)[inverse]
    recovered = np.concatenate([[0.0], np.cumsum(expected[np.argsort(-score, kind="stable")])]) / gain.sum()
    return float(((recovered[1:] + recovered[:-1]) / 2).mean())


def macro_f1(gold: Sequence[object], said: Sequence[object]) -> float:
    """Mean F1 over the kinds that occur in `gold`."""
    scores = []
    for kind in sorted(set(gold), key=str):
        hits = sum(a == kind == b for a, b in zip(gold, said, strict=True))
        wrong = sum((a == kind) != (b == kind) for a, b in zip(gold, said, strict=True))
        scores.append(2 * hits / (2 * hits + wrong))
    return float(np.mean(scores))
