"""What an agent's loop changes about the tier: its first step, the work between, and the landing need different models.

Thresholds lean upward: one step that fails for a weak model spoils the whole turn, one that a strong model did for nothing costs a cent.
Pure: one excerpt in, one judgement out. Hysteresis between steps is `routing/conversations.py`'s.
"""

from __future__ import annotations

import re

from routing.classify.chores import AGENTS
from routing.classify.excerpt import Excerpt
from routing.classify.roles import DIFFICULTY
from routing.classify.signals import Signals, acts, read_signals
from routing.types import TIER_ORDER, ModelTier

ERRORS_IN_A_ROW = 3
"""Two failures belong to the trade: a reproduction is meant to fail, and the first fix of it often does."""
SAME_CALL_AGAIN = 2
"""The same call for the third time in a short while: the model goes in circles."""
LOOKS_WITHOUT_END = 16
"""So many looks in a row without a change or a check are no orientation any more; it is two thirds of the steps that an excerpt keeps."""
SPELLED_OUT_CHARS = 6000
"""A written task longer than that is a project, however tidy."""

LANDING = "the change is in and was checked: what is left is handing it in"

_SPELLED_OUT = re.compile(r"\s*#{1,3} [^\n]{1,80}\n\s*\n")
"""A task that begins with a heading of its own: written out beforehand, with its rules and examples, and so bounded."""
_FIRST_SECTION = re.compile(r"\s*<([a-z][a-z_-]{3,40})>")
_SECTION_END = re.compile(r"</([a-z][a-z_-]{3,40})>")
_HTML = frozenset({
    "html", "head", "body", "main", "header", "footer", "section", "article", "aside", "form", "label", "input", "button", "table", "thead",
    "tbody", "span", "script", "style", "template", "select", "option",
})  # fmt: skip
"""What a pasted page is made of."""
_SHELL_WORDS = re.compile(r"\b(?:shell|terminal|bash|command line|tools?|cli)\b", re.IGNORECASE)
_CODING_WORDS = re.compile(
    r"\b(?:cod(?:e|ing|ebase|er)|software|program(?:ming|mer|mieren)?|developer|engineer(?:ing)?|swe|desarroll\w+|entwickl\w+|développ\w+|разработ\w+|программ\w+)\b"
    r"|代码|编程|コード|プログラ|코드|프로그래",
    re.IGNORECASE,
)
_SYSTEM_EDGE = 600
_RANK = {tier: rank for rank, tier in enumerate(TIER_ORDER)}

Adjusted = tuple[ModelTier, float, tuple[str, ...]]


def adjust(excerpt: Excerpt, tier: ModelTier, difficulty: float) -> Adjusted:
    """The tier and difficulty for this very call, and why they differ from what the turn's own words said; no reasons where they do not.

    `difficulty` is in [0, 1]. A request that is no part of an agent's loop comes back as it was.
    """
    if not is_in_loop(excerpt):
        return tier, difficulty, ()
    prepared = is_prepared(excerpt)
    if not (prepared or is_coding(excerpt)) and excerpt.system:
        return _errand(excerpt, tier, difficulty)
    if not excerpt.steps:
        return _first_step(excerpt, tier, difficulty, prepared)
    return _later_step(read_signals(excerpt.steps), tier, difficulty, prepared)


def is_in_loop(excerpt: Excerpt) -> bool:
    """Is the model to act: are tools on offer that change things, or were any used?"""
    return any(map(acts, excerpt.tool_names)) or bool(excerpt.steps) or bool(_SHELL_WORDS.search(excerpt.system[:_SYSTEM_EDGE]))


def is_coding(excerpt: Excerpt) -> bool:
    """Is the loop about software, by what the harness is or says of itself? An assistant that runs errands has the same tools."""
    return excerpt.harness in AGENTS or _CODING_WORDS.search(excerpt.system[:_SYSTEM_EDGE]) is not None


def is_prepared(excerpt: Excerpt) -> bool:
    """Was the task put together by a program: sections in elements, an issue and how to go about it? Those are about a code base that the
    model must find its way in, and people hardly ever write so."""
    first = _FIRST_SECTION.match(excerpt.human)
    if first is None:
        return False
    # The end of the first section may have been cut out of the middle, so its beginning counts.
    return len(({first[1]} | set(_SECTION_END.findall(excerpt.human))) - _HTML) >= 2


def is_spelled_out(excerpt: Excerpt) -> bool:
    """Is it one bounded, written task, with a heading, rather than a wish?"""
    return excerpt.human_chars <= SPELLED_OUT_CHARS and _SPELLED_OUT.match(excerpt.human) is not None


def _errand(excerpt: Excerpt, tier: ModelTier, difficulty: float) -> Adjusted:
    """An assistant that looks things up and writes them down: however much is asked, each step of it is simple."""
    limit, ease, reasons = _at_most(ModelTier.MID, tier, difficulty, "one step of an errand, not of work on software")
    trouble = _trouble(read_signals(excerpt.steps)) if excerpt.steps else ""
    return _raised(limit, ease, trouble) if trouble else (limit, ease, reasons)


def _first_step(excerpt: Excerpt, tier: ModelTier, difficulty: float, prepared: bool) -> Adjusted:
    if prepared:
        return _at_most(ModelTier.SMALL, tier, difficulty, "the first step of a prepared task only looks around")
    if is_spelled_out(excerpt):
        return _at_most(ModelTier.MID, tier, difficulty, "a bounded task, spelled out")
    return _raised(tier, difficulty, "an open task in a coding agent's loop") if is_coding(excerpt) else (tier, difficulty, ())


def _later_step(signals: Signals, tier: ModelTier, difficulty: float, prepared: bool) -> Adjusted:
    trouble = _trouble(signals)
    if prepared:
        return _prepared_step(signals.is_landing and not trouble, tier, difficulty, trouble or "in the middle of work on a code base")
    if trouble:
        return _raised(tier, difficulty, trouble)
    return _at_most(ModelTier.MID, tier, difficulty, LANDING) if signals.is_landing else (tier, difficulty, ())


def _prepared_step(lands: bool, tier: ModelTier, difficulty: float, reason: str) -> Adjusted:
    """A prepared task is worked at the top whatever its words seemed to say, until it lands."""
    wanted = ModelTier.MID if lands else ModelTier.FRONTIER
    if tier is wanted:
        return tier, difficulty, ()
    return wanted, DIFFICULTY[wanted], (LANDING if lands else reason,)


def _trouble(signals: Signals) -> str:
    """What goes wrong, in words; empty when nothing does."""
    if signals.error_streak >= ERRORS_IN_A_ROW:
        return f"{signals.error_streak} calls in a row failed"
    if signals.repeats >= SAME_CALL_AGAIN:
        return f"the same call was made {signals.repeats + 1} times"
    if signals.looks_in_a_row >= LOOKS_WITHOUT_END:
        return f"{signals.looks_in_a_row} looks in a row and nothing came of them"
    return ""


def _raised(tier: ModelTier, difficulty: float, reason: str) -> Adjusted:
    """One tier up; nothing to say at the top."""
    rank = _RANK[tier]
    if rank + 1 >= len(TIER_ORDER):
        return tier, difficulty, ()
    higher = TIER_ORDER[rank + 1]
    return higher, max(difficulty, DIFFICULTY[higher]), (reason,)


def _at_most(limit: ModelTier, tier: ModelTier, difficulty: float, reason: str) -> Adjusted:
    if _RANK[tier] <= _RANK[limit]:
        return tier, difficulty, ()
    return limit, min(difficulty, DIFFICULTY[limit]), (reason,)
