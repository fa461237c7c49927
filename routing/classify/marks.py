"""Marks that harnesses put on a call themselves, in headers. The best evidence there is: they say what the call is, in no language.

Names and values as recorded in `reference/clients.md` and the traces (Claude Code 2.1.329, Codex 0.169.0, OpenCode 1.18.33).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from routing.types import CallRole

REQUEST_CLASS = "x-claude-code-request-class"
"""`main`, `subagent`, `compaction`, `auxiliary`, `workflow`, `side_reply`; sent when gateway hints are switched on."""
TURN_METADATA = "x-codex-turn-metadata"
"""JSON; holds `request_kind` (`turn`, `compaction`) and `thread_source` (`user`, `thread_title`)."""
SUBAGENT_HEADERS = ("x-openai-subagent", "x-claude-code-agent-id", "x-codex-parent-thread-id", "x-parent-session-id")
"""Their presence says that an agent, not a person, began the conversation."""

HINT_HEADERS: tuple[str, ...] = (REQUEST_CLASS, TURN_METADATA, "x-claude-code-compaction", *SUBAGENT_HEADERS)
"""What the edge hands over as `Excerpt.hints`, by lower-case name."""

_CHORE_CLASSES: dict[str, str | None] = {"compaction": "compaction", "auxiliary": None, "side_reply": "side_reply"}
_SUBAGENT_CLASSES = frozenset({"subagent", "workflow"})
_CODEX_SUBAGENT_CHORES: dict[str, str | None] = {"compact": "compaction", "memory_consolidation": "memory"}
"""Values of `x-openai-subagent` that are housekeeping of Codex itself and no agent's task."""


class Mark(NamedTuple):
    """What the harness says the call is. `chore` is None where it says that it is one, but not which."""

    role: CallRole
    chore: str | None
    reason: str


def mark_of(hints: Mapping[str, str]) -> Mark | None:
    """What `hints` say of the call; None when they say nothing, or only that it is a usual turn."""
    return (_chore_in(hints) or _subagent_in(hints)) if hints else None


def _chore_in(hints: Mapping[str, str]) -> Mark | None:
    metadata = hints.get(TURN_METADATA, "").replace(" ", "")
    if '"request_kind":"compaction"' in metadata or "x-claude-code-compaction" in hints:
        return Mark(CallRole.CHORE, "compaction", "the harness marks it as compaction")
    if '"thread_source":"thread_title"' in metadata:
        return Mark(CallRole.CHORE, "title", "the harness marks it as a title")
    for named, chores in ((hints.get(REQUEST_CLASS, ""), _CHORE_CLASSES), (hints.get("x-openai-subagent", ""), _CODEX_SUBAGENT_CHORES)):
        if named in chores:
            return Mark(CallRole.CHORE, chores[named], f"the harness marks it as {named.replace('_', ' ')}")
    return None


def _subagent_in(hints: Mapping[str, str]) -> Mark | None:
    if hints.get(REQUEST_CLASS, "") in _SUBAGENT_CLASSES or any(name in hints for name in SUBAGENT_HEADERS):
        return Mark(CallRole.SUBAGENT, None, "the harness marks it as the work of a sub-agent")
    return None
