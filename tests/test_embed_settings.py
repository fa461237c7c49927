"""`routing.classifier.embed` without the extra: what is wrong is said by line, and whoever does not configure it pays nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config.problems import ConfigError, Problem
from tests.serving import load_text


def config(model: Path, heads: Path, more: str = "") -> str:
    return f"routing:\n  classifier:\n    embed:\n      model: {model}\n      heads: {heads}\n{more}"


def problems(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return list(caught.value.problems)


def test_what_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    model, heads = problems(config(tmp_path / "no-model", tmp_path / "no.npz"))
    assert (model.line, model.key) == (4, "routing.classifier.embed.model")
    assert "there is no such folder; donut downloads none" in model.message
    assert (heads.line, heads.key) == (5, "routing.classifier.embed.heads")
    assert "scripts/train-classifier --embed" in heads.message


def test_a_misspelt_key_is_named_with_the_nearest(tmp_path: Path) -> None:
    (found,) = problems(config(tmp_path, Path(__file__), "      limit: 2\n"))
    assert (found.line, found.key) == (6, "routing.classifier.embed.limit")
    assert "limit_ms" in found.suggestion


def test_both_paths_are_needed() -> None:
    (found,) = problems(f"routing: {{classifier: {{embed: {{model: {Path(__file__).parent}}}}}}}")
    assert found.key == "routing.classifier.embed.heads"


def test_a_missing_extra_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.classifier_settings.PACKAGE", "a_package_that_nobody_has")
    (found,) = problems(config(tmp_path, Path(__file__)))
    assert (found.line, found.key) == (3, "routing.classifier.embed")
    assert "pip install 'donut-proxy[embed]'" in found.message


def test_nothing_of_it_is_loaded_unless_it_is_configured() -> None:
    program = "import sys, config.runtime, config.commands.serve; print(sorted({'numpy', 'model2vec', 'tokenizers'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "[]\n"
