"""What is trained and measured: a classifier by words alone, as the shipped one, or one in which an embedding has a say (`vectors.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from routing.classify.classifier import Classifier
from routing.classify.weights import Weights
from scripts.training.rows import Example
from scripts.training.train import train


class Teacher(Protocol):
    def teach(self, examples: Sequence[Example]) -> Classifier:
        """A classifier that has learned from `examples` alone, read back from what would be written."""
        ...

    def write(self, examples: Sequence[Example], note: str, file: Path | None) -> int:
        """What all `examples` teach, into `file` unless that is None; its size in bytes."""
        ...


class WithWords:
    """A `Teacher` of weights files."""

    def teach(self, examples: Sequence[Example]) -> Classifier:
        return Classifier(Weights.parse(train(examples, "cross-validation").weights))

    def write(self, examples: Sequence[Example], note: str, file: Path | None) -> int:
        raw = train(examples, note).weights
        if file is not None:
            file.write_bytes(raw)
        return len(raw)
