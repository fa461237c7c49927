"""llama-cpp-python's server: llama.cpp's models, but none of `llama-server`'s own pages. Its API description has its name."""

from __future__ import annotations

from providers.local.port import MODELS, LocalBackend, Responses, mapping, plain_models, text

_DESCRIPTION = "/openapi.json"


def recognise(responses: Responses) -> bool:
    return "llama.cpp Python API" in text(mapping(responses.object_at(_DESCRIPTION).get("info")).get("title"))


BACKEND = LocalBackend(
    name="llama-cpp-python",
    title="llama-cpp-python",
    kind="llamacpp",
    ports=(8000,),
    requests=(_DESCRIPTION, MODELS),
    recognise=recognise,
    models=plain_models,
    key_env=("LLAMA_API_KEY",),
    start="python -m llama_cpp.server --model MODEL.gguf",
)
