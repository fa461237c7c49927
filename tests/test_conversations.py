"""A conversation's turn over its calls: classified once, its tier moved only by steps that agree and where it is worth it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from routing.classify.classifier import NO_SIGNALS
from routing.classify.excerpt import Excerpt, Step
from routing.classify.steps import adjust as adjust_by_steps
from routing.conversations import LOWER_AFTER, RAISE_AFTER, Conversations, Turn, mark_of
from routing.turns import DefaultsTo, Reading, Verdict, Weigh, read_call
from routing.types import CallRole, Classification, ModelTier, Objective, UseCase

STEP = Step("shell", "{}", "ok")


def call(human: str, steps: int = 0, messages: int | None = None) -> Excerpt:
    """The request of an agent's loop after `steps` tool results."""
    return Excerpt(
        endpoint="chat",
        system="You are an agent.",
        human=human,
        human_chars=len(human),
        opening=human,
        messages=2 + 2 * steps if messages is None else messages,
        assistant_turns=steps,
        steps=(STEP,) * steps,
        ends_with_result=steps > 0,
    )


def classification(tier: ModelTier = ModelTier.MID, role: CallRole = CallRole.MAIN) -> Classification:
    return Classification(role, tier, UseCase.CODE, Objective.BALANCED, 0.5, 0.9, reasons=("words",))


class Counting:
    """A classifier that says what it is told to, and counts how often it is asked."""

    def __init__(self, **tiers: ModelTier) -> None:
        self.tiers = tiers
        self.runs = 0
        self.role = CallRole.MAIN

    def classify(self, excerpt: Excerpt) -> Classification:
        self.runs += 1
        return classification(self.tiers.get(excerpt.human, ModelTier.MID), self.role)


def steady(excerpt: Excerpt, tier: ModelTier, difficulty: float) -> tuple[ModelTier, float, tuple[str, ...]]:
    del excerpt
    return tier, difficulty, ()


def asking_for(wanted: ModelTier) -> Callable[[Excerpt, ModelTier, float], tuple[ModelTier, float, tuple[str, ...]]]:
    return lambda excerpt, tier, difficulty: (wanted, difficulty, ("calls fail",))


def always(from_tier: ModelTier, to_tier: ModelTier, calls_expected: int) -> Verdict:
    return Verdict(True, "it is worth it")


def never(from_tier: ModelTier, to_tier: ModelTier, calls_expected: int) -> Verdict:
    return Verdict(False, "the cache is lost")


class Says(NamedTuple):
    """A classifier with one answer."""

    answer: Classification

    def classify(self, excerpt: Excerpt) -> Classification:
        del excerpt
        return self.answer


class Loop:
    """One conversation, call by call."""

    def __init__(self, classifier: Counting | None = None, weigh: Weigh = always) -> None:
        self.classifier = classifier or Counting()
        self.weigh = weigh
        self.turn: Turn | None = None

    def read(self, excerpt: Excerpt, wanted: ModelTier | None = None) -> Reading:
        adjust = steady if wanted is None else asking_for(wanted)
        reading = read_call(excerpt, self.turn, self.classifier, adjust, self.weigh)
        self.turn = reading.turn or self.turn
        return reading

    def tier(self, excerpt: Excerpt, wanted: ModelTier | None = None) -> ModelTier:
        return self.read(excerpt, wanted).classification.tier


def test_h1_a_continuation_reuses_the_turns_classification() -> None:
    loop = Loop()
    first = loop.read(call("fix it"))
    assert (first.classification.role, first.classification.reasons) == (CallRole.MAIN, ("words",))
    for steps in range(1, 30):
        reading = loop.read(call("fix it", steps))
        assert reading.classification.role is CallRole.CONTINUATION
        assert reading.classification.tier is ModelTier.MID
        assert reading.classification.reasons == ("the turn's classification holds", "words")
    assert loop.classifier.runs == 1
    loop.read(call("now test it", 0, messages=70))
    assert loop.classifier.runs == 2


