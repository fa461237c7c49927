"""What limits an answer and what it is about: the evidence beside a chore's name. Nothing here knows one chore from another."""

from __future__ import annotations

import re
from typing import NamedTuple

from routing.classify.concepts import Concepts, concepts_in
from routing.classify.excerpt import Excerpt

SYSTEM_EDGE = 300
"""Characters of the system prompt in which a program says what it is for. Claude Code's own name comes first and takes 60."""
SYSTEM_LIMITS = 800
"""Characters of the system prompt in which it limits the answer: limits come in lists."""
HEAD_EDGE = 600
TAIL_EDGE = 350
"""Characters of the turn's edges in which it is told what to do with what lies between."""
SHORTEST_ORDER = 40
"""A first paragraph shorter than that is a heading; the order follows it."""
SMALL_ANSWER_TOKENS = 512
SHORT_CHARS, SHORT_WORDS, SHORT_LINES = 200, 30, 2
"""Up to here an answer is a line, in whichever unit the limit is given."""

_PARAGRAPH = "\n\n"
_TRANSCRIPT = re.compile(
    r"^[ \t]*[#*\[<\"-]{0,4}[ \t]?(?:user|human|assistant|model|system|ai|ユーザー|用户|사용자|пользователь|usuario)\b[^\n]{0,3}[:\]>*]"
    r"|^#+ (?:user|assistant|human|model)\b|<(?:conversation|session|chat|history|messages|transcript|event)\w{0,16}(?: [^<>]{0,80})?>",
    re.IGNORECASE | re.MULTILINE,
)
"""Roles at the beginning of lines, or an element that says what it holds: a conversation handed over as text."""
_EDIT = re.compile(r"<\w{0,20}(?:code|update|edit|snippet|original|search|replace)\w{0,12}>")
_SHOUT = re.compile(r"\s*\W{0,3}[A-Z][A-Z ]{5,40}[A-Z]?\W{0,2}[:\]]")
"""Programs call out before they give orders in the middle of a conversation: `CRITICAL:`, `[SUGGESTION MODE:`."""
_DIFF = re.compile(r"^(?:diff --git |@@ -\d|\+\+\+ |--- a/)", re.MULTILINE)
_LIMIT = re.compile(
    r"(\d{1,4})\s*(?:(?:-|–|~|to|or|and|bis|à|a|до|至|到)\s*(\d{1,4})\s*)?[- ]?[个個]?"
    r"(words?|char(?:acter)?s?|sentences?|lines?|tokens?|wörter|zeichen|sätze|mots|palabras|palavras|caract\w+|слов\w*|字|词|個|単語|단어|글자)"
)
_CHARACTERS = frozenset("cz")
"""First letters of the units that are letters: `chars`, `caracteres`, `Zeichen`. Chinese signs are nearer to words."""
_ONE_LINE = re.compile(
    r"\b(?:a|(?:one|single)(?: \w+)?)[- ](?:line|sentence|word|phrase|token)\b"
    r"|\b(?:two|three|four|five|six|seven|eight|nine|ten|few) words\b|一句|一行|[一二三四五六七八九十][个個]?[字词詞]"
    r"|한 (?:줄|문장)|un[ae]? (?:phrase|ligne|frase|línea)|ein(?:en?|em) (?:satz|zeile)"
)


class Limits(NamedTuple):
    """How strictly the answer is limited."""

    weight: float
    is_short: bool
    present: Concepts
    """The concepts at the edges."""
    is_measured: bool
    """Is there more than words like *only* to it: a length, a format, a ceiling on tokens, no tools?"""
    reasons: tuple[str, ...]


