"""OpenAI's usage object and ours. Its `prompt_tokens` includes what came from the cache and what went into it; our parts do not overlap."""

from __future__ import annotations

from typing import Any

from routing.types import Usage

USUAL_MEMBERS = 3
"""prompt_tokens, completion_tokens, total_tokens: with nothing more there is nothing more to look for."""

_new = tuple.__new__
"""A NamedTuple without the call of Python code that its own name is: most answers have one of these."""
_REST = Usage()[4:]


def read_usage(usage: object) -> Usage | None:
    """A chat usage object; None where it is none or counts nothing."""
    if not isinstance(usage, dict):
        return None
    prompt, output = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(prompt) is not int or prompt < 0:
        prompt = 0
    if type(output) is not int or output < 0:
        output = 0
    if not prompt and not output:
        return None
    if len(usage) == USUAL_MEMBERS and "total_tokens" in usage:
        return _new(Usage, (prompt, 0, 0, output, *_REST))
    cache_read = cache_write = reasoning = 0
    details = usage.get("prompt_tokens_details")
    if isinstance(details, dict):
        cache_read = _count(details.get("cached_tokens"))
        cache_write = _count(details.get("cache_write_tokens"))
    # DeepSeek reports the hit beside the details, Anthropic's relays the write.
    cache_read = min(prompt, cache_read or _count(usage.get("prompt_cache_hit_tokens")))
    cache_write = min(prompt - cache_read, cache_write or _count(usage.get("cache_creation_input_tokens")))
    out_details = usage.get("completion_tokens_details")
    if isinstance(out_details, dict):
        reasoning = min(output, _count(out_details.get("reasoning_tokens")))
    return Usage(prompt - cache_read - cache_write, cache_read, cache_write, output, reasoning)


def usage_object(usage: Usage | None) -> dict[str, Any]:
    """The object as OpenAI sends it (`cache_write_tokens` is OpenRouter's word); zeros where nothing is known."""
    known = usage or Usage()
    prompt: dict[str, int] = {"cached_tokens": known.cache_read}
    if known.cache_write:
        prompt["cache_write_tokens"] = known.cache_write
    return {
        "prompt_tokens": known.input,
        "completion_tokens": known.output,
        "total_tokens": known.input + known.output,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": known.reasoning},
    }


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0
