"""Fireworks AI."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="fireworks",
    title="Fireworks AI",
    classify=classify_openai,
    base_url="https://api.fireworks.ai/inference/v1",
    key_env=("FIREWORKS_API_KEY",),
    base_url_env=("FIREWORKS_BASE_URL",),
    catalog_id="fireworks-ai",
    docs="https://app.fireworks.ai/settings/users/api-keys",
)
