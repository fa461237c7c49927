"""Texts of any script become words and pairs, bounded whatever comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.classify.words import WINDOW_HEAD, WINDOW_TAIL, grams_of, tokens_of, window


@pytest.mark.parametrize(
    ("text", "grams"),
    [
        ("Prove that", {"prove", "that", "prove that"}),
        ("写函数", {"写", "函", "数", "写 函", "函 数"}),
        ("코드 수정", {"코", "드", "수", "정", "코 드", "드 수", "수 정"}),
        ("कोड लिखो", {"कोड", "लिखो", "कोड लिखो"}),
        ("用Python写", {"用", "python", "写", "用 python", "python 写"}),
        ("naïve Größe", {"naïve", "größe", "naïve größe"}),
        ("7 or 42 or 1,234.5", {"0", "00", "000", "or", "0 or", "or 00", "00 or", "or 000"}),
        ("f(x)", {"f", "(", "x", ")", "f (", "( x", "x )"}),
        ("", set()),
    ],
)
def test_words_and_pairs(text: str, grams: set[str]) -> None:
    assert grams_of(tokens_of(text)) == grams


def test_only_the_edges_of_a_long_text_are_read() -> None:
    head, tail = "a" * WINDOW_HEAD, "b" * WINDOW_TAIL
    assert window(head + "material " * 10_000 + tail) == f"{head}\n{tail}"
    assert window(head + tail) == head + tail


@given(st.text(max_size=3000))
def test_no_text_has_more_grams_than_a_field_has_room_for(text: str) -> None:
    tokens = tokens_of(window(text))
    assert len(grams_of(tokens)) <= 2 * (WINDOW_HEAD + WINDOW_TAIL + 1)
    assert all(tokens)
    assert not any("\n" in gram for gram in grams_of(tokens))


@given(st.text(st.characters(max_codepoint=127), max_size=300))
def test_plain_text_is_taken_apart_like_any_other(text: str) -> None:
    """ASCII has a pattern of its own; a sign of another script behind it takes the general one."""
    assert [*tokens_of(text), "字"] == tokens_of(f"{text}字")
