"""Together AI."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="together",
    title="Together AI",
    classify=classify_openai,
    base_url="https://api.together.xyz/v1",
    key_env=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
    base_url_env=("TOGETHER_BASE_URL",),
    catalog_id="togetherai",
    docs="https://api.together.ai/settings/api-keys",
)
