"""What the models behind Anthropic's format take, told by their names: the generations differ in what they refuse with a 400.

Sources: AWS's and Vercel's pages on adaptive thinking (4.6 and newer take it, 4.7 and newer nothing else, and neither take sampling
parameters), Anthropic's "Mid-conversation system messages" (4.8 and newer) and "Extended thinking" (older ones: budgets of 1,024 and more).
A server that speaks the format with another model (llama-server, vLLM) is asked for what the format had from the beginning.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_VERSION = re.compile(r"(?:opus|sonnet|haiku|fable|mythos)-(\d+)(?:[-.](\d{1,2}))?(?!\d)")
_OLDEST = re.compile(r"claude-(?:[123](?!\d)|instant)")
NEWEST = (99, 0)
"""A Claude whose name tells no version (`mythos-preview`, an alias) is taken for a new one."""


class Ways(NamedTuple):
    is_claude: bool
    takes_adaptive: bool
    """`thinking: {type: adaptive}` with `output_config.effort`."""
    takes_budget: bool
    """`thinking: {type: enabled, budget_tokens}`, and `disabled`."""
    takes_sampling: bool
    """`temperature`, `top_p`, `top_k`."""
    takes_system_turns: bool
    """`role: system` among the messages."""
    takes_xhigh: bool


@lru_cache(maxsize=256)
def ways_of(upstream_model: str) -> Ways:
    name = upstream_model.lower()
    if "claude" not in name:
        return Ways(False, False, True, True, False, False)
    version = _version(name)
    return Ways(True, version >= (4, 6), version <= (4, 6), version <= (4, 6), version >= (4, 8), version >= (4, 7))


def _version(name: str) -> tuple[int, int]:
    if _OLDEST.search(name):
        return (3, 0)
    found = _VERSION.search(name)
    return (int(found[1]), int(found[2] or 0)) if found else NEWEST
