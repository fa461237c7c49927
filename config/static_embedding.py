"""A static embedding model and its heads: the adapter behind `routing.classify.embedder`, over model2vec and numpy.

Imported by name and only where it is configured: the two cost a start 100 ms and 60 MB. Nothing here opens a connection: model2vec asks
the Hugging Face hub for a name that is no existing path, and an absolute path is never such a name.

A file of heads is an .npz of three arrays:

    weights  bytes of a weights file (`routing/classify/weights.py`), trained together with
    matrix   (dimensions, heads) float32: what a text's vector, of length one, adds to every head's raw output
    probe    (dimensions,) float32: the vector of PROBE, by which the model is known again
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from model2vec import StaticModel

from routing.classify.embedder import Embedder
from routing.classify.weights import HEADS, Weights

PROBE = "Explain in two sentences why the tests of this Python project fail, and what the weather has to do with it."
"""A text in which any model knows something."""
TOLERANCE = 1e-3
"""Difference of a probe's figures that is still the same model: float16 keeps three digits."""

# Else the tokenizer starts a pool of threads, two on two cores, for the single texts that it gets here. It gains nothing by them (a median
# of 177 µs with and without, 600 questions), and the supervisor, which reads the configuration first, forks its workers.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


class StaticEmbedding:
    """A row per token; a text is the mean of its tokens' rows, brought to length one."""

    def __init__(self, folder: Path) -> None:
        """Reads it. Raises ValueError, in words for whoever configured it."""
        try:
            self._model = StaticModel.from_pretrained(folder.absolute(), force_download=False)
        # What reads tokenizers and tensors raises nothing narrower.
        except Exception as error:
            raise ValueError(f"{folder} is no model that model2vec can read ({error})") from error
        self.dimensions: int = self._model.dim

    def vector(self, text: str) -> np.ndarray | None:
        """(dimensions,) float32 of length one; None where no token of `text` is known."""
        found = self._model.encode([text], use_multiprocessing=False)[0].astype(np.float32)
        length = float(np.sqrt(found @ found))
        return found / length if length > 0 else None


class EmbeddedHeads:
    """An `Embedder`. The product of vector and matrix takes 1 µs in numpy and 44 µs in plain Python, for 256 dimensions."""

    def __init__(self, model: StaticEmbedding, matrix: np.ndarray) -> None:
        """`matrix`: (dimensions, heads)."""
        self._model = model
        self._matrix = matrix

    def outputs(self, text: str) -> Sequence[float] | None:
        vector = self._model.vector(text)
        if vector is None:
            return None
        found: list[float] = (vector @ self._matrix).tolist()
        return found


def read_embedder(folder: Path, heads: Path) -> tuple[Weights, Embedder]:
    """The weights in `heads`, and what speaks beside them. Raises ValueError, in words for whoever configured them."""
    weights, matrix, probe = _read_heads(heads)
    model = StaticEmbedding(folder)
    if matrix.shape != (model.dimensions, len(HEADS)):
        raise ValueError(f"{heads} was trained for a model with {matrix.shape[0]} dimensions, and {folder} has {model.dimensions}")
    if not np.allclose(probe_of(model), probe, atol=TOLERANCE):
        raise ValueError(f"{heads} was trained for another model than {folder}: train again")
    return weights, EmbeddedHeads(model, matrix)


def heads_file(weights: bytes, matrix: np.ndarray, model: StaticEmbedding) -> bytes:
    """A file of heads. `weights`: a weights file's content; `matrix`: (dimensions, heads). The same arguments give the same bytes."""
    raw, table = np.frombuffer(weights, dtype=np.uint8), np.ascontiguousarray(matrix, dtype=np.float32)
    file = io.BytesIO()
    np.savez(file, weights=raw, matrix=table, probe=probe_of(model))
    return file.getvalue()


def probe_of(model: StaticEmbedding) -> np.ndarray:
    """Raises ValueError where the model knows nothing: heads on top of it would say nothing either."""
    vector = model.vector(PROBE)
    if vector is None:
        raise ValueError("the model knows no token of a plain English sentence")
    return vector


def _read_heads(file: Path) -> tuple[Weights, np.ndarray, np.ndarray]:
    try:
        # From memory: of a damaged file numpy leaves the handle open.
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
            raw, matrix, probe = arrays["weights"].tobytes(), arrays["matrix"], arrays["probe"]
        weights = Weights.parse(raw)
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is no file of heads ({error}): `scripts/train-classifier --embed FOLDER` makes one") from error
    if matrix.ndim != 2 or matrix.dtype != np.float32 or not np.isfinite(matrix).all():
        raise ValueError(f"{file} is damaged: its matrix is no table of numbers")
    return weights, matrix, probe
