"""How much to think, said as a word or as a number of tokens: vendors take one or the other.

The figures for `minimal`, `medium` and `high` are those Google publishes for `reasoning_effort` at its OpenAI endpoint
(https://ai.google.dev/gemini-api/docs/openai#thinking); `xhigh` is the largest budget that Claude Code sends (31,999, recorded),
`low` and `max` are ours: between its neighbours, and what still leaves room for an answer in 64,000 tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

BUDGET_TOKENS: Mapping[str, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 4096,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32000,
    "max": 60000,
}
"""Effort → tokens that may be spent on thinking, from little to much."""

EFFORT_UNSAID = "medium"
"""OpenAI's default where a client says nothing (https://platform.openai.com/docs/guides/reasoning)."""


def budget_of(effort: str) -> int:
    """Tokens for a word; an unknown word counts as `EFFORT_UNSAID`."""
    return BUDGET_TOKENS.get(effort, BUDGET_TOKENS[EFFORT_UNSAID])


def effort_of(budget_tokens: int) -> str:
    """The smallest word whose budget holds `budget_tokens`; the inverse of `budget_of` on its own values. Negative: `EFFORT_UNSAID`
    (Gemini says -1 for "as you like")."""
    if budget_tokens < 0:
        return EFFORT_UNSAID
    return next((effort for effort, budget in BUDGET_TOKENS.items() if budget_tokens <= budget), "max")
