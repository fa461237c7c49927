"""The learned weights, and the sum that applies all heads at once.

All heads of a feature are packed into one integer, a field of 24 bits each, so that one dictionary look-up and one addition in C weigh a
word for the score, four tiers and three use cases together. Eight sums over a hundred words in plain Python cost more than the budget.

A weight is a whole number of steps from -STEPS to STEPS, stored with STEPS added so that no field borrows from its neighbour. A field has
room for 4,096 features; a window of 1,001 characters has at most 2,001 grams. The field above the heads counts the features: by it the sum
is corrected and, for words, divided. Their part is Σ weights / √count, as if the text were a vector of length one.

The file is text up to the first empty line, then binary rows; `scripts/training/pack.py` writes it:

    donut-classifier 1
    note …                                what it was trained on, for people
    heads score tier.micro … use.search   the order of the fields
    intercepts …                          per head
    word_steps …, stair_steps …           per head: what one step is worth
    scale centre spread                   of the score, for `difficulty`
    lean fast|balanced|strong|chat x
    stairs FAMILY name edge edge …        a line per family and figure; edges + 1 rows
    words N
                                          (empty line)
    word ⏎ × N, then rows of 24 bytes: the words', then the stairs'
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

from routing.classify.profile import Profile
from routing.classify.shape import Family, Shape

MAGIC = "donut-classifier 1"
HEADS = ("score", "tier.micro", "tier.small", "tier.mid", "tier.frontier", "use.chat", "use.code", "use.search")
STEPS = 2047
FIELD_BYTES = 3
ROW_BYTES = FIELD_BYTES * len(HEADS)

_FIELD_BITS = 8 * FIELD_BYTES
_MASK = (1 << _FIELD_BITS) - 1
_SHIFTS = tuple(_FIELD_BITS * index for index in range(len(HEADS)))
_COUNT_SHIFT = _FIELD_BITS * len(HEADS)
_ONE = 1 << _COUNT_SHIFT

Stair = tuple[tuple[float, ...], tuple[int, ...]]
"""The edges between the bins of a figure, and one packed row per bin."""


class Weights(NamedTuple):
    words: Mapping[str, int]
    stairs: Mapping[Family, tuple[Stair, ...]]
    """Per family, in the order of `Shape`'s fields."""
    intercepts: tuple[float, ...]
    word_steps: tuple[float, ...]
    stair_steps: tuple[float, ...]
    score_centre: float
    score_spread: float
    leans: Mapping[Profile, float]
    """Added to a tier's logit, times its rank: above 0 leans upward."""
    chat_lean: float
    """Added to chat's logit: the kinds weigh alike in training, but chat is the commonest."""
    note: str = ""

    @staticmethod
    def parse(raw: bytes) -> Weights:
        """The weights in a file's content. Raises ValueError on anything else."""
        head, separator, rest = raw.partition(b"\n\n")
        lines = head.decode("utf-8", "replace").split("\n")
        if not separator or lines[0] != MAGIC:
            raise ValueError(f"not a weights file: it must begin with {MAGIC!r}")
        header = _Header(lines[1:])
        if header.words_of("heads") != list(HEADS):
            raise ValueError(f"heads must be {' '.join(HEADS)}")
        count = header.count("words")
        rows_at = len(rest) - ROW_BYTES * (count + header.stair_rows)
        vocabulary = rest[: max(rows_at, 0)]
        found = vocabulary.count(b"\n")
        if found != count or vocabulary[-1:] not in (b"", b"\n"):
            raise ValueError(f"cut short: {found} words of {count} stand before their rows")
        packed = _packed(rest[rows_at:])
        centre, spread = header.figures("scale")
        return Weights(
            words=dict(zip(vocabulary.decode().split("\n"), packed[:count], strict=False)),
            stairs=header.stairs(packed[count:]),
            intercepts=header.figures("intercepts"),
            word_steps=header.figures("word_steps"),
            stair_steps=header.figures("stair_steps"),
            score_centre=centre,
            score_spread=spread,
            leans={profile: header.figure(f"lean {profile}") for profile in Profile},
            chat_lean=header.figure("lean chat"),
            note=" ".join(header.words_of("note")),
        )

    def sums(self, grams: set[str], shape: Shape, family: Family) -> tuple[list[float], int]:
        """The raw output of every head, in the order of HEADS, and how many of `grams` are known."""
        total = sum(map(self.words.get, grams, repeat(0)))
        count = total >> _COUNT_SHIFT
        form = sum([rows[bisect_left(edges, figure)] for figure, (edges, rows) in zip(shape, self.stairs[family], strict=True)])
        length = math.sqrt(count) or 1.0
        middle, form_middle = STEPS * count, STEPS * (form >> _COUNT_SHIFT)
        outputs = [
            intercept + ((total >> shift & _MASK) - middle) * word_step / length + ((form >> shift & _MASK) - form_middle) * stair_step
            for shift, intercept, word_step, stair_step in zip(_SHIFTS, self.intercepts, self.word_steps, self.stair_steps, strict=True)
        ]
        return outputs, count

    def strengths(self, grams: set[str], head: int, above: int = -STEPS - 1) -> list[tuple[int, str]]:
        """(strength in steps, gram) of the known grams that speak for the head's output by more than `above`, strongest first."""
        shift, get, floor = _SHIFTS[head], self.words.get, above + STEPS
        found = [(field, gram) for gram in grams if (row := get(gram)) is not None and (field := row >> shift & _MASK) > floor]
        found.sort(reverse=True)
        return [(field - STEPS, gram) for field, gram in found]


class _Header:
    """The lines before the first empty one. Every reader raises ValueError, naming the line, when it is missing or no such thing."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._stairs = [self._stair(line) for line in lines if line.startswith("stairs ")]
        self.stair_rows = sum(len(edges) + 1 for _, _, edges in self._stairs)

    def words_of(self, name: str) -> list[str]:
        for line in self._lines:
            if line.startswith(f"{name} "):
                return line[len(name) + 1 :].split()
        raise ValueError(f"the line {name!r} is missing")

    def figures(self, name: str) -> tuple[float, ...]:
        return tuple(map(float, self.words_of(name)))

    def figure(self, name: str) -> float:
        return self.figures(name)[0]

    def count(self, name: str) -> int:
        return int(self.words_of(name)[0])

    def stairs(self, rows: Sequence[int]) -> dict[Family, tuple[Stair, ...]]:
        """`rows` handed out to the figures. A family that no row of the training data belonged to has a single bin everywhere."""
        expected = [(family, name) for family in Family for name in Shape._fields]
        if [(family, name) for family, name, _ in self._stairs] != expected:
            raise ValueError("the stairs are not those of this version's figures: train again")
        found: dict[Family, list[Stair]] = {family: [] for family in Family}
        start = 0
        for family, _, edges in self._stairs:
            found[family].append((edges, tuple(rows[start : start + len(edges) + 1])))
            start += len(edges) + 1
        return {family: tuple(stairs) for family, stairs in found.items()}

    @staticmethod
    def _stair(line: str) -> tuple[Family, str, tuple[float, ...]]:
        _, family, name, *edges = line.split()
        try:
            return Family[family], name, tuple(map(float, edges))
        except KeyError:
            raise ValueError(f"no family of texts: {family}") from None


def _packed(rows: bytes) -> list[int]:
    """One integer per row, with a 1 in the field that counts."""
    read = int.from_bytes
    return [read(rows[start : start + ROW_BYTES], "little") + _ONE for start in range(0, len(rows), ROW_BYTES)]
