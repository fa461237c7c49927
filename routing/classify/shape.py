"""What a text looks like, in some forty figures: its size, numbers, marks of code, options to choose from, words of a trade.

A figure is not weighed by itself but by the bin it falls into, and every family of texts has its own bins and weights (see `weights`): a
long word problem is a hard one, a long multiple-choice question is not, and a long method to be read is something else again.
"""

from __future__ import annotations

import enum
import math
import re
from bisect import bisect_left
from typing import NamedTuple

from routing.classify.lexicon import CODE, LOOKUP, TALK
from routing.classify.words import numbers_in, words_in

_OPTION = re.compile(r"\n\s*\(?[A-Ja-j][.)] ")
"""Begins with a literal newline, which the engine finds with memchr: an anchor instead costs three times as much."""


class Family(enum.IntEnum):
    """Texts that are alike enough for one set of weights. Told by shape alone, so it holds in any language."""

    CHOICE = 0
    """Lettered options: a test question."""
    CODE = 1
    """Much punctuation of programming languages."""
    NUMBERS = 2
    """Two numbers or more: word problems, data."""
    PROSE = 3


LONG_WORD, SHORT_WORD = 9, 3
"""Letters."""
OPTIONS_OF_A_CHOICE = 3
CODE_MARK_SHARE = 0.03
"""Marks of code per character. Measured: 0 in the median of prose, 0.029 at its 95th percentile (formulas), 0.04 in the median of code."""
NUMBERS_OF_A_PROBLEM = 2


class Shape(NamedTuple):
    """One text's figures; counts that grow with the text are logarithms to base 2, shares are of the window."""

    chars_log2: float
    words_log2: float
    word_length: float
    word_length_max: float
    long_word_share: float
    short_word_share: float
    distinct_word_share: float
    numbers_log2: float
    number_share: float
    number_distinct: float
    number_digits_max: float
    decimals: float
    code_mark_share: float
    operator_share: float
    parenthesis_share: float
    brackets_log2: float
    braces_log2: float
    equals_log2: float
    backslashes_log2: float
    dollars_log2: float
    backticks: float
    identifiers_log2: float
    """Underscores, dots and parentheses that cling to a word: how code is quoted in prose of any language."""
    conditions: float
    loops: float
    lines_log2: float
    line_length_log2: float
    paragraphs_log2: float
    indented_share: float
    options: float
    questions: float
    sentences_log2: float
    comma_share: float
    colon_share: float
    hyphen_share: float
    quotes_log2: float
    percent: float
    non_ascii_share: float
    code_words: float
    lookup_words: float
    talk_words: float


def shape_of(text: str, chars: int, tokens: list[str], grams: set[str]) -> Shape:
    """The figures of `text`, the window of a turn of `chars` characters, already taken apart by `words`.

    Of `grams` only those matter that the lexicon has; a set of these alone, already picked out, costs less.
    """
    count = text.count
    words, numbers = words_in(tokens, text.isascii()), numbers_in(tokens)
    lengths = sorted(map(len, words)) or [0]
    size, parts, many = len(text) or 1, len(tokens) or 1, len(words) or 1
    lines, underscores, equals = count("\n") + 1, count("_"), count("=")
    brackets, braces, parentheses, stops = count("["), count("{"), count("("), count(". ") + count(".\n")
    return Shape(
        chars_log2=math.log2(chars + 1),
        words_log2=math.log2(many),
        word_length=sum(lengths) / many,
        word_length_max=lengths[-1],
        long_word_share=1 - bisect_left(lengths, LONG_WORD) / many,
        short_word_share=bisect_left(lengths, SHORT_WORD + 1) / many,
        distinct_word_share=len(set(words)) / many,
        numbers_log2=math.log2(len(numbers) + 1),
        number_share=len(numbers) / parts,
        number_distinct=len(set(numbers)),
        number_digits_max=max(map(len, numbers), default=0),
        decimals=sum(["." in number for number in numbers]),
        code_mark_share=(2 * (braces + parentheses + brackets) + count(";") + equals + underscores) / size,
        operator_share=(count("+") + count("*") + count("/") + count("<") + count(">") + equals) / parts,
        parenthesis_share=parentheses / parts,
        brackets_log2=math.log2(1 + brackets),
        braces_log2=math.log2(1 + braces),
        equals_log2=math.log2(1 + equals),
        backslashes_log2=math.log2(1 + count("\\") + count("^")),
        dollars_log2=math.log2(1 + count("$")),
        backticks=min(count("`"), 6),
        identifiers_log2=math.log2(1 + underscores + max(0, count(".") - stops) + parentheses - count(" (")),
        conditions=words.count("if"),
        loops=words.count("for") + words.count("while"),
        lines_log2=math.log2(lines),
        line_length_log2=math.log2(size / lines + 1),
        paragraphs_log2=math.log2(1 + count("\n\n")),
        indented_share=(count("\n ") + count("\n\t")) / lines,
        options=len(_OPTION.findall(text)) if lines > OPTIONS_OF_A_CHOICE else 0,
        questions=count("?") + count("？"),
        sentences_log2=math.log2(1 + stops + count("。")),
        comma_share=count(",") / parts,
        colon_share=count(":") / parts,
        hyphen_share=count("-") / parts,
        quotes_log2=math.log2(1 + count('"') + count("'")),
        percent=min(count("%"), 4),
        non_ascii_share=0.0 if text.isascii() else (len(text.encode("utf-8", "replace")) - len(text)) / size,
        code_words=len(grams & CODE),
        lookup_words=len(grams & LOOKUP),
        talk_words=len(grams & TALK),
    )


def family_of(shape: Shape) -> Family:
    """The family of a text, the surest mark first."""
    if shape.options >= OPTIONS_OF_A_CHOICE:
        return Family.CHOICE
    if shape.code_mark_share > CODE_MARK_SHARE:
        return Family.CODE
    # The logarithm of a count plus one: 1.58 for two numbers.
    return Family.NUMBERS if shape.numbers_log2 >= math.log2(NUMBERS_OF_A_PROBLEM + 1) else Family.PROSE
