"""OpenAI, and with a `base_url` of your own everyone who speaks its protocol."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.signals import gateway

KIND = ProviderKind(
    name="openai",
    title="OpenAI",
    classify=classify_openai,
    signals=gateway.SIGNALS,
    base_url="https://api.openai.com/v1",
    # A server that copied less of OpenAI than this says so in config: `dialects: [chat]`.
    dialects=("chat", "responses", "compact", "completions", "embeddings"),
    key_env=("OPENAI_API_KEY",),
    base_url_env=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    forward_headers=frozenset({b"openai-beta"}),
    catalog_id="openai",
    docs="https://platform.openai.com/api-keys",
)
