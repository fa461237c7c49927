"""Which program is asking, from its User-Agent. Issue 03 teaches donut what each of them does; here it is a name for the journal."""

from __future__ import annotations

from functools import lru_cache

PREFIXES: tuple[tuple[str, str], ...] = (
    ("codex", "codex"),
    ("claude-cli", "claude-code"),
    ("opencode", "opencode"),
    ("qwencode", "qwen-code"),
    ("geminicli", "gemini-cli"),
    ("litellm", "litellm"),
    ("openai/", "sdk"),
    ("asyncopenai/", "sdk"),
    ("anthropic/", "sdk"),
    ("asyncanthropic/", "sdk"),
    ("curl/", "curl"),
)


@lru_cache(maxsize=256)
def harness_of(user_agent: bytes | None) -> str:
    """The harness's name, or `unknown`."""
    text = (user_agent or b"").decode("latin-1").lower()
    return next((name for prefix, name in PREFIXES if text.startswith(prefix)), "unknown")
