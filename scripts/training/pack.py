"""Learned coefficients as the file that `routing/classify/weights.py` reads: quantised, packed, with its header in plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from routing.classify.shape import Family, Shape
from routing.classify.weights import FIELD_BYTES, HEADS, MAGIC, STEPS
from scripts.training.heads import Model
from scripts.training.matrix import Columns


def packed(model: Model, columns: Columns, *, note: str, scale: tuple[float, float], leans: Mapping[str, float]) -> bytes:
    """The file's content."""
    stairs = _bins(model.stairs, columns)
    word_steps, stair_steps = _steps(model.words), _steps(stairs)
    header = [
        MAGIC,
        f"note {note}",
        f"heads {' '.join(HEADS)}",
        f"intercepts {_figures(model.intercepts)}",
        f"word_steps {_figures(word_steps)}",
        f"stair_steps {_figures(stair_steps)}",
        f"scale {_figures(scale)}",
        *(f"lean {name} {value}" for name, value in leans.items()),
        *(f"stairs {family.name} {name} {_figures(columns.edges[family, name])}".rstrip() for family in Family for name in Shape._fields),
        f"words {len(columns.words)}",
    ]
    rows = _rows(model.words, word_steps) + _rows(stairs, stair_steps)
    return "\n".join([*header, "", *columns.words, ""]).encode() + rows


def _figures(values: Sequence[float] | np.ndarray) -> str:
    return " ".join(f"{value:.6g}" for value in values)


def _bins(table: np.ndarray, columns: Columns) -> np.ndarray:
    """A row per bin from a row per edge: a bin has the sum of all edges below it. In the order of families and figures."""
    start, bins = 0, []
    for family in Family:
        for name in Shape._fields:
            count = len(columns.edges[family, name])
            climbed = np.cumsum(np.vstack([np.zeros(table.shape[1]), table[start : start + count]]), axis=0)
            bins.append(climbed)
            start += count
    return np.vstack(bins)


def _steps(table: np.ndarray) -> np.ndarray:
    """What a step is worth per head, so that the strongest weight is STEPS of them."""
    return np.maximum(np.abs(table).max(0), 1e-9) / STEPS


def _rows(table: np.ndarray, steps: np.ndarray) -> bytes:
    fields = (np.rint(table / steps).astype(np.int64) + STEPS).astype("<u4")
    assert fields.min() >= 0
    assert fields.max() <= 2 * STEPS
    return bytes(fields.view(np.uint8).reshape(*fields.shape, 4)[:, :, :FIELD_BYTES].tobytes())