def test_h1_a_call_that_is_sent_again_is_not_classified_again() -> None:
    loop = Loop()
    assert loop.read(call("fix it")).classification.role is CallRole.MAIN
    assert loop.read(call("fix it")).classification.role is CallRole.MAIN
    assert loop.classifier.runs == 1


def test_a_chore_in_between_changes_nothing() -> None:
    loop = Loop(Counting(summarise=ModelTier.MICRO))
    loop.read(call("fix it"))
    loop.classifier.role = CallRole.CHORE
    chore = loop.read(call("summarise", 0, messages=9))
    assert (chore.classification.tier, chore.turn) == (ModelTier.MICRO, None)
    assert loop.tier(call("fix it", 5)) is ModelTier.MID
    assert loop.classifier.runs == 2


def test_a_subagent_stays_one() -> None:
    loop = Loop()
    loop.classifier.role = CallRole.SUBAGENT
    loop.read(call("look around"))
    assert loop.read(call("look around", 1)).classification.role is CallRole.SUBAGENT


def test_steps_raise_after_two_in_a_row_and_say_why() -> None:
    assert RAISE_AFTER == 2
    loop = Loop()
    loop.read(call("fix it"))
    up = ModelTier.FRONTIER
    assert loop.tier(call("fix it", 1), up) is ModelTier.MID
    assert loop.tier(call("fix it", 2)) is ModelTier.MID  # one that is fine in between: counted anew
    assert loop.tier(call("fix it", 3), up) is ModelTier.MID
    reading = loop.read(call("fix it", 4), up)
    assert reading.classification.tier is up
    assert reading.classification.reasons[0] == "from mid to frontier after 2 steps in a row: calls fail"
    assert loop.tier(call("fix it", 5), up) is up


def test_steps_lower_after_four_in_a_row() -> None:
    assert LOWER_AFTER == 4
    loop = Loop()
    loop.read(call("fix it"))
    tiers = [loop.tier(call("fix it", steps), ModelTier.SMALL) for steps in range(1, 6)]
    assert tiers == [ModelTier.MID] * 3 + [ModelTier.SMALL] * 2


def test_a_step_that_is_sent_again_counts_once() -> None:
    loop = Loop()
    loop.read(call("fix it"))
    for _ in range(5):
        assert loop.tier(call("fix it", 1), ModelTier.FRONTIER) is ModelTier.MID


def test_a_step_is_adjusted_once_from_what_the_turns_words_asked_for() -> None:
    raised = classification(ModelTier.FRONTIER)._replace(turn_tier=ModelTier.MID)
    seen: list[ModelTier] = []

    def adjust(excerpt: Excerpt, tier: ModelTier, difficulty: float) -> tuple[ModelTier, float, tuple[str, ...]]:
        seen.append(tier)
        return tier, difficulty, ()

    reading = read_call(call("fix it"), None, Says(raised), adjust, always)
    read_call(call("fix it", 1), reading.turn, Says(raised), adjust, always)
    assert reading.classification.tier is ModelTier.FRONTIER
    assert seen == [ModelTier.MID]


@pytest.mark.parametrize("words", [ModelTier.SMALL, ModelTier.MID])
def test_the_small_first_step_of_a_prepared_task_holds_for_that_call_only(words: ModelTier) -> None:
    task = "<issue>\nRows are dropped.\n</issue>\n\n<how_to>\nLook around first.\n</how_to>"
    turn_tier = None if words is ModelTier.SMALL else words
    first = read_call(call(task), None, Says(classification(ModelTier.SMALL)._replace(turn_tier=turn_tier)), adjust_by_steps, always)
    second = read_call(call(task, 1), first.turn, Says(first.classification), adjust_by_steps, always)
    assert (first.classification.tier, second.classification.tier) == (ModelTier.SMALL, ModelTier.FRONTIER)
    assert second.classification.reasons[0] == "from small to frontier after 1 step: in the middle of work on a code base"


