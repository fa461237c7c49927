"""Examples as sparse matrices: a block of word columns, each row of length one, and a block of shape columns per family of texts; where an
embedding model has a say, also a block with its vectors.

A shape figure becomes a staircase: one column per edge, 1 above it. The penalty then keeps neighbouring bins near each other, and what is
learned is written as one number per bin. Edges are quantiles within a family, so that they lie where its texts are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from routing.classify.shape import Family, Shape
from scripts.training.rows import Example

QUESTIONS_MIN = 4
"""A word or pair that fewer different questions contain is not learned."""
EDGES = 12


@dataclass(frozen=True)
class Columns:
    """What each column stands for."""

    words: list[str]
    edges: dict[tuple[Family, str], list[float]]

    @property
    def stairs(self) -> list[tuple[Family, str, float]]:
        return [(family, name, edge) for (family, name), edges in self.edges.items() for edge in edges]


def choose_columns(examples: Sequence[Example]) -> Columns:
    """The columns that `examples` can teach something about."""
    seen: dict[str, frozenset[str]] = {}
    for example in examples:
        seen[example.question] = seen.get(example.question, frozenset()) | example.grams
    counts = Counter(word for grams in seen.values() for word in grams)
    words = sorted(word for word, count in counts.items() if count >= QUESTIONS_MIN and "\n" not in word)
    edges: dict[tuple[Family, str], list[float]] = {}
    for family in Family:
        figures = np.array([example.shape for example in examples if example.family is family], dtype=float)
        for index, name in enumerate(Shape._fields):
            edges[family, name] = _edges(figures[:, index]) if len(figures) else []
    return Columns(words, edges)


def _edges(figures: np.ndarray) -> list[float]:
    """Up to EDGES values with figures on both sides. Between two values that occur, so that rounding cannot move one across."""
    values = np.unique(figures)
    cuts = np.unique(np.quantile(figures, np.linspace(0, 1, EDGES + 2)[1:-1]))
    between = [(values[i - 1] + values[i]) / 2 for cut in cuts if (i := int(np.searchsorted(values, cut))) > 0]
    return sorted({float(f"{edge:.4g}") for edge in between})


@dataclass(frozen=True)
class Design:
    """One row per example in each block."""

    words: sp.csr_matrix
    stairs: sp.csr_matrix
    vectors: sp.csr_matrix
    """Without columns where no embedding model has a say."""

    def stacked(self) -> sp.csr_matrix:
        return sp.hstack([self.words, self.stairs, self.vectors]).tocsr()

    def split(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A table with a row per column of `stacked`, in its three parts."""
        words, stairs = self.words.shape[1], self.stairs.shape[1]
        return table[:words], table[words : words + stairs], table[words + stairs :]

    def penalties(self, words: float, stairs: float) -> np.ndarray:
        """Per column of `stacked`. A vector is of length one, as a row of words is, and pays the same: what either says of two texts'
        likeness then counts alike."""
        return np.repeat([words, stairs, words], [self.words.shape[1], self.stairs.shape[1], self.vectors.shape[1]])


def design(examples: Sequence[Example], columns: Columns, vectors: np.ndarray | None = None) -> Design:
    """`vectors`: one row per example."""
    index = {word: column for column, word in enumerate(columns.words)}
    pointers, indices, values = [0], [], []
    for example in examples:
        # Sorted: sums in another order differ in the last bit, and the same seed must give the same bytes.
        found = sorted(index[word] for word in example.grams if word in index)
        indices.extend(found)
        values.extend([max(1, len(found)) ** -0.5] * len(found))
        pointers.append(len(indices))
    words = sp.csr_matrix((values, indices, pointers), shape=(len(examples), len(columns.words)))
    return Design(words, _stairs(examples, columns), sp.csr_matrix((len(examples), 0)) if vectors is None else sp.csr_matrix(vectors))


def _stairs(examples: Sequence[Example], columns: Columns) -> sp.csr_matrix:
    blocks = []
    figures = np.array([example.shape for example in examples], dtype=float)
    family = np.array([example.family for example in examples])
    for (owner, name), edges in columns.edges.items():
        if edges:
            values = figures[:, Shape._fields.index(name)]
            above = (values[:, None] > np.array(edges)[None, :]) & (family == owner)[:, None]
            blocks.append(sp.csr_matrix(above.astype(float)))
    return sp.hstack(blocks).tocsr()
