"""Ollama. Asked last of the fingerprints, because Docker Model Runner, Lemonade, KoboldCpp and LocalAI speak its API too.

The window that counts is the one of the loaded model (`/api/ps`): Ollama runs models with 4k, 32k or 256k by the size of the graphics
memory, and truncates silently what does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from providers.local.port import RANK_EMULATED, LocalBackend, LocalModel, Responses, count, mapping, purpose_bits, rows, text
from routing.naming import is_foreign_name
from routing.types import Capability

_CLOUD = re.compile(r"[:-]cloud$")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([BMK])", re.IGNORECASE)
_UNIT_B = {"B": 1.0, "M": 1e-3, "K": 1e-6}
_CAPABILITIES = {
    "tools": Capability.TOOLS,
    "vision": Capability.VISION,
    "thinking": Capability.REASONING,
    "embedding": Capability.EMBEDDINGS,
}


def recognise(responses: Responses) -> bool:
    return bool(text(responses.object_at("/api/version").get("version"))) and isinstance(
        responses.object_at("/api/tags").get("models"), list
    )


def is_remote(row: Mapping[str, Any]) -> bool:
    """`qwen3-coder:480b-cloud` and models with a remote host run at ollama.com or at somebody else's."""
    return bool(_CLOUD.search(text(row.get("name")).lower()) or row.get("remote_host") or row.get("remote_model"))


def capabilities(row: Mapping[str, Any]) -> int | None:
    stated = row.get("capabilities")
    if not isinstance(stated, list):
        return None
    bits = int(Capability.JSON)  # response_format works with every model
    for word in stated:
        bits |= int(_CAPABILITIES.get(text(word), 0))
    return bits


def parameters(row: Mapping[str, Any]) -> float | None:
    """Billions, from `"parameter_size": "30.5B"`."""
    found = _SIZE.fullmatch(text(mapping(row.get("details")).get("parameter_size")).strip())
    return float(found[1]) * _UNIT_B[found[2].upper()] if found else None


def models(responses: Responses) -> list[LocalModel]:
    running = {text(row.get("name")): row for row in responses.rows_at("/api/ps", "models")}
    knows_running = isinstance(responses.object_at("/api/ps").get("models"), list)
    found: list[LocalModel] = []
    for row in rows(responses.object_at("/api/tags").get("models")):
        name = text(row.get("name"))
        if not name or is_foreign_name(name):
            continue
        found.append(
            LocalModel(
                name,
                context_window=count(running.get(name, {}).get("context_length")),
                loaded=name in running if knows_running else None,
                is_remote=is_remote(row) or is_remote(running.get(name, {})),
                capability_bits=purpose_bits(name, capabilities(row)),
                parameters_b=parameters(row),
            )
        )
    return found


BACKEND = LocalBackend(
    name="ollama",
    title="Ollama",
    kind="ollama",
    ports=(11434,),
    requests=("/api/version", "/api/tags", "/api/ps"),
    recognise=recognise,
    models=models,
    rank=RANK_EMULATED,
    host_env=("OLLAMA_HOST",),
    start="ollama pull qwen3:8b",
)