def test_a_raised_turn_comes_back_when_the_trouble_is_over() -> None:
    loop = Loop()
    loop.read(call("fix it"))
    for steps in (1, 2):
        loop.read(call("fix it", steps), ModelTier.FRONTIER)
    tiers = [loop.tier(call("fix it", steps)) for steps in range(3, 8)]
    assert tiers == [ModelTier.FRONTIER] * 3 + [ModelTier.MID] * 2


@pytest.mark.parametrize(("wanted", "steps"), [(ModelTier.FRONTIER, RAISE_AFTER), (ModelTier.MICRO, LOWER_AFTER)])
def test_a_switch_that_is_not_worth_it_does_not_happen_and_says_why(wanted: ModelTier, steps: int) -> None:
    loop = Loop(weigh=never)
    loop.read(call("fix it"))
    readings = [loop.read(call("fix it", number), wanted) for number in range(1, steps + 1)]
    assert {reading.classification.tier for reading in readings} == {ModelTier.MID}
    said = f"stays in mid, though {steps} steps in a row speak for {wanted}: the cache is lost"
    assert readings[-1].classification.reasons[0] == said


def test_a_new_turn_changes_the_tier_only_where_that_is_worth_it() -> None:
    tiers = {"hard": ModelTier.FRONTIER, "easy": ModelTier.SMALL}
    willing, unwilling = Loop(Counting(**tiers)), Loop(Counting(**tiers), never)
    for loop in (willing, unwilling):
        assert loop.tier(call("hard")) is ModelTier.FRONTIER
    assert willing.tier(call("easy")) is ModelTier.SMALL
    stayed = unwilling.read(call("easy"))
    assert stayed.classification.tier is ModelTier.FRONTIER
    assert stayed.classification.reasons == ("stays in frontier, not small: the cache is lost", "words")
    assert unwilling.tier(call("easy", 1)) is ModelTier.FRONTIER


def test_a_new_turn_expects_as_many_calls_as_the_turns_before_took() -> None:
    asked: list[int] = []

    def weigh(from_tier: ModelTier, to_tier: ModelTier, calls_expected: int) -> Verdict:
        asked.append(calls_expected)
        return Verdict(True, "")

    loop = Loop(Counting(hard=ModelTier.FRONTIER), weigh)
    loop.read(call("hard"))
    loop.read(call("easy")._replace(human_turns=3, assistant_turns=24))
    assert asked == [8]


def test_where_nothing_speaks_for_a_tier_config_says_which() -> None:
    blank = classification()._replace(reasons=("a person's turn", NO_SIGNALS))

    small = DefaultsTo(Says(blank), ModelTier.SMALL).classify(call("?"))
    assert (small.tier, small.reasons[1]) == (ModelTier.SMALL, "nothing to judge by, so config's default: small")
    assert DefaultsTo(Says(blank), ModelTier.MID).classify(call("?")) == blank
    assert DefaultsTo(Says(classification()), ModelTier.SMALL).classify(call("?")) == classification()


def test_no_prompt_is_kept() -> None:
    loop = Loop()
    reading = loop.read(call("a secret plan"))
    assert "secret" not in repr(reading.turn)
    assert isinstance(mark_of(call("a secret plan")), int)


def test_conversations_are_found_under_the_most_specific_key_and_forgotten() -> None:
    conversations = Conversations(most=2, ttl_s=100)
    weak, strong = (Turn(mark, classification(), ModelTier.MID, 1) for mark in (1, 2))
    conversations.remember(("weak",), weak, 0.0)
    assert conversations.turn_of(("strong", "weak"), 0.0) == weak
    conversations.remember(("strong", "weak"), strong, 1.0)
    assert conversations.turn_of(("strong", "weak"), 1.0) == strong
    assert conversations.turn_of(("weak",), 1.0) == weak
    assert conversations.turn_of(("weak",), 100.0) is None
    conversations.remember(("third",), weak, 2.0)
    assert len(conversations) == 2
    conversations.remember((), weak, 2.0)
    assert len(conversations) == 2
