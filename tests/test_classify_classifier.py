"""Structure first, then words, then steps; and nothing that anyone can send makes it fail."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.classifier import load_classifier, load_weights
from routing.classify.classifier import Classifier
from routing.classify.excerpt import cut
from routing.classify.profile import Profile
from routing.classify.reasons import NAMEABLE, WORDS_NAMED
from routing.classify.weights import HEADS, Weights
from routing.types import TIER_ORDER, CallRole, Classification, ModelTier, Objective, UseCase
from tests.classify_samples import excerpt, weights_file

STRONGEST = 2000


def classify(human: str, **members: object) -> Classification:
    return load_classifier().classify(excerpt(human, **members))  # type: ignore[arg-type]


def learned(**words: str) -> Classifier:
    """A classifier that knows a word per keyword, each of which speaks for the head named."""
    rows = {word: [STRONGEST * (name == head) for name in HEADS] for word, head in words.items()}
    return Classifier(Weights.parse(weights_file(rows)))


def test_words_decide_the_tier_the_use_case_and_the_difficulty() -> None:
    classifier = learned(lemma="tier.frontier", hello="tier.micro", loop="use.code", news="use.search", deep="score")
    assert classifier.classify(excerpt("a lemma")).tier is ModelTier.FRONTIER
    assert classifier.classify(excerpt("hello you")).tier is ModelTier.MICRO
    assert classifier.classify(excerpt("this loop")).use_case is UseCase.CODE
    assert classifier.classify(excerpt("any news")).use_case is UseCase.SEARCH
    assert classifier.classify(excerpt("a deep one")).difficulty > classifier.classify(excerpt("a lemma")).difficulty


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u200b", "zzqxv vvqzk"])
def test_without_a_known_word_the_default_is_stated(text: str) -> None:
    found = learned(lemma="tier.frontier").classify(excerpt(text, system="You help."))
    assert (found.tier, found.use_case, found.difficulty) == (ModelTier.MID, UseCase.CHAT, 0.5)
    assert found.confidence < 0.5
    assert "the default" in found.reasons[-1]


def test_the_endpoint_settles_an_embedding() -> None:
    found = classify("Prove the theorem.", endpoint="embeddings")
    assert (found.use_case, found.tier, found.objective) == (UseCase.EMBED, ModelTier.MICRO, Objective.COST_SPEED)
    assert found.reasons == ("the embeddings endpoint",)


def test_an_image_settles_the_use_case_and_a_word_for_one_does_not() -> None:
    assert classify("What is this?", has_images=True).use_case is UseCase.VISION
    assert classify("Describe the image that the word sunset brings to mind.").use_case is not UseCase.VISION


@pytest.mark.parametrize(("tools", "use_case"), [(("web_search",), UseCase.SEARCH), (("web_search", "bash", "edit_file"), UseCase.CHAT)])
def test_tools_that_only_look_things_up_make_a_search(tools: tuple[str, ...], use_case: UseCase) -> None:
    assert classify("Tell me a bedtime story about a small fox", tool_names=tools).use_case is use_case


def test_an_agent_with_hands_is_no_search_engine() -> None:
    found = classify("Find today's latest news about the price of gold", tool_names=("bash", "edit_file"))
    assert found.use_case is UseCase.CODE


def test_a_chore_stays_one_however_hard_its_material() -> None:
    material = "Prove that every bounded monotone sequence converges, and design a distributed database. " * 40
    found = classify(material, system="Generate a short title for this conversation. Reply only with the title, at most five words.")
    assert found.role is CallRole.CHORE
    assert TIER_ORDER.index(found.tier) <= TIER_ORDER.index(ModelTier.SMALL)
    assert found.objective is Objective.COST_SPEED


@given(st.text(max_size=400))
def test_a_stronger_profile_never_chooses_a_smaller_tier(text: str) -> None:
    ranks = [TIER_ORDER.index(load_classifier(profile).classify(excerpt(text)).tier) for profile in Profile]
    assert ranks == sorted(ranks)


@given(human=st.text(max_size=4000), system=st.text(max_size=200), tools=st.lists(st.text(max_size=20), max_size=3), images=st.booleans())
def test_whatever_is_sent_gets_one_answer_within_bounds(human: str, system: str, tools: list[str], images: bool) -> None:
    seen = excerpt(human, system=system, tool_names=tuple(tools), has_images=images)
    found = load_classifier().classify(seen)
    assert found == load_classifier().classify(seen)
    assert 0 <= found.difficulty <= 1
    assert 0 <= found.confidence <= 1
    assert found.objective is not Objective.AUTO


NAMED = {word.replace(" ", "") for word in NAMEABLE}


def quoted(found: Classification) -> list[str]:
    return [part.partition("”")[0].replace(" ", "") for reason in found.reasons for part in reason.split("“")[1:]]


@settings(deadline=None)  # The first example reads the weights.
@given(st.lists(st.sampled_from(sorted(load_weights().words)), max_size=60))
def test_reasons_name_at_most_three_words_and_only_of_the_fixed_list(words: list[str]) -> None:
    """Reasons are journalled; what a person wrote is not, not even words that the weights know."""
    named = quoted(classify(" ".join(words)))
    assert len(named) <= WORDS_NAMED
    assert NAMED.issuperset(named)


def test_reasons_name_the_strongest_words_of_the_list() -> None:
    classifier = learned(theorem="tier.frontier", confidential="tier.frontier")
    assert quoted(classifier.classify(excerpt("a confidential theorem"))) == ["theorem"]


def test_the_tier_that_the_words_asked_for_is_kept_where_a_step_moved_it() -> None:
    classifier = learned(deadlock="tier.mid")
    agent = excerpt("deadlock", system="You are a coding agent.", tool_names=("bash", "edit"))
    raised, alone = classifier.classify(agent), classifier.classify(excerpt("deadlock"))
    assert (raised.tier, raised.turn_tier) == (ModelTier.FRONTIER, ModelTier.MID)
    assert (alone.tier, alone.turn_tier) == (ModelTier.MID, None)


def test_a_long_body_is_judged_by_its_edges_alone() -> None:
    task, end = "Explain what a closure is. " * 30, "Answer in one paragraph, please. " * 40
    short, long = cut(task + "x " * 3000 + end), cut(task + "x " * 9000 + end)
    assert short == long
    assert classify(short) == classify(long)


def test_weights_cannot_be_changed() -> None:
    with pytest.raises((AttributeError, dataclasses.FrozenInstanceError)):
        load_weights().score_centre = 1.0  # type: ignore[misc]
