"""What a text looks like, in figures that no text can make infinite."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.classify.shape import Family, Shape, family_of, shape_of
from routing.classify.words import grams_of, tokens_of, window


def shape(text: str) -> Shape:
    tokens = tokens_of(window(text))
    return shape_of(window(text), len(text), tokens, grams_of(tokens))


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("Which one?\nA. red\nB. green\nC. blue\nD. none", Family.CHOICE),
        ("哪一个？\n(A) 红\n(B) 绿\n(C) 蓝", Family.CHOICE),
        ("def f(x):\n    return [y for y in x if y == 1]", Family.CODE),
        ("Anna has 3 apples and buys 4 more.", Family.NUMBERS),
        ("Anna hat 3 Äpfel und kauft 4 dazu.", Family.NUMBERS),
        ("Write a poem about 1 lighthouse", Family.PROSE),
        ("写一首诗", Family.PROSE),
        ("", Family.PROSE),
    ],
)
def test_families_are_told_by_shape_in_any_language(text: str, family: Family) -> None:
    assert family_of(shape(text)) is family


def test_figures() -> None:
    found = shape("How many of the 12 keys fit 3.5 locks?\n\nUse the `open_door(key)` helper. Why?")
    assert found.questions == 2
    assert found.decimals == 1
    assert found.number_distinct == 2
    assert found.backticks == 2
    assert found.paragraphs_log2 == 1
    assert found.word_length_max == 6
    # One underscore, one dot inside a number, one parenthesis that clings to a word.
    assert found.identifiers_log2 == 2
    assert found.non_ascii_share == 0


def test_words_of_a_trade_are_counted_once_each() -> None:
    assert shape("refactor the function, refactor the class").code_words == 3
    assert shape("今天上海的天气怎么样").lookup_words == 1
    assert shape("Tell me a story about a dragon").talk_words == 1


@given(st.text(max_size=1500))
def test_every_figure_of_every_text_is_finite_and_none_is_negative(text: str) -> None:
    found = shape(text)
    assert all(math.isfinite(figure) and figure >= 0 for figure in found)
    assert family_of(found) in Family
