"""agentapi++ adds `agent` and `session` to a chat body when it passes it on (reference/adapters.md): hints for whoever routes it.

The session names the conversation (`_openings`), the agent may name a policy (`proxy/agent_hints.py`). Neither is OpenAI's, and strict
upstreams answer 400 to what they do not know: they are taken out before the body is sent.
"""

from __future__ import annotations

from typing import Any

from providers.unsplice import drop_members

AGENT, SESSION = "agent", "session"
HINTS = frozenset({AGENT, SESSION})


def without_hints(body: bytes, data: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The body and its parsed form without them."""
    return drop_members(body, data, HINTS), {key: value for key, value in data.items() if key not in HINTS}
