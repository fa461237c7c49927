"""How much to think, in the words of the model's generation: a level from 3 on, a budget in 2.5, nothing before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.conversation import Thinking
from providers.codecs.effort import budget_of, effort_of
from providers.codecs.gemini.models import Ways
from providers.codecs.gemini.parts_out import PartWriter

_LEVELS: Mapping[str, str] = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}


def thinking_config(wanted: Thinking | None, ways: Ways, writer: PartWriter) -> dict[str, Any] | None:
    """`thinkingConfig`; None where the model is left to itself."""
    if wanted is None:
        return None
    is_off = not wanted.enabled or wanted.effort == "none" or wanted.budget_tokens == 0
    if not ways.takes_level and ways.budget_min is None:
        if not is_off:
            writer.lose("thinking", "this model does not think")
        return None
    if is_off and not ways.can_be_off:
        writer.lose("reasoning_effort none", "this model cannot be told not to think: asked for as little as it can")
    found = _level(wanted, ways, is_off=is_off) if ways.takes_level else _budget(wanted, ways, is_off=is_off)
    if not is_off and wanted.show is not False:
        found["includeThoughts"] = True
    return found or None


def _level(wanted: Thinking, ways: Ways, *, is_off: bool) -> dict[str, Any]:
    effort = "none" if is_off else wanted.effort
    if effort is None and wanted.budget_tokens is not None:
        effort = effort_of(wanted.budget_tokens)
    if effort is None:
        return {}
    level = _LEVELS.get(effort, "MEDIUM")
    return {"thinkingLevel": "LOW" if level == "MINIMAL" and not ways.can_be_off else level}


def _budget(wanted: Thinking, ways: Ways, *, is_off: bool) -> dict[str, Any]:
    least = ways.budget_min or 0
    if is_off:
        return {"thinkingBudget": 0 if ways.can_be_off else least}
    budget = wanted.budget_tokens
    if budget is None:
        if wanted.effort is None:
            return {"thinkingBudget": -1}  # the model decides
        budget = budget_of(wanted.effort)
    return {"thinkingBudget": max(least, min(budget, ways.budget_max))}
