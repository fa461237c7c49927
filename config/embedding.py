"""The embedding model that config names: read once, its cost measured, what is wrong with it said by file and line.

It has a say in decisions only if it is quick enough here: a decision waits for nothing, so what it takes is taken from every stream of this
process. How quick it is depends on model and machine, so it is measured, not assumed.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Collection, Iterator
from pathlib import Path as FilePath
from typing import NamedTuple, Protocol

from pydantic import ValidationError

from config.classifier import load_classifier
from config.classifier_settings import EXTRA, EmbedSettings, has_package
from config.document import Document
from config.problems import Path, Problem
from config.reading import mapping
from routing.classify.classifier import Classifier
from routing.classify.embedder import Embedder
from routing.classify.profile import Profile
from routing.classify.weights import Weights
from routing.classify.words import WINDOW_HEAD, WINDOW_TAIL

PATH: Path = ("routing", "classifier", "embed")
WINDOW_CHARS = WINDOW_HEAD + WINDOW_TAIL + 1
SAMPLES = 21


class Embedded(NamedTuple):
    """A model that was read, with the weights that were trained beside it."""

    weights: Weights
    embedder: Embedder
    cost_ms: float
    """Of a full window, the median of SAMPLES."""
    stamp: tuple[int, ...]
    """Changes with the files."""


_READ: dict[tuple[str, str], Embedded] = {}
"""By model folder and heads file. Reading a configuration fills it, in a thread; composing, which happens on the event loop and whenever a
local server comes or goes, takes what is here: by then the files may be half written."""


def classifier_for(profile: Profile, settings: EmbedSettings | None) -> Classifier:
    """What a server classifies by: the model of `settings` has a say if it is quick enough here, else the shipped weights judge alone.
    Raises as `embedded` does."""
    found = embedded(settings)
    if found is not None and settings is not None and is_quick_enough(found, settings):
        return Classifier(found.weights, profile, found.embedder)
    return load_classifier(profile)


def embedded(settings: EmbedSettings | None) -> Embedded | None:
    """The model of the configuration that is in force from now on, as the last look at it found it; any other is forgotten. None where none
    is configured. Raises ValueError only where nobody has looked."""
    kept = None if settings is None else _READ.get(_key(settings)) or read_embedded(settings)
    for key in [key for key, found in _READ.items() if found is not kept]:
        del _READ[key]
    return kept


def read_embedded(settings: EmbedSettings) -> Embedded:
    """Read the files, unless they are still what they were. Raises ValueError, in words for whoever configured them.

    What was too slow is read and measured again: the machine may have been busy. As an object of its own, since this may be a thread, and a
    tokenizer that is in use must not be used from a second one.
    """
    stamp = _stamp(settings)
    kept = _READ.get(_key(settings))
    if kept is not None and kept.stamp == stamp and is_quick_enough(kept, settings):
        return kept
    try:
        adapter: _Adapter = importlib.import_module("config.static_embedding")
    except ImportError as error:
        raise ValueError(f"{error}: pip install '{EXTRA}'") from error
    weights, embedder = adapter.read_embedder(settings.model_folder, settings.heads_file)
    found = _READ[_key(settings)] = Embedded(weights, embedder, _cost_ms(embedder, weights.words), stamp)
    return found


def is_quick_enough(found: Embedded, settings: EmbedSettings) -> bool:
    return found.cost_ms <= settings.limit_ms


def embed_findings(document: Document) -> tuple[list[Problem], list[Problem]]:
    """(problems, warnings) of the model that `document` configures."""
    section = mapping(mapping(mapping(document.data, "routing"), "classifier"), "embed")
    if not section or not has_package():
        return [], []
    try:
        settings = EmbedSettings.model_validate(section)
    except ValidationError:
        return [], []  # what a key has wrong is said where the keys are judged
    try:
        found = read_embedded(settings)
    except ValueError as error:
        return [document.problem(PATH, str(error))], []
    if is_quick_enough(found, settings):
        return [], []
    message = f"takes {found.cost_ms:.2g} ms for a full window of text, more than limit_ms ({settings.limit_ms:g}): it is not asked"
    return [], [document.problem(PATH, message, "the shipped weights judge alone; take a smaller model or raise `limit_ms`")]


class _Adapter(Protocol):
    """`config.static_embedding`."""

    def read_embedder(self, folder: FilePath, heads: FilePath) -> tuple[Weights, Embedder]: ...


def _key(settings: EmbedSettings) -> tuple[str, str]:
    return str(settings.model_folder), str(settings.heads_file)


def _stamp(settings: EmbedSettings) -> tuple[int, ...]:
    """Raises ValueError for a file that went away since the settings were judged."""
    try:
        states = [path.stat() for path in (*sorted(settings.model_folder.iterdir()), settings.heads_file)]
    except OSError as error:
        raise ValueError(f"can not be read: {error.strerror}: {error.filename}") from error
    return tuple(figure for state in states for figure in (state.st_ino, state.st_mtime_ns, state.st_size))


def _cost_ms(embedder: Embedder, words: Collection[str]) -> float:
    """The median over windows full of different words: tokenizers remember the words that they have seen, and requests are not alike."""
    times_s = []
    for text in _windows(words):
        began = time.perf_counter()
        embedder.outputs(text)
        times_s.append(time.perf_counter() - began)
    return statistics.median(times_s) * 1000


def _windows(words: Collection[str]) -> Iterator[str]:
    """SAMPLES windows of every n-th word: neighbours in the vocabulary are alike, and its beginning is punctuation."""
    known = [word for word in words if word] or ["word"]
    for start in range(SAMPLES):
        text = " ".join(known[start % len(known) :: SAMPLES])
        yield (text * (1 + WINDOW_CHARS // len(text)))[:WINDOW_CHARS]
