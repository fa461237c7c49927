"""Names of namespaced tools for formats without namespaces, and back: Codex knows no tool whose call comes without its namespace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from providers.codecs.conversation import Tool

SEPARATOR = "__"
NAME_CHARS = 64
"""The longest name that every vendor takes (OpenAI's limit; Anthropic's and Gemini's are larger)."""
DIGEST_CHARS = 8


def flat_name(name: str, namespace: str | None) -> str:
    """`namespace__name`; one that is too long keeps its beginning and gets a digest, so that two of them do not meet."""
    if not namespace:
        return name
    joined = f"{namespace}{SEPARATOR}{name}"
    if len(joined) <= NAME_CHARS:
        return joined
    digest = hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:DIGEST_CHARS]
    return f"{joined[: NAME_CHARS - DIGEST_CHARS - 1]}_{digest}"


def tools_by_flat_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    """What a model's call of a flat name meant. Of equal names the first counts."""
    found: dict[str, Tool] = {}
    for tool in tools:
        found.setdefault(flat_name(tool.name, tool.namespace), tool)
    return found
