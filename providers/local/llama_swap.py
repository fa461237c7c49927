"""llama-swap: starts one of several llama-servers by the model's name. `/running` is its own, and the rest passes through."""

from __future__ import annotations

from dataclasses import replace

from providers.local.port import MODELS, LocalBackend, LocalModel, Responses, plain_models, text

_RUNNING = "/running"


def recognise(responses: Responses) -> bool:
    return isinstance(responses.object_at(_RUNNING).get("running"), list)


def models(responses: Responses) -> list[LocalModel]:
    running = {text(row.get("model")) for row in responses.rows_at(_RUNNING, "running")}
    return [replace(model, loaded=model.name in running) for model in plain_models(responses)]


BACKEND = LocalBackend(
    name="llama-swap",
    title="llama-swap",
    kind="llamacpp",
    ports=(8080,),
    requests=(_RUNNING, MODELS),
    recognise=recognise,
    models=models,
    key_env=("LLAMA_SWAP_API_KEY",),
    start="llama-swap --config config.yaml",
)
