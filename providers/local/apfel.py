"""Apfel: Apple's on-device model behind OpenAI's API, on Ollama's port. `/health` tells them apart."""

from __future__ import annotations

from providers.local.port import MODELS, LocalBackend, LocalModel, Responses, count, text
from routing.types import Capability

_CAPABILITIES = int(Capability.TOOLS | Capability.JSON)


def recognise(responses: Responses) -> bool:
    health = responses.object_at("/health")
    return "model_available" in health and "context_window" in health


def models(responses: Responses) -> list[LocalModel]:
    """The one model, unless Apple Intelligence is off or not there."""
    health = responses.object_at("/health")
    if health.get("model_available") is not True:
        return []
    names = [text(row["id"]) for row in responses.model_rows()] or [text(health.get("model")) or "apple-foundationmodel"]
    return [LocalModel(name, count(health.get("context_window")), loaded=True, capability_bits=_CAPABILITIES) for name in names]


BACKEND = LocalBackend(
    name="apfel",
    title="Apfel",
    kind="apfel",
    ports=(11434,),
    requests=("/health", MODELS),
    recognise=recognise,
    models=models,
    key_env=("APFEL_TOKEN",),
    start="turn Apple Intelligence on, then: apfel --serve",
)
