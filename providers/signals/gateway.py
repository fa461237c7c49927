"""Of an OpenAI-compatible address behind which anybody may stand, and of gateways that pass on what their own upstreams say.

Vendors who gave OpenAI's names another meaning (Groq's day) are not told apart here; their kinds are.
"""

from __future__ import annotations

from providers.signals import anthropic_api, anthropic_unified, codex, copilot, gemini, openai, together, zai

SIGNALS = together(
    "gateway", openai.SIGNALS, codex.SIGNALS, anthropic_api.SIGNALS, anthropic_unified.SIGNALS, copilot.SIGNALS, gemini.SIGNALS, zai.SIGNALS
)
