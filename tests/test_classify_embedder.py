"""An embedding model behind the classifier's port: it adds to what the words say, and to nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from routing.classify.classifier import NO_SIGNALS, Classifier
from routing.classify.embedder import BY_MEANING
from routing.classify.excerpt import cut
from routing.classify.weights import HEADS, Weights
from routing.classify.words import WINDOW_HEAD, WINDOW_TAIL
from routing.types import CallRole, Classification, ModelTier, UseCase
from tests.classify_samples import excerpt, weights_file

STRONGEST = 2000
TITLE = "Generate a short title for this conversation. Reply only with the title, at most five words."


class Meaning:
    """Knows some texts, each of which speaks for the head named by so much; remembers what it was asked."""

    def __init__(self, **known: tuple[str, float]) -> None:
        self._known = known
        self.asked: list[str] = []

    def outputs(self, text: str) -> Sequence[float] | None:
        self.asked.append(text)
        for word, (head, weight) in self._known.items():
            if word in text:
                return [weight * (name == head) for name in HEADS]
        return None


def judged(meaning: Meaning, text: str, **members: Any) -> Classification:
    """By `meaning` and by weights that know one word: `lemma`, for the frontier."""
    weights = Weights.parse(weights_file({"lemma": [STRONGEST * (head == "tier.frontier") for head in HEADS]}))
    return Classifier(weights, embedder=meaning).classify(excerpt(text, **members))


def test_it_speaks_where_no_word_is_known() -> None:
    found = judged(Meaning(zwark=("tier.micro", 5)), "zwark")
    assert found.tier is ModelTier.MICRO
    assert BY_MEANING in found.reasons
    assert NO_SIGNALS not in found.reasons


@pytest.mark.parametrize(("weight", "tier"), [(10 * STRONGEST, ModelTier.SMALL), (STRONGEST / 10, ModelTier.FRONTIER)])
def test_it_adds_to_the_words_and_the_sum_decides(weight: float, tier: ModelTier) -> None:
    assert judged(Meaning(zwark=("tier.small", weight)), "lemma zwark").tier is tier


def test_the_use_case_and_the_difficulty_follow_it_too() -> None:
    assert judged(Meaning(zwark=("use.search", 5)), "zwark").use_case is UseCase.SEARCH
    easy, hard = (judged(Meaning(zwark=("score", weight)), "zwark").difficulty for weight in (-1, 1))
    assert easy < 0.5 < hard


def test_where_it_knows_nothing_the_words_decide_alone() -> None:
    found = judged(Meaning(), "lemma")
    assert found.tier is ModelTier.FRONTIER
    assert BY_MEANING not in found.reasons


def test_where_neither_knows_anything_the_default_is_stated() -> None:
    found = judged(Meaning(), "zwark")
    assert (found.tier, found.use_case) == (ModelTier.MID, UseCase.CHAT)
    assert found.reasons[-1] == NO_SIGNALS


def test_it_is_not_asked_what_structure_settles() -> None:
    meaning = Meaning(title=("tier.frontier", 1e6))
    chore = judged(
        meaning, "Hello " * 50, system="Generate a short title for this conversation. Reply only with the title, at most five words."
    )
    endpoint = judged(meaning, "a title", endpoint="embeddings")
    assert (chore.role, chore.tier) == (CallRole.CHORE, ModelTier.MICRO)
    assert endpoint.use_case is UseCase.EMBED
    assert meaning.asked == []


def test_it_sees_a_window_of_the_human_turn_and_nothing_else() -> None:
    meaning = Meaning()
    judged(meaning, cut("begin " + "x " * 9000 + "end"), system="You are a helpful system prompt.")
    (asked,) = meaning.asked
    assert len(asked) == WINDOW_HEAD + WINDOW_TAIL + 1
    assert asked.startswith("begin")
    assert asked.endswith("end")
