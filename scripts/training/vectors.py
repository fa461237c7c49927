"""Trains and judges with an embedding model beside the words, through the adapter that serves requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from config.static_embedding import EmbeddedHeads, StaticEmbedding, heads_file
from routing.classify.classifier import Classifier
from routing.classify.weights import Weights
from routing.classify.words import window
from scripts.training.rows import Example
from scripts.training.train import train


class WithVectors:
    """A `Teacher` over the model in `folder`. Raises ValueError when there is none."""

    def __init__(self, folder: Path) -> None:
        self._model = StaticEmbedding(folder)
        self._vectors: dict[str, np.ndarray] = {}

    def teach(self, examples: Sequence[Example]) -> Classifier:
        learned = train(examples, "cross-validation", self._rows(examples))
        return Classifier(Weights.parse(learned.weights), embedder=EmbeddedHeads(self._model, learned.matrix.astype(np.float32)))

    def write(self, examples: Sequence[Example], note: str, file: Path | None) -> int:
        learned = train(examples, note, self._rows(examples))
        raw = heads_file(learned.weights, learned.matrix, self._model)
        if file is not None:
            file.write_bytes(raw)
        return len(raw)

    def _rows(self, examples: Sequence[Example]) -> np.ndarray:
        return np.array([self._vector(window(example.excerpt.human)) for example in examples])

    def _vector(self, text: str) -> np.ndarray:
        """Cross-validation asks for every text six times. Nothing known in it: no direction, so the words decide."""
        if text not in self._vectors:
            found = self._model.vector(text)
            self._vectors[text] = np.zeros(self._model.dimensions, dtype=np.float32) if found is None else found
        return self._vectors[text]
