"""The strongest of what the linear model weighed, in plain phrases.

Prompts are not stored, and a reason must not let anyone rebuild one. So the words it may name are a fixed list that stands in the source
(`NAMEABLE`): common words of trades, none of them a name, a number or a secret, at most three per request and not in their order.
"""

from __future__ import annotations

from routing.classify.lexicon import CODE, LOOKUP, TALK
from routing.classify.objective import CAREFUL, PLAIN
from routing.classify.shape import Family, Shape
from routing.classify.weights import STEPS, Weights

WORDS_NAMED = 3
NAMED_FROM = STEPS // 50
"""Weaker words, below 2 % of the strongest, explain nothing."""
LONG_LOG2 = 11.0
"""Two thousand characters."""

NAMEABLE = CODE | LOOKUP | TALK | CAREFUL | PLAIN

_LOOKS = {
    Family.CHOICE: "a question with options to choose from",
    Family.CODE: "it contains code",
    Family.NUMBERS: "a text with numbers",
    Family.PROSE: "plain text",
}


def reasons_for(weights: Weights, head: int, telling: set[str], shape: Shape, family: Family) -> tuple[str, ...]:
    """Why the output of `head` is as high as it is, strongest first. `telling`: the request's grams that are NAMEABLE."""
    look = _LOOKS[family] if shape.chars_log2 < LONG_LOG2 else f"{_LOOKS[family]}, long"
    named = [gram for _, gram in weights.strengths(telling, head, NAMED_FROM)[:WORDS_NAMED]]
    return (f"words such as {', '.join(map(_quoted, named))}", look) if named else (look,)


def _quoted(gram: str) -> str:
    """A pair of signs of a script without blanks is a word, and shown as one."""
    return f"“{gram.replace(' ', '') if len(gram) == len('a b') else gram}”"
