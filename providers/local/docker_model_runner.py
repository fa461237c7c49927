"""Docker Model Runner. It speaks Ollama's API as well; `/engines` is its own."""

from __future__ import annotations

from functools import partial

from providers.local.port import LocalBackend, Responses, plain_models

_STATUS = "/engines/status"
_MODELS = "/engines/v1/models"


def recognise(responses: Responses) -> bool:
    return responses.at(_STATUS).status == 200 and isinstance(responses.object_at(_MODELS).get("data"), list)


BACKEND = LocalBackend(
    name="docker",
    title="Docker Model Runner",
    kind="openai",
    ports=(12434,),
    requests=(_STATUS, _MODELS),
    recognise=recognise,
    models=partial(plain_models, path=_MODELS),
    base_path="/engines/v1",
    start="docker model pull ai/qwen3",
)
