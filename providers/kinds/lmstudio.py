"""LM Studio. The first call loads the model, so it may be slow; since 0.4 the server can want a token."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="lmstudio",
    title="LM Studio",
    classify=classify_openai,
    base_url="http://127.0.0.1:1234/v1",
    # responses since 0.3.29, messages since 0.4.1.
    dialects=("chat", "responses", "messages", "completions", "embeddings"),
    key_env=("LMSTUDIO_API_KEY", "LM_API_TOKEN"),
    is_local=True,
    docs="LM Studio, Developer, Server Settings",
)
