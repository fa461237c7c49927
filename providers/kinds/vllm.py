"""vLLM. Tools work only if the server was started with `--enable-auto-tool-choice --tool-call-parser …`."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="vllm",
    title="vLLM",
    classify=classify_openai,
    base_url="http://127.0.0.1:8000/v1",
    # messages since 0.11.1: an older one answers 404, and is then spoken to in chat.
    dialects=("chat", "responses", "messages", "completions", "embeddings"),
    has_all_of_responses=False,
    key_env=("VLLM_API_KEY",),
    is_local=True,
    docs="the value that vllm was started with: --api-key",
)
