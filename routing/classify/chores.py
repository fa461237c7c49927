"""Housekeeping of a harness, told from a person's turn: a title, a summary, a commit message, who speaks next.

Never from length: chores carry long input. A chore is a small, strictly limited answer *about* a conversation or a diff that is handed over
as material; that shape is looked for at the edges of what was sent (the system prompt's first words, the first and last words of the turn),
in independent pieces of evidence that add up. No piece decides alone, so neither does any language: schema, limits, roles written into the
material and the absence of tools count beside words.

The weights were set by hand.
"""

from __future__ import annotations

from typing import NamedTuple

from routing.classify.concepts import Concepts, concepts_in
from routing.classify.evidence import HEAD_EDGE, SYSTEM_EDGE, TAIL_EDGE, Limits, limits_of, material_in, orders_of
from routing.classify.excerpt import Excerpt
from routing.types import ModelTier

NAMED_AT_THE_START = 2.0
NAMED_IN_THE_TURN = 1.5
NAMED_AT_THE_END = 1.25
NAMED_IN_THE_SCHEMA = 2.5
MENTIONED = 1.0
"""Weight of material that is only spoken of; what is really there weighs more."""
FRAMED = 1.0
"""Asked for before the material and again behind it: only a template does that."""
PER_FURTHER_GROUP = 0.25
"""What takes three concepts to name is named more plainly than what takes two."""
ENOUGH = 3.5
"""Weight of evidence: the name of what is wanted, its material, a limit on the answer and a single shot make it together; no two do."""
ENOUGH_FROM_AN_AGENT = 3.0
"""A coding agent sends its tools with every turn, so a call of one without tools is already half a chore."""
ENOUGH_TO_NAME_IT = 2.5
"""Where the harness itself said that it is a chore."""
AGENTS = frozenset({"codex", "claude-code", "opencode", "gemini-cli", "qwen-code"})


class Chore(NamedTuple):
    """One kind of housekeeping. It is named where every group of concepts has one that is present."""

    name: str
    groups: tuple[Concepts, ...]
    tier: ModelTier
    injected: bool = False
    """May the harness put it into a running loop, with the tools still on offer?"""
    material: str = "conversation"
    """What it works on: a kind of `evidence.material_in`, or the concept for it."""
    rare: float = 0.0
    """Further weight where its material is really there: then people hardly ever ask for it."""


class ChoreFinding(NamedTuple):
    name: str
    tier: ModelTier
    weight: float
    reasons: tuple[str, ...]


class _Named(NamedTuple):
    chore: Chore
    weight: float
    where: str
    may_be_talk: bool
    """Could a person merely have mentioned it?"""


class _Edges(NamedTuple):
    """The concepts of what may give orders: the system prompt, the beginning and the end of the turn."""

    system: Concepts
    head: Concepts
    tail: Concepts
    is_long: bool
    """Is there room for material between the turn's edges?"""


def _any(*concepts: str) -> Concepts:
    return frozenset(concepts)


_MICRO, _SMALL = ModelTier.MICRO, ModelTier.SMALL
# The most specific first: of two that weigh the same, the earlier one is meant. What is answered with a label or a line is MICRO;
# what rewrites or condenses text that others will rely on is SMALL.
CHORES: tuple[Chore, ...] = (
    Chore("next_speaker", (_any("speak", "speaker"), _any("next")), _MICRO, injected=True, rare=0.75),
    Chore("suggestion", (_any("suggest"), _any("next", "followup", "question", "prompt")), _MICRO, injected=True),
    Chore("topic_check", (_any("topic"), _any("new", "change"), _any("check", "detect", "json")), _MICRO),
    Chore("progress_check", (_any("stuck"), _any("conversation", "history"), _any("check", "detect", "json")), _MICRO, injected=True),
    Chore("memory", (_any("memory"), _any("extract", "update", "save", "durable")), _SMALL, injected=True),
    Chore("commit_message", (_any("commit"), _any("message", "diff", "title")), _MICRO, material="diff"),
    Chore("branch_name", (_any("branch"), _any("name", "naming")), _MICRO, material="diff"),
    Chore("change_text", (_any("pull_request", "changelog"), _any("title", "describe", "summary"), _any("write")), _SMALL, material="diff"),
    Chore("search_query", (_any("query"), _any("search", "retrieval"), _any("write", "rewrite")), _MICRO),
    Chore("search_query", (_any("question"), _any("followup"), _any("rewrite")), _MICRO),
    Chore("tags", (_any("tag", "category"), _any("write", "classify"), _any("conversation", "tag")), _MICRO),
    Chore("title", (_any("title"),), _MICRO),
    Chore("title", (_any("naming"), _any("session", "conversation")), _MICRO),
    Chore("title", (_any("name"), _any("session"), _any("write")), _MICRO),
    Chore("compaction", (_any("compact", "handoff"), _any("conversation", "context", "summary", "history")), _SMALL, True, rare=0.75),
    Chore("compaction", (_any("summary"), _any("continue"), _any("conversation", "context", "history")), _SMALL, injected=True, rare=0.5),
    Chore("summary", (_any("summary"),), _SMALL, injected=True),
    Chore("prompt_enhancement", (_any("prompt"), _any("enhance", "rewrite")), _SMALL, material="prompt"),
    Chore("safety_check", (_any("safety"), _any("classify", "check"), _any("command", "content", "action")), _SMALL, material="command"),
    Chore("triage", (_any("classify", "route"), _any("complexity", "intent", "category", "request")), _MICRO, material="request"),
    Chore("edit_apply", (_any("apply", "merge"), _any("edit", "snippet", "change"), _any("file", "code")), _SMALL, material="marked_edit"),
    Chore("edit_apply", (_any("edit", "snippet"), _any("failed"), _any("correct")), _SMALL, material="marked_edit"),
    Chore("title", (_any("topic"), _any("brief")), _MICRO),
)  # fmt: skip


