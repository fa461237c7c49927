"""LocalAI. `/system` is its own; the rest it shares with everyone, Ollama's API included."""

from __future__ import annotations

from dataclasses import replace

from providers.local.port import MODELS, LocalBackend, LocalModel, Responses, plain_models, text

_SYSTEM = "/system"


def recognise(responses: Responses) -> bool:
    system = responses.object_at(_SYSTEM)
    return isinstance(system.get("backends"), list) and "loaded_models" in system


def models(responses: Responses) -> list[LocalModel]:
    loaded = {text(row.get("id")) for row in responses.rows_at(_SYSTEM, "loaded_models")}
    return [replace(model, loaded=model.name in loaded) for model in plain_models(responses)]


BACKEND = LocalBackend(
    name="localai",
    title="LocalAI",
    kind="localai",
    ports=(8080,),
    requests=(_SYSTEM, MODELS),
    recognise=recognise,
    models=models,
    key_env=("LOCALAI_API_KEY",),
    start="local-ai run MODEL",
)
