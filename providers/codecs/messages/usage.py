"""Anthropic's usage object and ours. Its `input_tokens` counts only what neither came from the cache nor went into it, as ours does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routing.types import Usage


def read_usage(usage: object, before: Usage | None = None) -> Usage | None:
    """A usage object; None where it is none or says nothing. `before` is what `message_start` said of the same answer: `message_delta`
    repeats all of it at Anthropic, and nothing but the output at llama-server."""
    if not isinstance(usage, Mapping):
        return before
    start = before or _NOTHING
    found = Usage(
        _count(usage.get("input_tokens")) or start.input_uncached,
        _count(usage.get("cache_read_input_tokens")) or start.cache_read,
        _count(usage.get("cache_creation_input_tokens")) or start.cache_write,
        output := _count(usage.get("output_tokens")) or start.output,
        min(output, _thinking(usage.get("output_tokens_details")) or start.reasoning),
        cache_write_1h=_hour_long(usage.get("cache_creation")) or start.cache_write_1h,
    )
    return found if found.input or found.output else before


def usage_object(usage: Usage | None) -> dict[str, Any]:
    """The object as Anthropic sends it; zeros where nothing is known, for the counts are mandatory."""
    known = usage or _NOTHING
    counts: dict[str, Any] = {
        "input_tokens": known.input_uncached,
        "cache_creation_input_tokens": known.cache_write,
        "cache_read_input_tokens": known.cache_read,
        "output_tokens": known.output,
    }
    if known.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": known.reasoning}
    return counts


_NOTHING = Usage()


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _hour_long(written: object) -> int:
    """Cache writes that live an hour cost more than those of five minutes."""
    return _count(written.get("ephemeral_1h_input_tokens")) if isinstance(written, Mapping) else 0


def _thinking(details: object) -> int:
    return _count(details.get("thinking_tokens")) if isinstance(details, Mapping) else 0