def orders_of(text: str) -> tuple[str, str]:
    """The parts of a turn that say what to do with the rest, in lower case: its first paragraph, and its last or its last line."""
    head = text[:HEAD_EDGE]
    end = head.find(_PARAGRAPH, SHORTEST_ORDER)
    if end >= 0:
        head = head[:end]
    if len(text) <= len(head):
        return head.lower(), ""
    tail = text[max(len(head), len(text) - TAIL_EDGE) :].rstrip()
    start = tail.rfind(_PARAGRAPH)
    return head.lower(), tail[start + len(_PARAGRAPH) if start >= 0 else tail.rfind("\n") + 1 :].lower()


def limits_of(excerpt: Excerpt, is_single_shot: bool) -> Limits:
    """The limits in the edges of what was sent, wherever they stand in them."""
    text = _edges(excerpt)
    present = concepts_in(text)
    is_short = is_about_a_line(text)
    is_data = excerpt.wants_json or "json" in present
    is_capped = excerpt.output_tokens_max is not None and excerpt.output_tokens_max <= SMALL_ANSWER_TOKENS
    forbids_tools = bool(excerpt.tool_names) and "tool" in present and "no" in present
    found = (
        (1.25, forbids_tools, "tools are on offer and must not be called"),
        (1.0, "only" in present or ("no" in present and "adornment" in present), "nothing but the answer is wanted"),
        (1.0, is_short, "the answer is limited to a line"),
        (0.5, not is_short and "brief" in present, "the answer is to be short"),
        (0.5, is_data, "the answer is data"),
        (0.75, is_capped, f"at most {excerpt.output_tokens_max} tokens are wanted"),
        (0.5, is_single_shot, "a single shot without tools"),
        (0.5, _SHOUT.match(excerpt.said_last or excerpt.human) is not None, "it calls out like a program"),
    )
    return Limits(
        weight=sum(weight for weight, holds, _ in found if holds),
        is_short=is_short,
        present=present,
        is_measured=is_short or is_data or is_capped or forbids_tools,
        reasons=tuple(reason for _, holds, reason in found if holds),
    )


def is_about_a_line(text: str) -> bool:
    """Does `text`, in lower case, limit an answer to about a line?"""
    if _ONE_LINE.search(text):
        return True
    for low, high, unit in _LIMIT.findall(text):
        most = SHORT_CHARS if unit[0] in _CHARACTERS else SHORT_LINES if unit.startswith(("line", "sent", "sätz")) else SHORT_WORDS
        if int(high or low) <= most:
            return True
    return False


def material_in(excerpt: Excerpt, present: Concepts) -> dict[str, tuple[float, str]]:
    """What the call brings along to be worked on: kind → how plainly, and in words. `present`: the concepts of its orders."""
    found: dict[str, tuple[float, str]] = {}
    if excerpt.assistant_turns and "conversation" in present:
        found["conversation"] = (1.5, "it is about the conversation so far")
    elif _TRANSCRIPT.search(excerpt.human):
        found["conversation"] = (1.25, "the turn holds a conversation")
    elif "conversation" in present:
        found["conversation"] = (1.0, "it is about a conversation")
    elif (excerpt.assistant_turns or excerpt.said_last) and "reply" in present:
        found["conversation"] = (1.0, "it is about the answer before it")
    if _DIFF.search(excerpt.human):
        found["diff"] = (1.5, "the turn holds a diff")
    elif "diff" in present:
        found["diff"] = (1.0, "it is about a diff")
    if _EDIT.search(excerpt.human):
        found["marked_edit"] = (1.0, "the turn holds an edit")
    return found


def _edges(excerpt: Excerpt) -> str:
    """All that may limit the answer: wider than what names it. With tools on offer the system prompt limits the agent, not this answer."""
    human = excerpt.human
    turn = human if len(human) <= HEAD_EDGE + TAIL_EDGE else f"{human[:HEAD_EDGE]}\n{human[-TAIL_EDGE:]}"
    system = "" if excerpt.tool_names else excerpt.system[:SYSTEM_LIMITS]
    return f"{system}\n{turn}\n{excerpt.said_last[:HEAD_EDGE]}".lower()
