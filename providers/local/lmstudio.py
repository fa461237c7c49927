"""LM Studio. Its own model list says what is loaded and with which window; the OpenAI list holds everything that was downloaded.

It answers unknown paths with 200 and an error object, so bodies count here, never statuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from providers.local.port import LocalBackend, LocalModel, Responses, count, mapping, purpose_bits, rows, text
from routing.naming import is_foreign_name
from routing.types import Capability

_CURRENT = "/api/v1/models"
_LEGACY = "/api/v0/models"
_BILLIONS = re.compile(r"(\d+(?:\.\d+)?)B", re.IGNORECASE)


def _current_rows(responses: Responses) -> list[Mapping[str, Any]]:
    return [row for row in responses.rows_at(_CURRENT, "models") if text(row.get("key"))]


def _legacy_rows(responses: Responses) -> list[Mapping[str, Any]]:
    return [row for row in responses.model_rows(_LEGACY) if "state" in row]


def recognise(responses: Responses) -> bool:
    return bool(_current_rows(responses) or _legacy_rows(responses)) or responses.object_at(_CURRENT).get("models") == []


def _bits(row: Mapping[str, Any]) -> int | None:
    """What the row says the model can do; None when it says nothing."""
    if text(row.get("type")).startswith("embedding"):
        return int(Capability.EMBEDDINGS)
    stated = row.get("capabilities")
    if isinstance(stated, list):  # the legacy list names them
        stated = {"trained_for_tool_use": "tool_use" in stated, "vision": row.get("type") == "vlm"}
    if not isinstance(stated, dict):
        return None
    bits = Capability.JSON
    for key, capability in (("trained_for_tool_use", Capability.TOOLS), ("vision", Capability.VISION), ("reasoning", Capability.REASONING)):
        bits |= capability if stated.get(key) else Capability(0)
    return int(bits)


def _current(row: Mapping[str, Any]) -> LocalModel:
    instances = rows(row.get("loaded_instances"))
    windows = [window for item in instances if (window := count(mapping(item.get("config")).get("context_length")))]
    size = _BILLIONS.fullmatch(text(row.get("params_string")))
    return LocalModel(
        text(row["key"]),
        # Several instances of one model answer to its key; the smallest window is the one that is safe to count on.
        context_window=min(windows, default=None),
        loaded=bool(instances),
        capability_bits=purpose_bits(text(row["key"]), _bits(row)),
        parameters_b=float(size[1]) if size else None,
    )


def _legacy(row: Mapping[str, Any]) -> LocalModel:
    name, is_loaded = text(row["id"]), row.get("state") == "loaded"
    return LocalModel(
        name, count(row.get("loaded_context_length")) if is_loaded else None, is_loaded, capability_bits=purpose_bits(name, _bits(row))
    )


def models(responses: Responses) -> list[LocalModel]:
    found = [_current(row) for row in _current_rows(responses)] or [_legacy(row) for row in _legacy_rows(responses)]
    return [model for model in found if not is_foreign_name(model.name)]


BACKEND = LocalBackend(
    name="lmstudio",
    title="LM Studio",
    kind="lmstudio",
    ports=(1234,),
    requests=(_CURRENT, _LEGACY),
    recognise=recognise,
    models=models,
    key_env=("LMSTUDIO_API_KEY", "LM_API_TOKEN"),
    start="lms server start",
)
