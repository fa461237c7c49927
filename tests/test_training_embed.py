"""`scripts/train-classifier --embed` on a handful of rows. Needs the extras `train` and `embed`; skipped without them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("scipy", reason="extra `train` is not installed")
pytest.importorskip("model2vec", reason="extra `embed` is not installed")

from config.embedding import classifier_for
from routing.classify.profile import BALANCED
from routing.types import ModelTier
from scripts.training.__main__ import cross_validate, main
from scripts.training.rows import read_rows
from scripts.training.teaching import WithWords
from scripts.training.vectors import WithVectors
from tests.classify_samples import excerpt
from tests.serving import load_text
from tests.static_models import model_folder

HARD, EASY = ("quork", "zwark", "blomp", "frisk"), ("plumf", "mulf", "tilf", "dwilf")
THINGS = ("tea", "milk", "bread", "soap", "salt", "rice", "corn", "wood")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """In it all hard words mean the same, and all easy ones."""
    return model_folder(tmp_path / "model", {word: [1.0, 0.0] for word in HARD} | {word: [0.0, 1.0] for word in EASY})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Every word of the model but the last two, each in its own questions: for a split the words are strangers, their meaning is not."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [
        {"id": f"{word}-{thing}", "messages": [{"role": "user", "content": f"{word} {thing}"}], "licence": "MIT", "gold": gold}
        for words, gold in ((HARD[:-1], {"kind": "tier", "tier": 3}), (EASY[:-1], {"kind": "tier", "tier": 0}))
        for word in words
        for thing in THINGS
    ]
    (folder / "tier_x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_word_that_no_row_has_is_judged_by_what_it_means(tmp_path: Path, data: Path, model: Path) -> None:
    heads = tmp_path / "heads.npz"
    assert main(["--data", str(data), "--embed", str(model), "--out", str(heads), "--no-cross-validation"]) == 0
    loaded = load_text(f"routing: {{classifier: {{embed: {{model: {model}, heads: {heads}, limit_ms: 1000}}}}}}")
    classifier = classifier_for(BALANCED, loaded.settings.routing.classifier.embed)
    assert classifier.classify(excerpt(HARD[-1])).tier is ModelTier.FRONTIER
    assert classifier.classify(excerpt(EASY[-1])).tier is ModelTier.MICRO


def test_cross_validation_measures_what_would_be_served(data: Path, model: Path) -> None:
    examples = read_rows([data])
    judged = cross_validate(examples, WithVectors(model))
    assert [example.id for example, _ in judged] == [example.id for example, _ in cross_validate(examples, WithWords())]
    right = [found.tier is (ModelTier.FRONTIER if example.id.startswith(HARD) else ModelTier.MICRO) for example, found in judged
             if example.source == "tier_x"]  # fmt: skip
    assert all(right)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, data: Path, model: Path) -> None:
    files = [tmp_path / name for name in ("a.npz", "b.npz")]
    sizes = [WithVectors(model).write(read_rows([data]), "a test", file) for file in files]
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert sizes == [len(first)] * 2


def test_a_folder_without_a_model_is_named(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "--embed", str(tmp_path / "nothing")]) == 1
    assert "nothing is no model that model2vec can read" in capsys.readouterr().err
