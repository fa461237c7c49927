"""Excerpts of the two bodies that hold no conversation: a text to go on with, and texts to embed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.dialects.excerpts.chat import NO_HINTS
from providers.dialects.excerpts.reading import count, join_edges
from routing.calibration import tokens_from_bytes
from routing.classify.excerpt import Excerpt

TEXTS_READ = 64
"""Of a batch; the rest is more of the same."""
SUFFIX_MARK = "<|fim_suffix|>"
"""Stands where the text is to be filled in, when the body gives what follows in a member of its own; Qwen's mark, which others use too."""


def completions_excerpt(data: dict[str, Any], *, harness: str = "unknown", hints: Mapping[str, str] = NO_HINTS) -> Excerpt:
    """The prompt of a legacy completion; with a `suffix` both sides of the gap. Never raises."""
    texts = _texts(data.get("prompt"))
    suffix = data.get("suffix")
    if isinstance(suffix, str) and suffix:
        texts = [*texts, SUFFIX_MARK + suffix]
    return _plain("completions", texts, count(data.get("max_tokens")), harness, hints)


def embeddings_excerpt(data: dict[str, Any], *, harness: str = "unknown", hints: Mapping[str, str] = NO_HINTS) -> Excerpt:
    """What is to be embedded. Never raises."""
    return _plain("embeddings", _texts(data.get("input")), None, harness, hints)


def _plain(endpoint: str, texts: list[str], output_tokens_max: int | None, harness: str, hints: Mapping[str, str]) -> Excerpt:
    human = join_edges(texts)
    chars = sum(map(len, texts))
    return Excerpt(
        endpoint=endpoint,
        system="",
        human=human,
        human_chars=chars,
        opening=human,
        output_tokens_max=output_tokens_max,
        input_tokens_estimated=tokens_from_bytes(chars),
        harness=harness,
        hints=hints,
    )


def _texts(value: object) -> list[str]:
    """A string, or the strings in a list; token numbers say nothing to us."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for text in value[:TEXTS_READ] if isinstance(text, str)]
    return []
