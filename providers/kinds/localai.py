"""LocalAI."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="localai",
    title="LocalAI",
    classify=classify_openai,
    base_url="http://127.0.0.1:8080/v1",
    dialects=("chat", "responses", "messages", "completions", "embeddings"),
    has_all_of_responses=False,
    key_env=("LOCALAI_API_KEY",),
    is_local=True,
    docs="the value that local-ai was started with: --api-keys",
)
