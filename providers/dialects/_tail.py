"""Usage from the end of a large answer, of which nothing else was kept: every known server writes it last, or near enough."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from routing.types import Usage


def usage_pattern(member: bytes) -> re.Pattern[bytes]:
    """Finds the member's object, with objects of one level in it."""
    return re.compile(rb'"' + member + rb'"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')


USAGE = usage_pattern(b"usage")


def usage_in_tail(tail: bytes, read_usage: Callable[[Any], Usage | None], pattern: re.Pattern[bytes] = USAGE) -> Usage | None:
    """The last one in `tail`; None where there is none, or none that is whole."""
    found: list[bytes] = pattern.findall(tail)
    try:
        return read_usage(orjson.loads(found[-1])) if found else None
    except orjson.JSONDecodeError:
        return None
