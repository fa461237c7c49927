"""Google's JSON takes every member's name in two spellings: `functionCall`, as its documentation writes it today, and `function_call`, as
it did before. https://protobuf.dev/programming-guides/json/#field-names
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_WORD = re.compile(r"(?<!^)([A-Z])")
_LETTER = re.compile(r"_([a-z])")


def member(data: Mapping[str, Any], name: str) -> Any:
    """The member that is called `name` (in camelCase), in either spelling; None where it is absent."""
    value = data.get(name)
    return data.get(snake(name)) if value is None else value


@lru_cache(maxsize=512)
def snake(name: str) -> str:
    return _WORD.sub(r"_\1", name).lower()


@lru_cache(maxsize=512)
def camel(name: str) -> str:
    """Names come from clients: bounded, as the cache is."""
    return _LETTER.sub(lambda letter: letter[1].upper(), name)
