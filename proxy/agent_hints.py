"""What agentapi++ says of who is asking (`agent` in a chat body): a policy of that name applies, as if the request had named it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

AGENT = "agent"


def agent_policy(data: dict[str, Any], policies: Collection[str]) -> str | None:
    """The policy that the agent's name is, or None. A name that no policy has is no error: it is a hint."""
    agent = data.get(AGENT)
    return agent if isinstance(agent, str) and agent in policies else None
