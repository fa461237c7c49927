"""What OpenAI's own models refuse, told by their names. A server that speaks the format with another model is asked for what was asked for.

Sources: https://platform.openai.com/docs/guides/reasoning (no temperature or top_p, except from 5.1 on with effort `none`),
https://platform.openai.com/docs/api-reference/responses/create (at least 16 output tokens).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_OPENAI = re.compile(r"(?:^|/)(?:gpt-(?!oss)|o\d|chatgpt|codex)")
_REASONER = re.compile(r"(?:^|/)(?:o\d|codex|gpt-(?:[5-9]|\d\d))(?!.*-chat)")


class Ways(NamedTuple):
    is_openai: bool
    is_reasoner: bool


@lru_cache(maxsize=256)
def ways_of(upstream_model: str) -> Ways:
    name = upstream_model.lower()
    return Ways(bool(_OPENAI.search(name)), bool(_REASONER.search(name)))
