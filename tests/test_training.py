"""`scripts/train-classifier` on a handful of rows. Needs the extra `train`; skipped without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="extra `train` is not installed")
pytest.importorskip("scipy", reason="extra `train` is not installed")

import numpy as np

from routing.classify.classifier import Classifier
from routing.classify.weights import Weights
from routing.types import ModelTier
from scripts.training.__main__ import cross_validate, main
from scripts.training.figures import apgr, macro_f1
from scripts.training.rows import read_rows
from scripts.training.teaching import WithWords
from scripts.training.train import train
from tests.classify_samples import excerpt

EASY = ("tea", "milk", "bread", "soap", "salt", "rice", "corn", "wood")


def row(identity: str, text: str, **members: Any) -> dict[str, Any]:
    return {"id": identity, "messages": [{"role": "user", "content": text}], "licence": "MIT", **members}


def written(folder: Path, name: str, rows: Sequence[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A set in which the word `quork` means hard and `plumf` means easy."""
    folder = tmp_path / "data"
    written(
        folder,
        "route_x",
        [row(f"h{i}", f"quork the {word}", gold={"kind": "route", "weak": 0, "strong": 1}) for i, word in enumerate(EASY)],
    )
    rows = [row(f"e{i}", f"plumf the {word}", gold={"kind": "route", "weak": 1, "strong": 1}) for i, word in enumerate(EASY)]
    tiers = [row(f"t{i}", f"quork a {word}", gold={"kind": "tier", "tier": 3}) for i, word in enumerate(EASY)]
    return written(written(folder, "route_y", rows), "tier_z", tiers)


def test_what_was_taught_is_known(data: Path) -> None:
    weights = Weights.parse(train(read_rows([data]), "a test").weights)
    classifier = Classifier(weights)
    hard, easy = (classifier.classify(excerpt(text)) for text in ("quork the moon", "plumf the moon"))
    assert hard.difficulty > easy.difficulty
    assert classifier.classify(excerpt("quork a moon")).tier is ModelTier.FRONTIER
    assert weights.note == "a test"


def test_the_same_rows_give_the_same_bytes(data: Path) -> None:
    assert train(read_rows([data]), "").weights == train(read_rows([data]), "").weights


@pytest.mark.parametrize("forbidden", [{"eval_only": True}, {"licence": "CC-BY-NC-4.0"}])
def test_rows_that_may_only_be_measured_on_teach_nothing(tmp_path: Path, data: Path, forbidden: dict[str, Any]) -> None:
    rows = [row(f"f{i}", f"zworp a {word}", **({"gold": {"kind": "tier", "tier": 0}} | forbidden)) for i, word in enumerate(EASY)]
    examples = read_rows([data, written(tmp_path / "forbidden", "tier_f", rows)])
    assert not any(example.may_train for example in examples if example.source == "tier_f")
    judged = cross_validate(examples, WithWords())
    assert len(judged) == len(examples)


def test_one_question_is_never_on_both_sides(tmp_path: Path) -> None:
    """In another set, with its options or inside a template, it is still the same question."""
    asked = "What gives the sky over the quiet sea its colour at noon?"
    rows = [
        row("1", f"{asked}\nA. dust\nB. light\nC. salt", gold={"kind": "tier", "tier": 1}),
        row("2", f"{asked}\nA. light\nB. dust\nC. ice\nD. salt", gold={"kind": "tier", "tier": 2}),
        row("3", f"{asked}", gold={"kind": "tier", "tier": 1}),
    ]
    examples = [example for example in read_rows([written(tmp_path / "d", "tier_a", rows)]) if example.source == "tier_a"]
    assert len({(example.question, example.fold) for example in examples}) == 1


def test_a_broken_row_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path / "d", "tier_a", [row("1", "hello", gold={"kind": "tier", "tier": 1}), {"id": "2", "messages": []}])
    assert main(["--data", str(folder), "--dry-run"]) == 1
    assert "tier_a.jsonl:2" in capsys.readouterr().err


def test_apgr() -> None:
    gain, none = np.array([1.0, 1.0, 0.0, 0.0]), np.zeros(4)
    perfect, worst, blind = (apgr(np.array(score), none, gain) for score in ([4, 3, 2, 1], [1, 2, 3, 4], [1, 1, 1, 1]))
    assert (perfect, worst, blind) == (0.75, 0.25, 0.5)
    assert np.isnan(apgr(np.arange(4.0), none, none))


def test_macro_f1() -> None:
    assert macro_f1("aabb", "aabb") == 1
    assert macro_f1("aabb", "aaaa") == pytest.approx(1 / 3)
