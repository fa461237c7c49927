"""`routing.classifier.embed` with a real model of a few tokens: read, judged by, refused when it does not fit, kept while files change."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("model2vec", reason="extra `embed` is not installed")

from config.classifier import load_classifier
from config.embedding import classifier_for, embedded
from config.problems import ConfigError, Problem
from config.source import Loaded
from routing.classify.embedder import BY_MEANING
from routing.classify.profile import BALANCED
from routing.types import Classification, ModelTier, UseCase
from tests.classify_samples import excerpt
from tests.serving import Donut, load_text
from tests.static_models import heads_for, model_folder

WORDS = {"zwark": [1.0, 0, 0], "zworp": [0, 1.0, 0], "Zwürp": [0, 0, 1.0]}
SPEAKS_FOR = {0: "tier.frontier", 1: "tier.micro", 2: "use.search"}
SLOWEST_MS = 1000
"""A machine that is busy with other tests must not make it too slow."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "model", {word.lower(): vector for word, vector in WORDS.items()})


@pytest.fixture
def heads(tmp_path: Path, model: Path) -> Path:
    return heads_for(model, tmp_path / "heads.npz", SPEAKS_FOR)


def config(model: Path, heads: Path, limit_ms: float = SLOWEST_MS, more: str = "") -> str:
    return f"routing:\n  classifier:\n    embed:\n      model: {model}\n      heads: {heads}\n      limit_ms: {limit_ms}\n{more}"


def judged(loaded: Loaded, text: str) -> Classification:
    return classifier_for(BALANCED, loaded.settings.routing.classifier.embed).classify(excerpt(text))


def problem(text: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    (found,) = caught.value.problems
    return found


def test_the_model_of_the_config_has_a_say(model: Path, heads: Path) -> None:
    loaded = load_text(config(model, heads))
    assert loaded.warnings == ()
    assert judged(loaded, "zwark").tier is ModelTier.FRONTIER
    assert judged(loaded, "zworp zworp zwark").tier is ModelTier.MICRO
    assert judged(loaded, "ZWÜRP").use_case is UseCase.SEARCH
    assert BY_MEANING in judged(loaded, "zwark").reasons


@pytest.mark.parametrize("text", ["unheard", "\0", "\u200b", "🦊" * 300, "a" * 3000])
def test_what_the_model_does_not_know_gets_the_default(model: Path, heads: Path, text: str) -> None:
    found = judged(load_text(config(model, heads)), text)
    assert (found.tier, BY_MEANING in found.reasons) == (ModelTier.MID, False)


def test_a_model_above_its_limit_is_not_asked_and_that_is_said(model: Path, heads: Path) -> None:
    loaded = load_text(config(model, heads, limit_ms=1e-6))
    (warning,) = loaded.warnings
    assert (warning.line, warning.key) == (3, "routing.classifier.embed")
    assert "more than limit_ms (1e-06): it is not asked" in warning.message
    assert judged(loaded, "Hello zwark") == load_classifier().classify(excerpt("Hello zwark"))


def test_a_model_that_was_too_slow_gets_another_chance(model: Path, heads: Path) -> None:
    slow = load_text(config(model, heads, limit_ms=1e-6))
    assert judged(slow, "zwark").tier is not ModelTier.FRONTIER
    assert judged(load_text(config(model, heads)), "zwark").tier is ModelTier.FRONTIER


def test_heads_of_another_model_are_refused(tmp_path: Path, heads: Path) -> None:
    other = model_folder(tmp_path / "other", {"zwark": [0.5, 0, 0.5], "explain": [0, 1, 0]})
    found = problem(config(other, heads))
    assert (found.line, found.key) == (3, "routing.classifier.embed")
    assert "was trained for another model" in found.message


def test_heads_of_a_larger_model_are_refused(tmp_path: Path, heads: Path) -> None:
    other = model_folder(tmp_path / "other", {"zwark": [1, 0, 0, 0]})
    assert "for a model with 3 dimensions" in problem(config(other, heads)).message


@pytest.mark.parametrize("size", [0, 10, 300, -1])
def test_a_damaged_file_of_heads_is_refused(model: Path, heads: Path, size: int) -> None:
    heads.write_bytes(heads.read_bytes()[:size] if size >= 0 else b"no zip" * 1000)
    assert "is no file of heads" in problem(config(model, heads)).message


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_damaged_model_is_refused(model: Path, heads: Path, file: str, is_there: bool) -> None:
    if is_there:
        (model / file).write_bytes(b"{broken")
    else:
        (model / file).unlink()
    assert "no model that model2vec can read" in problem(config(model, heads)).message


def test_a_folder_without_a_model_is_never_looked_for_elsewhere(tmp_path: Path, heads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path with one slash is also a name on the Hugging Face hub."""
    (tmp_path / "minishlab" / "potion").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "no model that model2vec can read" in problem(config(Path("minishlab/potion"), heads)).message


def test_new_heads_are_taken_with_the_next_look_at_the_config(model: Path, heads: Path) -> None:
    loaded = load_text(config(model, heads))
    assert judged(loaded, "zwark").tier is ModelTier.FRONTIER
    heads_for(model, heads, {0: "tier.small"})
    assert judged(loaded, "zwark").tier is ModelTier.FRONTIER
    assert judged(load_text(config(model, heads)), "zwark").tier is ModelTier.SMALL


def test_what_is_in_force_outlives_its_files(model: Path, heads: Path) -> None:
    """A training that is under way has written half a file, and a local server comes: what is served is composed anew."""
    loaded = load_text(config(model, heads))
    heads.write_bytes(heads.read_bytes()[:100])
    (model / "model.safetensors").unlink()
    assert judged(loaded, "zwark").tier is ModelTier.FRONTIER
    problem(config(model, heads))
    assert judged(loaded, "zwark").tier is ModelTier.FRONTIER


def test_a_model_that_is_out_of_force_is_forgotten(tmp_path: Path, model: Path, heads: Path) -> None:
    settings = load_text(config(model, heads)).settings.routing.classifier.embed
    first = embedded(settings)
    assert embedded(settings) is first
    assert embedded(None) is None
    assert embedded(settings) is not first


async def test_requests_go_where_it_says_and_a_reload_takes_it_away(tmp_path: Path, model: Path, heads: Path) -> None:
    offline = "discovery: {local: false, environment: false}\n"
    # Two conversations: within one, the turn's classification holds.
    asked, later = ({"model": "auto", "messages": [{"role": "user", "content": text}]} for text in ("zwark", "and zwark"))
    async with Donut(config(model, heads, more=offline), tmp_path) as donut:
        answer = await donut.client.post("/v1/chat/completions", json=asked)
        assert (answer.status_code, answer.headers["x-donut-tier"]) == (200, "frontier")
        seen = await donut.client.post("/api/routing/select", json=asked)
        assert BY_MEANING in seen.text
        await donut.reload(offline)
        seen = await donut.client.post("/api/routing/select", json=later)
        assert seen.status_code == 200
        assert BY_MEANING not in seen.text
