"""xAI. "No credits" comes as 429 or 403 with the same words, so the words decide; `classify_openai` knows them."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="xai",
    title="xAI",
    classify=classify_openai,
    base_url="https://api.x.ai/v1",
    dialects=("chat",),
    key_env=("XAI_API_KEY",),
    base_url_env=("XAI_BASE_URL",),
    catalog_id="xai",
    docs="https://console.x.ai",
)
