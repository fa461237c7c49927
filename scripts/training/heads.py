"""What is learned: which rows teach which head, how much each row weighs, and on what scale.

Every set weighs about the square root of its size, so that a set of four thousand test questions does not drown one of a hundred requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from scripts.training.matrix import Design
from scripts.training.rows import Example
from scripts.training.solve import logistic, ridge

USE_CASES = ("chat", "code", "search")
"""What words can tell apart; embeddings and images are told by structure."""

SCORE_TIER_SETS = {"tier_crux": 0.5, "tier_mmlupro": 0.5, "tier_handlabel": 0.1, "own": 0.1}
"""Sets with tiers that also teach the score, and their weight beside a route set's 1. The gain decides; these tell the order of what no
pair of models was measured on. Hand labels at 0.5 cost GSM8K two points: they know long, technical words as hard and arithmetic as easy."""
BETWEEN_SETS = 0.5
"""How much of a route set's mean gain the score learns. 1 orders a mixture of sets best, 0 orders within sets best. Measured out of fold,
mean within sets and mixture: .583 and .624 at 1, .587 and .608 at 0.5, .590 and .565 at 0."""
SET_POWER = 0.5
SET_SIZE = 100
WORD_PENALTY, STAIR_PENALTY = 2.0, 100.0
TIER_PENALTIES = (0.025, 5.0)
"""Stairs at 1 know a set by the length of its texts: out of fold, the main turns of agents fell from .85 to .74, and a short proof became a
small task."""
USE_PENALTIES = (0.05, 2.0)
"""Of twenty pairs the best out of fold that does not take plain questions about programs and the weather for talk, as stronger ones do."""
OWN = "own"
USE_ROWS_MAX = 400
"""Rows of one set that teach the use case: thousands of test questions say the same thing, and L-BFGS reads them all a hundred times."""


@dataclass(frozen=True)
class Model:
    """Coefficients of all heads: one row per column, one column per head."""

    words: np.ndarray
    stairs: np.ndarray
    vectors: np.ndarray
    """Of an embedding's dimensions; without rows where none has a say."""
    intercepts: np.ndarray

    def heads(self, seen: Design) -> np.ndarray:
        """(examples, heads): raw outputs, logits for tiers and use cases."""
        return np.asarray(seen.words @ self.words + seen.stairs @ self.stairs + seen.vectors @ self.vectors + self.intercepts)


def fit(examples: Sequence[Example], seen: Design) -> Model:
    """All heads. A head learns from the examples that have its label; without any it stays at 0."""
    rows = np.arange(len(examples))
    x = seen.stacked()
    score, base = _fit_score(examples, x, rows, seen.penalties(WORD_PENALTY, STAIR_PENALTY))
    tiers, tier_bases = _fit_tier(examples, x, rows, seen.penalties(*TIER_PENALTIES))
    uses, use_bases = _fit_use(examples, x, rows, seen.penalties(*USE_PENALTIES))
    words, stairs, vectors = seen.split(np.column_stack([score, tiers, uses]))
    return Model(words, stairs, vectors, np.concatenate([[base], tier_bases, use_bases]))


def _set_weights(examples: Sequence[Example], rows: np.ndarray) -> np.ndarray:
    sources = np.array([examples[row].source for row in rows])
    weight = np.zeros(len(rows))
    for source in np.unique(sources):
        mine = sources == source
        weight[mine] = mine.sum() ** (SET_POWER - 1) * SET_SIZE ** (1 - SET_POWER)
    return weight


def _fit_score(examples: Sequence[Example], x: sp.csr_matrix, rows: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, float]:
    rows = np.array([row for row in rows if _teaches_score(examples[row])])
    sources = np.array([examples[row].source for row in rows])
    target = np.array([_difficulty(examples[row]) for row in rows])
    weight = _set_weights(examples, rows)
    for source in np.unique(sources):
        mine = sources == source
        mean, spread = target[mine].mean(), max(target[mine].std(), 0.1)
        shift = 0.0 if source in SCORE_TIER_SETS else BETWEEN_SETS * mean / 0.45
        target[mine] = (target[mine] - mean) / spread + shift
        weight[mine] *= SCORE_TIER_SETS.get(source, 1.0)
    return ridge(x[rows], target, weight, penalty)


def _teaches_score(example: Example) -> bool:
    return example.gain is not None or (example.source in SCORE_TIER_SETS and example.tier is not None)


def _difficulty(example: Example) -> float:
    if example.gain is not None:
        return example.gain
    assert example.tier is not None
    return float(example.tier)


def _fit_tier(examples: Sequence[Example], x: sp.csr_matrix, rows: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array([row for row in rows if examples[row].tier is not None])
    kinds = np.array([examples[row].tier for row in rows])
    return logistic(x[rows], kinds, _set_weights(examples, rows), penalty)


def _fit_use(examples: Sequence[Example], x: sp.csr_matrix, rows: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = _thinned(examples, np.array([row for row in rows if examples[row].use_case in USE_CASES]))
    kinds = np.array([USE_CASES.index(str(examples[row].use_case)) for row in rows])
    weight = _set_weights(examples, rows)
    for kind in range(len(USE_CASES)):
        weight[kinds == kind] *= weight.sum() / len(USE_CASES) / weight[kinds == kind].sum()
    return logistic(x[rows], kinds, weight, penalty)


def _thinned(examples: Sequence[Example], rows: np.ndarray) -> np.ndarray:
    """At most USE_ROWS_MAX rows of a large set, spread evenly. A set that exists for the use case stays whole, as does what we wrote."""
    kept: list[int] = []
    for source in sorted({examples[row].source for row in rows}):
        mine = [int(row) for row in rows if examples[row].source == source]
        is_large = source != OWN and len(mine) > 3 * USE_ROWS_MAX
        kept.extend(mine[:: len(mine) // USE_ROWS_MAX] if is_large else mine)
    return np.array(sorted(kept))
