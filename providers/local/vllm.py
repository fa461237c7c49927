"""vLLM. Its rows say who owns them and how long a prompt may be."""

from __future__ import annotations

from functools import partial

from providers.local.port import MODELS, RANK_OWN_ROWS, LocalBackend, Responses, plain_models, text


def recognise(responses: Responses) -> bool:
    if responses.owners() == {"vllm"}:
        return True
    # With a key the model list is locked, but the version is public, and nobody else has both.
    return responses.at(MODELS).status == 401 and bool(text(responses.object_at("/version").get("version")))


BACKEND = LocalBackend(
    name="vllm",
    title="vLLM",
    kind="vllm",
    ports=(8000,),
    requests=("/version", MODELS),
    recognise=recognise,
    models=partial(plain_models, context_key="max_model_len"),
    rank=RANK_OWN_ROWS,
    key_env=("VLLM_API_KEY",),
    start="vllm serve MODEL --enable-auto-tool-choice --tool-call-parser PARSER",
)
