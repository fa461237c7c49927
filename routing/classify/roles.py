"""What one call is to the harness that makes it, by its structure: before any word of the task is weighed.

In this order, the surest first: marks that the harness sent, a gap to fill in, a tool's result at the end, a probe, questions about
material that is all there, a chore by its shape, a sub-agent. What is left is a person's turn, and that one the linear model judges.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from routing.classify.chores import AGENTS, CHORES, chore_of
from routing.classify.concepts import concepts_in
from routing.classify.excerpt import Excerpt
from routing.classify.marks import Mark, mark_of
from routing.types import CallRole, ModelTier, UseCase

PROBE_TOKENS = 4
"""An answer of so few tokens is asked for to see that somebody answers: Claude Code asks for 1, health checks of gateways for up to 4."""
PROBE_CHARS = 40
GAP_MARKS = ("<|fim", "<fim_", "<fim-", "[SUFFIX]", "<PRE>", "<|suffix|>", "<｜fim", "<|cursor|>", "<|user_cursor_is_here|>")
"""Marks of fill-in-the-middle models (Qwen and StarCoder, Codestral, CodeLlama, DeepSeek) and of editors' next-edit prompts."""
QUESTION_CHARS = 1200
"""A person's question about material is shorter than that; a task that goes with material is a task."""
MATERIAL_TOKENS = 300
"""Less is no material."""
SYSTEM_READ = 700
SUBAGENT_EDGE = 400

DIFFICULTY = {ModelTier.MICRO: 0.05, ModelTier.SMALL: 0.25, ModelTier.MID: 0.5, ModelTier.FRONTIER: 0.8}
"""What a tier that structure settled says on the scale of difficulties."""

_CHORE_TIERS = {chore.name: chore.tier for chore in CHORES}
_WORD = re.compile(r"[^\W_]+")
_MATERIAL = frozenset({
    "passages", "passage", "transcript", "documents", "document", "context", "excerpt", "excerpts", "sources", "article", "provided",
    "retrieved", "reference", "references", "knowledge", "kontext", "dokumente", "contexte", "contexto", "documentos", "контекст",
    "документы",
})  # fmt: skip
_ANSWERING = frozenset(
    {"answer", "answers", "question", "questions", "query", "queries", "frage", "fragen", "pregunta", "вопрос", "вопросы"}
)
_FAITHFUL = frozenset({"based", "only", "faithful", "grounded", "strictly", "solely", "according", "nur", "solo", "uniquement", "только"})
_READING_ELSEWHERE = (("根据", "回答"), ("基于", "回答"), ("基づいて", "答え"), ("바탕으로", "답"))
"""The same order in languages without blanks: *according to*, *answer*."""


class RoleFinding(NamedTuple):
    """What structure alone says. A given tier, use case or difficulty is settled; None leaves it to the linear model."""

    role: CallRole
    chore: str | None
    tier: ModelTier | None
    use_case: UseCase | None
    difficulty: float | None
    confidence: float
    reasons: tuple[str, ...]


def role_of(excerpt: Excerpt) -> RoleFinding:
    """The role of the call, and what follows from it. Costs about the same for any body: only the excerpt's edges are read."""
    mark = mark_of(excerpt.hints)
    for look in _LOOKS:
        finding = look(excerpt, mark)
        if finding is not None:
            return finding
    return _open(CallRole.MAIN, 0.5)


def _open(role: CallRole, confidence: float, *reasons: str) -> RoleFinding:
    """The role is known, the rest is the linear model's."""
    return RoleFinding(role, None, None, None, None, confidence, reasons)


def _settled(chore: str, tier: ModelTier, confidence: float, reasons: tuple[str, ...]) -> RoleFinding:
    return RoleFinding(CallRole.CHORE, chore, tier, UseCase.CHAT, DIFFICULTY[tier], confidence, reasons)


def _as_marked_chore(excerpt: Excerpt, mark: Mark | None) -> RoleFinding | None:
    """A chore by the harness's own word; the text only helps to name it."""
    if mark is None or mark.role is not CallRole.CHORE:
        return None
    if mark.chore is not None:
        return _settled(mark.chore, _CHORE_TIERS.get(mark.chore, ModelTier.SMALL), 0.98, (mark.reason,))
    found = chore_of(excerpt, is_marked=True)
    if found is None:
        return _settled("auxiliary", ModelTier.SMALL, 0.9, (mark.reason,))
    return _settled(found.name, found.tier, 0.98, (mark.reason, *found.reasons))


