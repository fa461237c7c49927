"""Tiny static embedding models in model2vec's format, made on the spot. Needs the extra `embed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from config.static_embedding import PROBE, StaticEmbedding, heads_file
from routing.classify.weights import HEADS
from tests.classify_samples import weights_file

UNKNOWN = "[UNK]"


def model_folder(folder: Path, words: Mapping[str, Sequence[float]]) -> Path:
    """A model that knows `words`, each with its vector, and the first word of PROBE with ones."""
    size = len(next(iter(words.values())))
    rows: dict[str, Sequence[float]] = {UNKNOWN: [0.0] * size, PROBE.split()[0].lower(): [1.0] * size, **words}
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(rows)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    StaticModel(np.array(list(rows.values()), dtype=np.float32), tokenizer).save_pretrained(folder)
    return folder


def heads_for(folder: Path, file: Path, dimensions: Mapping[int, str], words: Mapping[str, Sequence[int]] | None = None) -> Path:
    """Heads of the model in `folder`: dimension → the head that it speaks for; `words` as in `weights_file`."""
    model = StaticEmbedding(folder)
    matrix = np.zeros((model.dimensions, len(HEADS)))
    for dimension, head in dimensions.items():
        matrix[dimension, HEADS.index(head)] = 10.0
    file.write_bytes(heads_file(weights_file(words or {}), matrix, model))
    return file