def chore_of(excerpt: Excerpt, *, is_marked: bool = False) -> ChoreFinding | None:
    """The chore that `excerpt` is, or None. `is_marked`: the harness said that it is one, and only its name is looked for."""
    runs_a_loop = bool(excerpt.tool_names)
    if runs_a_loop and not (excerpt.assistant_turns or is_marked):
        return None
    # With tools on offer the system prompt is the agent's own: what it is for says nothing of this call.
    system = frozenset() if runs_a_loop and not is_marked else concepts_in(excerpt.system[:SYSTEM_EDGE].lower())
    head, tail = map(concepts_in, orders_of(excerpt.human))
    if excerpt.said_last:
        # Of several messages in a row the last one may hold the order, and what it is about stands in those before it.
        tail |= concepts_in(orders_of(excerpt.said_last)[0])
    edges = _Edges(system, head, tail, is_long=excerpt.human_chars > HEAD_EDGE + TAIL_EDGE)
    named = _all_named(edges, excerpt.answer_fields, only_injected=runs_a_loop and not is_marked)
    if not named:
        return None
    limits = limits_of(excerpt, is_single_shot=not excerpt.tool_names and not excerpt.assistant_turns)
    present = system | head | tail | limits.present
    best = _heaviest(named, limits, material_in(excerpt, present), present)
    enough = ENOUGH_TO_NAME_IT if is_marked else ENOUGH_FROM_AN_AGENT if excerpt.harness in AGENTS and not runs_a_loop else ENOUGH
    return best if best is not None and best.weight >= enough else None


def _all_named(edges: _Edges, fields: tuple[str, ...], *, only_injected: bool) -> list[_Named]:
    """The chores that are named at all, how plainly and where."""
    system, head, tail, is_long = edges
    wanted: Concepts = concepts_in(" ".join(fields).lower().replace("_", " ")) if fields else frozenset()
    present = system | head | tail | wanted
    found: list[_Named] = []
    for chore in CHORES:
        groups = chore.groups
        if groups[0].isdisjoint(present) or (only_injected and not chore.injected):
            continue
        more = PER_FURTHER_GROUP * max(0, len(groups) - 2)
        if wanted and not groups[0].isdisjoint(wanted):
            found.append(_Named(chore, NAMED_IN_THE_SCHEMA, "the schema of the answer wants", False))
        elif _holds(groups, system):
            found.append(_Named(chore, NAMED_AT_THE_START + more, "the system prompt asks for", False))
        elif _holds(groups, head):
            frames = FRAMED if is_long and _holds(groups, tail) else 0.0
            found.append(_Named(chore, NAMED_IN_THE_TURN + more + frames, "the turn asks for", not frames))
        elif _holds(groups, tail):
            found.append(_Named(chore, NAMED_AT_THE_END + more, "the turn ends by asking for", True))
    return found


def _holds(groups: tuple[Concepts, ...], present: Concepts) -> bool:
    for group in groups:  # noqa: SIM110 -- a generator would double what this costs, and it runs 80 times per request
        if group.isdisjoint(present):
            return False
    return True


def _heaviest(named: list[_Named], limits: Limits, materials: dict[str, tuple[float, str]], present: Concepts) -> ChoreFinding | None:
    best: ChoreFinding | None = None
    for chore, weight, where, may_be_talk in named:
        material, about = materials.get(chore.material) or (
            (1.0, f"it is about a {chore.material}") if chore.material in present else (0.0, "")
        )
        if may_be_talk and len(chore.groups) == 1 and not limits.is_measured and material <= MENTIONED:
            # People write about titles and summaries too; a program says how long, in which format, and hands over what is meant.
            continue
        total = weight + limits.weight + material + (chore.rare if material > MENTIONED else 0.0)
        if best is None or total > best.weight:
            reasons = (f"{where} a {chore.name.replace('_', ' ')}", *limits.reasons, *((about,) if about else ()))
            best = ChoreFinding(chore.name, _tier(chore, limits), total, reasons)
    return best


def _tier(chore: Chore, limits: Limits) -> ModelTier:
    """A summary of one line is a title by another name."""
    return ModelTier.MICRO if chore.name == "summary" and limits.is_short else chore.tier
