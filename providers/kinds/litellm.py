"""A LiteLLM proxy. Its models are what its own config says, so donut's config names them."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="litellm",
    title="LiteLLM proxy",
    classify=classify_openai,
    key_env=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
    base_url_env=("LITELLM_PROXY_API_BASE", "LITELLM_BASE_URL"),
    owner_names_models=True,
    docs="https://docs.litellm.ai/docs/proxy/virtual_keys",
)
