"""Jan. Its local server wants a key that the person sets in the app."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="jan",
    title="Jan",
    classify=classify_openai,
    base_url="http://127.0.0.1:1337/v1",
    dialects=("chat",),
    key_env=("JAN_API_KEY",),
    is_local=True,
    docs="Jan, Settings, Local API Server",
)
