"""What the models behind Google's format take, told by their names.

Sources: https://ai.google.dev/gemini-api/docs/thinking (levels from generation 3 on, budgets in 2.5 with their ranges, Pro models cannot be
told not to think), https://ai.google.dev/gemini-api/docs/thought-signatures (validated from generation 3 on),
https://ai.google.dev/gemini-api/docs/gemini-3 (structured output beside tools, pictures inside function responses: generation 3).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d{1,2}))?(?!\d)")


class Ways(NamedTuple):
    takes_level: bool = True
    """`thinkingLevel`; both it and a budget in one request are refused."""
    budget_min: int | None = None
    """The smallest `thinkingBudget` above zero; None: it takes none."""
    budget_max: int = 0
    can_be_off: bool = True
    """Can it be told not to think?"""
    is_strict: bool = True
    """Generation 3 and newer: refuses calls without a signature, takes a JSON schema beside tools and pictures in function responses."""


_BUDGETS = {
    "pro": Ways(False, 128, 32768, False, False),
    "lite": Ways(False, 512, 24576, True, False),
    "": Ways(False, 1, 24576, True, False),
}


@lru_cache(maxsize=256)
def ways_of(upstream_model: str) -> Ways:
    """A name that tells no version (`gemini-flash-latest`) is taken for a new one; Gemma and Gemini 2.0 and older do not think."""
    name = upstream_model.lower()
    found = _VERSION.search(name)
    version = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
    if "gemma" in name or version < (2, 5):
        return Ways(takes_level=False, is_strict=False)
    if version < (3, 0):
        return _BUDGETS["pro" if "pro" in name else "lite" if "lite" in name else ""]
    return Ways(can_be_off="pro" not in name)
