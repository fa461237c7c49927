"""KoboldCpp. It serves one model, one request at a time, and speaks Ollama's API as well; its version page has its name."""

from __future__ import annotations

from dataclasses import replace

from providers.local.port import MODELS, LocalBackend, LocalModel, Responses, count, plain_models, text

_VERSION = "/api/extra/version"
_WINDOW = "/api/extra/true_max_context_length"


def recognise(responses: Responses) -> bool:
    return text(responses.object_at(_VERSION).get("result")).lower() == "koboldcpp"


def models(responses: Responses) -> list[LocalModel]:
    window = count(responses.object_at(_WINDOW).get("value"))
    return [replace(model, context_window=window, loaded=True) for model in plain_models(responses)]


BACKEND = LocalBackend(
    name="koboldcpp",
    title="KoboldCpp",
    kind="openai",
    ports=(5001,),
    requests=(_VERSION, _WINDOW, MODELS),
    recognise=recognise,
    models=models,
    start="koboldcpp --model MODEL.gguf",
)
