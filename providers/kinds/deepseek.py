"""DeepSeek. Its 402 (no balance) and 503 (overloaded) mean what they say; while a request is queued it sends SSE comments."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="deepseek",
    title="DeepSeek",
    classify=classify_openai,
    base_url="https://api.deepseek.com/v1",
    dialects=("chat",),
    key_env=("DEEPSEEK_API_KEY",),
    base_url_env=("DEEPSEEK_BASE_URL",),
    catalog_id="deepseek",
    docs="https://platform.deepseek.com/api_keys",
)
