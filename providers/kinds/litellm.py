"""A LiteLLM proxy. Its models are what its own config says, so donut's config names them."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.signals import gateway

KIND = ProviderKind(
    name="litellm",
    title="LiteLLM proxy",
    classify=classify_openai,
    signals=gateway.SIGNALS,
    # https://docs.litellm.ai/docs/anthropic_unified, https://docs.litellm.ai/docs/response_api
    dialects=("chat", "responses", "messages", "completions", "embeddings"),
    forward_headers=frozenset({b"anthropic-beta", b"anthropic-version"}),
    key_env=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
    base_url_env=("LITELLM_PROXY_API_BASE", "LITELLM_BASE_URL"),
    owner_names_models=True,
    docs="https://docs.litellm.ai/docs/proxy/virtual_keys",
)
