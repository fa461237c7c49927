"""The Responses usage object and ours. Its `input_tokens` hold what came from the cache and what went into it as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routing.types import Usage

_NOTHING = Usage()


def read_usage(usage: object) -> Usage | None:
    """None where it is no usage object, or says nothing."""
    if not isinstance(usage, Mapping):
        return None
    total, output = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    if not total and not output:
        return None
    told, made = usage.get("input_tokens_details"), usage.get("output_tokens_details")
    read = write = reasoning = 0
    if isinstance(told, Mapping):
        read = min(total, _count(told.get("cached_tokens")))
        write = min(total - read, _count(told.get("cache_write_tokens")))
    if isinstance(made, Mapping):
        reasoning = min(output, _count(made.get("reasoning_tokens")))
    return Usage(total - read - write, read, write, output, reasoning)


def usage_object(usage: Usage | None) -> dict[str, Any]:
    """Every member that the API sends; zeros where nothing is known, for none of them may be missing."""
    known = usage or _NOTHING
    return {
        "input_tokens": known.input,
        "input_tokens_details": {"cached_tokens": known.cache_read, "cache_write_tokens": known.cache_write},
        "output_tokens": known.output,
        "output_tokens_details": {"reasoning_tokens": known.reasoning},
        "total_tokens": known.input + known.output,
    }


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
