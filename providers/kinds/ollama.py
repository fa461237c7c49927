"""Ollama. 404 is a model that is not pulled, 503 a full queue: `classify_openai` reads both. It ignores `tool_choice`."""

from __future__ import annotations

from providers.errors import classify_openai
from providers.ports import ProviderKind

KIND = ProviderKind(
    name="ollama",
    title="Ollama",
    classify=classify_openai,
    base_url="http://127.0.0.1:11434/v1",
    # responses since 0.13.3 (without memory), messages since 0.14: an older one answers 404, and is then spoken to in chat.
    dialects=("chat", "responses", "messages", "completions", "embeddings"),
    has_all_of_responses=False,
    # OLLAMA_API_KEY belongs to ollama.com; the server on this machine takes no key and must not be handed that one.
    key_env=(),
    is_local=True,
    docs="https://ollama.com/download",
)
