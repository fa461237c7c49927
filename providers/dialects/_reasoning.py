"""Reasoning that only the account which made it can read, as it stands in a chat body: sealed blocks and signatures.

OpenRouter: `reasoning_details` with `data` or a `signature` (https://openrouter.ai/docs/use-cases/reasoning-tokens). Gemini's OpenAI
endpoint: `extra_content.google.thought_signature`, on the message or on its tool calls
(https://ai.google.dev/gemini-api/docs/thought-signatures). LiteLLM: `thinking_blocks` with a `signature`. OpenAI's shape carried over:
`reasoning.encrypted_content`. Reasoning in plain text (`reasoning_content`) is anybody's to read and is left alone.
"""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any

_BLOCKS = frozenset({"reasoning_details", "thinking_blocks"})
_HOLDERS = frozenset({*_BLOCKS, "tool_calls", "extra_content", "reasoning"})
HOLDS_NONE = _HOLDERS.isdisjoint
"""Of a message: is there nothing in it where such reasoning stands? For `map`: every message of every request is asked."""
_RARE_HOLDERS = _HOLDERS - {"tool_calls"}
_CALLS, _EXTRA = repeat("tool_calls"), repeat("extra_content")
_SEALS = ("data", "signature", "encrypted_content")

UNSEALED = "skip_thought_signature_validator"
"""Gemini's documented stand-in for a signature that is not there: every account takes it."""


def has_sealed(messages: list[dict[str, Any]]) -> bool:
    """Does an assistant's message among them carry reasoning that one account alone can read?

    Asked of all where `HOLDS_NONE` is not true of each. Most have none: an agent's hundred calls are passed over in C.
    """
    if all(map(_RARE_HOLDERS.isdisjoint, messages)):
        called = chain.from_iterable(filter(None, map(dict.get, messages, _CALLS)))
        try:
            if not any(map(dict.get, called, _EXTRA)):
                return False
        except TypeError:
            pass  # odd calls: each is looked at by itself
    return any(is_sealed(message) for message in messages if message.get("role") == "assistant")


def is_sealed(message: dict[str, Any]) -> bool:
    """Does this assistant message carry reasoning that one account alone can read?"""
    if _HOLDERS.isdisjoint(message):
        return False
    if "tool_calls" in message:
        for call in _list(message["tool_calls"]):
            if isinstance(call, dict) and "extra_content" in call and _has_signature(call):
                return True
    if "extra_content" in message and _has_signature(message):
        return True
    if "reasoning" in message and _has_seal(message["reasoning"]):
        return True
    if _BLOCKS.isdisjoint(message):
        return False
    return any(name in message and any(_has_seal(block) for block in _list(message[name])) for name in _BLOCKS)


def without_sealed(messages: list[Any]) -> list[Any]:
    """The same conversation, with sealed reasoning taken out of it; messages without any are the same objects."""
    return [_opened(message) if isinstance(message, dict) and is_sealed(message) else message for message in messages]


def _opened(message: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in message.items() if name not in (*_BLOCKS, "extra_content")}
    if _has_seal(kept.get("reasoning")):
        del kept["reasoning"]
    if isinstance(kept.get("tool_calls"), list):
        kept["tool_calls"] = [_without_signature(call) for call in kept["tool_calls"]]
    return kept


def _without_signature(call: Any) -> Any:
    return {name: value for name, value in call.items() if name != "extra_content"} if _has_signature(call) else call


def _has_signature(holder: object) -> bool:
    """Of a message or a tool call."""
    extra = holder.get("extra_content") if isinstance(holder, dict) else None
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return isinstance(signature, str) and bool(signature) and signature != UNSEALED


def _has_seal(block: object) -> bool:
    return isinstance(block, dict) and any(isinstance(block.get(name), str) and block[name] for name in _SEALS)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
