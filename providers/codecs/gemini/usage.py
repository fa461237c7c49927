"""Google's `usageMetadata` and ours. https://ai.google.dev/api/generate-content#UsageMetadata

`promptTokenCount` includes what came from the cache; what Google's own tools read (`toolUsePromptTokenCount`) stands beside it. The
thoughts are not in `candidatesTokenCount`; ours are a part of `output`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routing.types import Usage


def read_usage(usage: object, before: Usage | None = None) -> Usage | None:
    """A `usageMetadata` object; `before` where it is none or says nothing: every chunk repeats the whole of it."""
    if not isinstance(usage, Mapping):
        return before
    prompt = _count(usage.get("promptTokenCount")) + _count(usage.get("toolUsePromptTokenCount"))
    cached = min(prompt, _count(usage.get("cachedContentTokenCount")))
    thoughts = _count(usage.get("thoughtsTokenCount"))
    output = _count(usage.get("candidatesTokenCount")) + thoughts
    return Usage(prompt - cached, cached, 0, output, thoughts) if prompt or output else before


def usage_object(usage: Usage) -> dict[str, Any]:
    """As Google sends it. What went into a cache is a part of the prompt: there is no member for it."""
    counts: dict[str, Any] = {"promptTokenCount": usage.input, "candidatesTokenCount": usage.output - usage.reasoning}
    if usage.cache_read:
        counts["cachedContentTokenCount"] = usage.cache_read
    if usage.reasoning:
        counts["thoughtsTokenCount"] = usage.reasoning
    counts["totalTokenCount"] = usage.input + usage.output
    return counts


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
