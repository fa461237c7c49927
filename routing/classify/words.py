"""From text to the features that the linear model weighs: words and pairs of neighbours, in any script.

Languages that write without blanks (Chinese, Japanese, Thai) and Korean, whose words grow endings, are taken sign by sign: a pair of
neighbours is then a character bigram. So one rule serves all scripts, and none needs a dictionary or a list of languages.
"""

from __future__ import annotations

import re
from itertools import pairwise

WINDOW_HEAD, WINDOW_TAIL = 600, 400
"""Characters of the human turn that are weighed: the task stands at the edges, material in between."""

_SIGNS = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_TOKEN = re.compile(rf"[{_SIGNS}]|[\u0900-\u0dff]+|[^\W\d_{_SIGNS}]+|\d+(?:[.,]\d+)*|[^\w\s]")
"""Indian scripts have a run of their own: their vowel signs are no letters to Python, and would split every word. A word ends where a sign
begins: Chinese is written without a blank behind `Python`."""
_ASCII_TOKEN = re.compile(r"[a-z]+|[0-9]+(?:[.,][0-9]+)*|[^\w\s]")
"""The same for lower-case ASCII, where one range tells a letter."""
_NUMBER_CLASSES = ("", "0", "00", "000")
"""Numbers by their length, three digits and more alike: which number it is says nothing, that there are long ones does."""


def window(text: str) -> str:
    """The edges of `text` that are weighed, at most 1,001 characters."""
    if len(text) <= WINDOW_HEAD + WINDOW_TAIL:
        return text
    return f"{text[:WINDOW_HEAD]}\n{text[-WINDOW_TAIL:]}"


def tokens_of(text: str) -> list[str]:
    """Words in lower case, numbers, single signs of scripts without blanks, and every punctuation mark by itself."""
    return (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(text.lower())


def words_in(tokens: list[str], is_ascii: bool) -> list[str]:
    """The tokens that are words. An Indian word's vowel signs are no letters to Python, so there its first sign decides."""
    return list(filter(str.isalpha, tokens)) if is_ascii else [token for token in tokens if token[0].isalpha()]


def numbers_in(tokens: list[str]) -> list[str]:
    """The tokens that are numbers in European digits: the sign after `9` is `:`. Comparing costs a third of calling `isdigit`."""
    return [token for token in tokens if "0" <= token < ":"]


def grams_of(tokens: list[str]) -> set[str]:
    """The distinct tokens and pairs of neighbours; a pair is written with a blank in between."""
    plain = [_NUMBER_CLASSES[min(len(token), 3)] if "0" <= token < ":" else token for token in tokens]
    grams = set(plain)
    grams.update(map(" ".join, pairwise(plain)))
    return grams