def _as_completion(excerpt: Excerpt, _mark: Mark | None) -> RoleFinding | None:
    """A text to go on with. With a gap in it, an editor waits for the next lines: latency counts there, and any model can."""
    if not excerpt.tool_names and any(gap in excerpt.human for gap in GAP_MARKS):
        reasons = ("an editor asks to fill in a gap",)
        return RoleFinding(CallRole.CHORE, "autocomplete", ModelTier.MICRO, UseCase.CODE, DIFFICULTY[ModelTier.MICRO], 0.95, reasons)
    return _open(CallRole.MAIN, 0.6, "a text to go on with") if excerpt.endpoint == "completions" else None


def _as_continuation(excerpt: Excerpt, _mark: Mark | None) -> RoleFinding | None:
    return _open(CallRole.CONTINUATION, 0.95, "a tool's result goes back to the model") if excerpt.ends_with_result else None


def _as_marked_subagent(_excerpt: Excerpt, mark: Mark | None) -> RoleFinding | None:
    return _open(mark.role, 0.98, mark.reason) if mark is not None else None


def _as_probe(excerpt: Excerpt, _mark: Mark | None) -> RoleFinding | None:
    if excerpt.messages > 2 or excerpt.has_images or excerpt.human_chars > PROBE_CHARS:
        return None
    wanted = excerpt.output_tokens_max
    is_capped = wanted is not None and 0 < wanted <= PROBE_TOKENS
    is_empty = not (excerpt.human_chars or excerpt.tool_names or excerpt.system)
    return _settled("warm_up", ModelTier.MICRO, 0.95, ("it only asks whether somebody answers",)) if is_capped or is_empty else None


def _as_reading(excerpt: Excerpt, _mark: Mark | None) -> RoleFinding | None:
    """Is a question to be answered from material that the request brings along, by the system prompt's order?"""
    if excerpt.tool_names or excerpt.has_images or not excerpt.system or excerpt.input_tokens_estimated < MATERIAL_TOKENS:
        return None
    if not _orders_to_read(excerpt.system[:SYSTEM_READ].lower()):
        return None
    if excerpt.human_chars > QUESTION_CHARS and not _ends_with_question(excerpt.human):
        return None
    reasons = ("a question about material that is all there: reading, not reasoning",)
    return RoleFinding(CallRole.MAIN, None, ModelTier.MICRO, None, DIFFICULTY[ModelTier.MICRO], 0.75, reasons)


def _as_chore(excerpt: Excerpt, _mark: Mark | None) -> RoleFinding | None:
    found = chore_of(excerpt)
    return None if found is None else _settled(found.name, found.tier, min(0.97, 0.6 + found.weight / 16), found.reasons)


def _as_unnamed_chore(excerpt: Excerpt, _mark: Mark | None) -> RoleFinding | None:
    """A coding agent offers its tools in every turn of a person. Without them, and with a system prompt, it is about its own business."""
    if excerpt.harness not in AGENTS or excerpt.tool_names or not excerpt.system or excerpt.endpoint == "embeddings":
        return None
    return _settled("auxiliary", ModelTier.SMALL, 0.7, ("a coding agent asks without offering its tools",))


def _as_subagent(excerpt: Excerpt, _mark: Mark | None) -> RoleFinding | None:
    """A system prompt that says so itself: Qwen Code marks its sub-agents in no other way."""
    edge = excerpt.system[:SUBAGENT_EDGE].lower()
    return _open(CallRole.SUBAGENT, 0.8, "the system prompt speaks to a sub-agent") if "subagent" in edge or "sub-agent" in edge else None


def _orders_to_read(text: str) -> bool:
    words = set(_WORD.findall(text))
    if not words.isdisjoint(_ANSWERING) and not words.isdisjoint(_MATERIAL) and not words.isdisjoint(_FAITHFUL):
        return True
    return not text.isascii() and any(all(part in text for part in parts) for parts in _READING_ELSEWHERE)


def _ends_with_question(human: str) -> bool:
    """Material first, then the question: the usual order of a prompt that brings its own."""
    last = human.rstrip()[-QUESTION_CHARS // 3 :]
    return "?" in last or "？" in last or not concepts_in(last.lower()).isdisjoint({"query", "question", "summary"})


_LOOKS: tuple[Callable[[Excerpt, Mark | None], RoleFinding | None], ...] = (
    _as_marked_chore,
    _as_completion,
    _as_continuation,
    _as_marked_subagent,
    _as_probe,
    _as_reading,
    _as_chore,
    _as_unnamed_chore,
    _as_subagent,
)
"""Surest first; the first that finds something is right."""
