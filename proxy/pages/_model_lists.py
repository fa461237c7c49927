"""The list of models in the shapes that clients expect: OpenAI's, Anthropic's, Google's. Codex's has a file of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxy.offers import Offer
from proxy.when import iso

CREATED = 1767225600
"""`created` of every listed model: clients want a number, and no upstream's means anything here (2026-01-01)."""

GEMINI_METHODS = ("generateContent", "streamGenerateContent", "countTokens")


def openai_model(offer: Offer) -> dict[str, Any]:
    entry = {"id": offer.name, "object": "model", "created": CREATED, "owned_by": offer.owner}
    if offer.is_open:
        return entry
    replicas = offer.replicas
    entry |= {"context_window": offer.context_window, "tier": replicas[0].tier.value}
    return entry | {"local": all(replica.is_local for replica in replicas), "replicas": [replica.id for replica in replicas]}


def openai_list(offers: Sequence[Offer]) -> dict[str, Any]:
    return {"object": "list", "data": [openai_model(offer) for offer in offers]}


def anthropic_model(offer: Offer) -> dict[str, Any]:
    """https://docs.anthropic.com/en/api/models-list"""
    return {
        "type": "model",
        "id": offer.name,
        "display_name": offer.title,
        "created_at": iso(CREATED),
        "lifecycle": "active",
        "max_input_tokens": offer.context_window,
        "max_tokens": offer.max_output,
    }


def anthropic_list(offers: Sequence[Offer], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of it: `limit`, `after_id` and `before_id` as the API has them; without `limit` all of it at once."""
    names = [offer.name for offer in offers]
    after, before = query.get("after_id"), query.get("before_id")
    start = names.index(after) + 1 if after in names else 0
    end = names.index(before) if before in names else len(names)
    limit = int(query["limit"]) if query.get("limit", "").isdecimal() else len(names)
    backward = before in names and after not in names
    page = offers[max(start, end - limit) : end] if backward else offers[start : min(end, start + limit)]
    left = len(offers[start:end]) > len(page)
    shown = [anthropic_model(offer) for offer in page]
    return {
        "data": shown,
        "has_more": left,
        "first_id": page[0].name if page else None,
        "last_id": page[-1].name if page else None,
    }


def gemini_model(offer: Offer) -> dict[str, Any]:
    """https://ai.google.dev/api/models"""
    entry: dict[str, Any] = {
        "name": f"models/{offer.name}",
        "baseModelId": offer.name,
        "version": "1",
        "displayName": offer.title,
        "supportedGenerationMethods": list(GEMINI_METHODS),
    }
    if offer.context_window is not None:
        entry["inputTokenLimit"] = offer.context_window
    if offer.max_output is not None:
        entry["outputTokenLimit"] = offer.max_output
    return entry


def gemini_list(offers: Sequence[Offer], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of it; the token of a page is the number of models before it."""
    start = int(query["pageToken"]) if query.get("pageToken", "").isdecimal() else 0
    size = int(query["pageSize"]) if query.get("pageSize", "").isdecimal() else 0
    page = offers[start : start + size] if size else offers[start:]
    answer: dict[str, Any] = {"models": [gemini_model(offer) for offer in page]}
    return answer | {"nextPageToken": str(start + size)} if size and start + size < len(offers) else answer
