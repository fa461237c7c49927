"""The packed sum of all heads is the plain sum, and a damaged file is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.classify.profile import Profile
from routing.classify.shape import Family, Shape
from routing.classify.weights import HEADS, STEPS, Weights
from tests.classify_samples import weights_file

FLAT = Shape(*[0.0] * len(Shape._fields))
STEP = st.integers(-STEPS, STEPS)
ROW = st.lists(STEP, min_size=len(HEADS), max_size=len(HEADS))
WORD = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=8)


@given(words=st.dictionaries(WORD, ROW, min_size=1, max_size=40), unknown=st.sets(WORD, max_size=5))
def test_one_addition_per_word_sums_every_head(words: dict[str, list[int]], unknown: set[str]) -> None:
    weights = Weights.parse(weights_file(words))
    outputs, known = weights.sums(set(words) | unknown, FLAT, Family.PROSE)
    assert known == len(words)
    assert outputs == pytest.approx([sum(row[head] for row in words.values()) / math.sqrt(known) for head in range(len(HEADS))])


def test_a_field_never_borrows_from_its_neighbour_even_with_every_gram_at_the_limit() -> None:
    """A window of 1,001 characters has at most 2,001 grams."""
    row = [STEPS if head % 2 else -STEPS for head in range(len(HEADS))]
    words = {f"w{number}": row for number in range(2001)}
    outputs, known = Weights.parse(weights_file(words)).sums(set(words), FLAT, Family.CODE)
    assert known == 2001
    assert outputs == pytest.approx([step * 2001 / math.sqrt(2001) for step in row])


@pytest.mark.parametrize(("figure", "step"), [(0.0, 5), (1.0, 5), (1.5, 7), (2.0, 7), (2.5, -9)])
def test_a_figure_weighs_what_its_bin_weighs(figure: float, step: int) -> None:
    bins = [[5, *[0] * 7], [7, *[0] * 7], [-9, *[0] * 7]]
    weights = Weights.parse(weights_file({}, stairs={(Family.NUMBERS, "options"): ((1.0, 2.0), bins)}, intercepts=[0.5] * len(HEADS)))
    outputs, known = weights.sums(set(), FLAT._replace(options=figure), Family.NUMBERS)
    assert (outputs[0], outputs[1], known) == (step + 0.5, 0.5, 0)
    other, _ = weights.sums(set(), FLAT._replace(options=figure), Family.PROSE)
    assert other[0] == 0.5


def test_strengths_are_the_steps_of_one_head() -> None:
    weights = Weights.parse(weights_file({"prove": [0, -3, *[0] * 6], "the": [9, 4, *[0] * 6]}))
    assert weights.strengths({"prove", "the", "unknown"}, 1) == [(4, "the"), (-3, "prove")]
    assert weights.strengths({"prove", "the", "unknown"}, 1, above=3) == [(4, "the")]
    assert weights.strengths({"prove", "the"}, 1, above=4) == []


def test_a_file_says_how_each_profile_leans() -> None:
    weights = Weights.parse(weights_file({}))
    assert weights.leans == {Profile.FAST: -1.0, Profile.BALANCED: 0.0, Profile.STRONG: 1.0}
    assert weights.note == "made by a test"


GOOD = weights_file({"a": [1] * len(HEADS), "b": [2] * len(HEADS)})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "must begin with"),
        (b"PK\x03\x04\n\n", "must begin with"),
        (GOOD.replace(b"donut-classifier 1", b"donut-classifier 2"), "must begin with"),
        (GOOD.replace(b"tier.micro tier.small", b"tier.small tier.micro"), "heads must be"),
        (GOOD.replace(b"lean chat 0\n", b""), "lean chat"),
        (GOOD.replace(b"stairs PROSE talk_words", b"stairs PROSE other_words"), "train again"),
        (GOOD.replace(b"stairs PROSE talk_words", b"stairs VERSE talk_words"), "VERSE"),
        (GOOD[:-24], "cut short"),
        (GOOD.replace(b"words 2", b"words 200"), "cut short"),
        (GOOD.replace(b"words 2", b"words two"), "two"),
    ],
)
def test_anything_else_is_refused_with_a_reason(raw: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Weights.parse(raw)
