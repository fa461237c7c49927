"""agentapi++ (KooshaPari/agentapi-plusplus), which passes its agents' requests on with two members of its own (reference/adapters.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.harnesses import Harness


def is_in_body(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("agent"), str) and "session" in data


HARNESS = Harness(name="agentapi", title="agentapi++", user_agents=("agentapi",), is_in_body=is_in_body, body_members=("agent",))
