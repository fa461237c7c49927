"""Citations of any vendor → OpenAI's annotations, as far as they have a counterpart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.responses.seals import OPENAI

Annotation = Mapping[str, Any]


def annotation_of(vendor: str, item: Annotation, length: int) -> dict[str, Any] | None:
    """`item` as an annotation of a text of `length` characters; None where there is no counterpart."""
    if vendor == OPENAI:
        inner = item.get(str(item.get("type")))  # chat's stand one level deeper
        return {"type": item["type"], **inner} if isinstance(inner, Mapping) else dict(item)
    # Anthropic cites behind the text that a citation belongs to, and gives each such text a block of its own.
    url, title = item.get("url"), item.get("title")
    if not isinstance(url, str):
        return None
    return {"type": "url_citation", "url": url, "title": title if isinstance(title, str) else url, "start_index": 0, "end_index": length}
