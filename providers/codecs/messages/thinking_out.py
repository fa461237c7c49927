"""How much to think, in the words of the model's generation, and what Anthropic's API refuses beside it.

https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking: no forced tool call, no temperature or top_k beside thinking, at
least 1,024 tokens of it and fewer than `max_tokens`; and with a budget, a tool loop that began without signed thinking must go on without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from providers.codecs.conversation import Conversation, Thinking
from providers.codecs.effort import EFFORT_UNSAID, budget_of, effort_of
from providers.codecs.messages.blocks_out import BlockWriter
from providers.codecs.messages.models import Ways

BUDGET_MIN = 1024
_WORDS: Mapping[str, str] = {"none": "low", "minimal": "low"}
"""Efforts that Anthropic has no word for."""


def thinking_members(
    conversation: Conversation, messages: Sequence[Mapping[str, Any]], ways: Ways, max_tokens: int, writer: BlockWriter
) -> tuple[dict[str, Any] | None, str | None]:
    """(`thinking`, `output_config.effort`); None where the member is left out."""
    wanted = conversation.thinking
    if wanted is None:
        return None, None
    if not wanted.enabled or wanted.effort == "none" or wanted.budget_tokens == 0:
        return _off(ways, writer)
    hindrance = _hindrance(conversation, messages, ways, max_tokens)
    if hindrance is not None:
        writer.lose("thinking", hindrance)
        return None, None
    if ways.takes_adaptive:
        return {"type": "adaptive", **_display(wanted)}, _effort(wanted, ways)
    budget = wanted.budget_tokens
    budget = budget if budget is not None and budget > 0 else budget_of(wanted.effort or EFFORT_UNSAID)
    return {"type": "enabled", "budget_tokens": max(BUDGET_MIN, min(budget, max_tokens - 1)), **_display(wanted)}, None


def _hindrance(conversation: Conversation, messages: Sequence[Mapping[str, Any]], ways: Ways, max_tokens: int) -> str | None:
    """Why the model cannot think this time."""
    choice = conversation.tool_choice
    if conversation.tools and choice is not None and choice.mode in ("required", "named"):
        return "Anthropic's models do not think before a tool call that they are forced to make"
    if ways.takes_adaptive:
        return None
    if max_tokens <= BUDGET_MIN:
        return f"it takes {BUDGET_MIN} tokens at least, and the answer may have {max_tokens}"
    if ways.is_claude and _is_in_unsigned_loop(messages):
        return "the tool calls under way were made without thinking signed by Anthropic, and it would refuse to think now"
    return None


def _off(ways: Ways, writer: BlockWriter) -> tuple[dict[str, Any] | None, str | None]:
    if ways.takes_budget:
        return {"type": "disabled"}, None
    writer.lose("reasoning_effort none", "this model cannot be told not to think: asked for the lowest effort")
    return None, "low"


def _effort(wanted: Thinking, ways: Ways) -> str | None:
    effort = wanted.effort
    if effort is None and wanted.budget_tokens is not None:
        effort = effort_of(wanted.budget_tokens)
    if effort is None:
        return None
    if effort == "xhigh" and not ways.takes_xhigh:
        return "high"
    return _WORDS.get(effort, effort)


def _display(wanted: Thinking) -> dict[str, str]:
    """Newer models keep their thinking to themselves unless asked; who asks for a summary is to get one."""
    show = wanted.show if wanted.show is not None or wanted.summary is None else True
    return {} if show is None else {"display": "summarized" if show else "omitted"}


def _is_in_unsigned_loop(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Do tool results stand at the end whose calls were made without a thinking block before them?"""
    if len(messages) < 2 or not _has(messages[-1], "tool_result"):
        return False
    made = messages[-2]
    return _has(made, "tool_use") and made["content"][0]["type"] not in ("thinking", "redacted_thinking")


def _has(message: Mapping[str, Any], kind: str) -> bool:
    content = message["content"]
    return isinstance(content, list) and any(block["type"] == kind for block in content)
