"""SGLang. Known by its rows; `/health_generate` is never asked, because it generates."""

from __future__ import annotations

from functools import partial

from providers.local.port import MODELS, RANK_OWN_ROWS, LocalBackend, Responses, plain_models


def recognise(responses: Responses) -> bool:
    return responses.owners() == {"sglang"}


BACKEND = LocalBackend(
    name="sglang",
    title="SGLang",
    kind="openai",
    ports=(30000,),
    requests=(MODELS,),
    recognise=recognise,
    models=partial(plain_models, context_key="max_model_len"),
    rank=RANK_OWN_ROWS,
    key_env=("SGLANG_API_KEY",),
    start="python -m sglang.launch_server --model-path MODEL",
)
