"""What OpenAI's own models take that others do not, and the other way round, told by their names: everybody speaks this format."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_OPENAI = re.compile(r"(?:^|/)(?:gpt-\d|chatgpt|codex|o\d)")
_REASONER = re.compile(r"(?:^|/)(?:gpt-(?:[5-9]|\d\d)|codex|o\d)")
"""From gpt-5 on all of them reason: no `max_tokens`, no sampling (https://platform.openai.com/docs/guides/reasoning)."""


class Ways(NamedTuple):
    is_openai: bool
    """System text may stand anywhere among the messages."""
    is_openai_reasoner: bool
    """`max_completion_tokens` in place of `max_tokens`, and no temperature or top_p but 1."""


@lru_cache(maxsize=256)
def ways_of(upstream_model: str) -> Ways:
    name = upstream_model.lower()
    # gpt-oss is open: its servers are like anybody else's, and `\d` keeps it out.
    return Ways(_OPENAI.search(name) is not None, _REASONER.search(name) is not None)
