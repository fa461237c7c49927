"""Lemonade. It can pass cloud providers through, so a model is local only if its recipe says which engine runs it here."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Any

from providers.local.port import MODELS, LocalBackend, LocalModel, Responses, count, mapping, purpose_bits, text
from routing.naming import is_foreign_name
from routing.types import Capability

_HEALTH = "/v1/health"
_LABELS = {
    "tool-calling": Capability.TOOLS,
    "vision": Capability.VISION,
    "reasoning": Capability.REASONING,
    "embeddings": Capability.EMBEDDINGS,
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def recognise(responses: Responses) -> bool:
    return isinstance(responses.object_at(_HEALTH).get("all_models_loaded"), list)


def _is_remote(row: Mapping[str, Any], running: Mapping[str, Any]) -> bool:
    """Without a recipe nobody knows where it runs; with a backend elsewhere it runs there."""
    recipe = text(row.get("recipe")).lower()
    if not recipe or "cloud" in recipe:
        return True
    try:
        host = urllib.parse.urlsplit(text(running.get("backend_url"))).hostname
    except ValueError:
        return True
    return host is not None and host not in _LOOPBACK


def _bits(row: Mapping[str, Any]) -> int | None:
    labels = row.get("labels")
    if not isinstance(labels, list):
        return None
    bits = int(Capability.JSON)
    for label in labels:
        bits |= int(_LABELS.get(text(label), 0))
    return bits


def models(responses: Responses) -> list[LocalModel]:
    loaded = {text(row.get("model_name")): row for row in responses.rows_at(_HEALTH, "all_models_loaded")}
    found: list[LocalModel] = []
    for row in responses.model_rows():
        name = text(row["id"])
        if is_foreign_name(name) or is_foreign_name(text(row.get("recipe"))):
            continue
        running = loaded.get(name, {})
        window = count(mapping(running.get("recipe_options")).get("ctx_size"))
        bits = purpose_bits(name, _bits(row))
        found.append(LocalModel(name, window, name in loaded, _is_remote(row, running), bits))
    return found


BACKEND = LocalBackend(
    name="lemonade",
    title="Lemonade",
    kind="openai",
    ports=(13305, 8000),
    requests=(_HEALTH, MODELS),
    recognise=recognise,
    models=models,
    key_env=("LEMONADE_API_KEY",),
    start="lemonade-server serve",
)
