"""Reasoning as chat bodies carry it. OpenAI's own format has none; there are four others.

`reasoning_content` (DeepSeek, vLLM, llama-server) and `reasoning` (OpenRouter, Ollama, Groq): plain text. `reasoning_details`: OpenRouter's
list, with signatures and encrypted data (https://openrouter.ai/docs/use-cases/reasoning-tokens). `thinking_blocks`: LiteLLM's, which are
Anthropic's. Gemini's OpenAI endpoint puts a signature beside tool calls (`extra_content.google.thought_signature`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from providers.codecs.conversation import Reasoning

ANTHROPIC, OPENAI, GEMINI = "anthropic", "openai", "gemini"
_FORMATS: Mapping[str, str] = {ANTHROPIC: "anthropic-claude-v1", OPENAI: "openai-responses-v1", GEMINI: "google-gemini-v1"}
_VENDORS: Mapping[str, str] = {"anthropic": ANTHROPIC, "openai": OPENAI, "azure": OPENAI, "google": GEMINI, "xai": "xai"}

Detail = Mapping[str, Any]


def read_reasoning(message: Mapping[str, Any]) -> list[Reasoning]:
    """What an assistant's message says that it thought; the richest of the forms counts, for they repeat each other."""
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        return _merged(found for detail in details if isinstance(detail, dict) and (found := read_detail(detail)) is not None)
    blocks = message.get("thinking_blocks")
    if isinstance(blocks, list) and blocks:
        return [found for block in blocks if isinstance(block, dict) and (found := read_block(block)) is not None]
    text = message.get("reasoning_content") or message.get("reasoning")
    return [Reasoning(text)] if isinstance(text, str) else []


def read_detail(detail: Detail) -> Reasoning | None:
    """One entry of `reasoning_details`."""
    format_ = text_in(detail, "format")
    vendor, id_ = _VENDORS.get(format_.partition("-")[0], "" if format_ in ("", "unknown") else format_), text_in(detail, "id") or None
    match detail.get("type"):
        case "reasoning.text":
            seal = text_in(detail, "signature") or None
            return Reasoning(text_in(detail, "text"), (vendor or ANTHROPIC) if seal else "", seal, id_)
        case "reasoning.summary":
            return Reasoning(text_in(detail, "summary"), vendor, None, id_, is_summary=True)
        case "reasoning.encrypted":
            return Reasoning("", vendor or OPENAI, text_in(detail, "data"), id_, is_redacted=True)
    return None


def read_block(block: Detail) -> Reasoning | None:
    """One entry of `thinking_blocks`."""
    match block.get("type"):
        case "thinking":
            seal = text_in(block, "signature") or None
            return Reasoning(text_in(block, "thinking"), ANTHROPIC if seal else "", seal)
        case "redacted_thinking":
            return Reasoning("", ANTHROPIC, text_in(block, "data"), is_redacted=True)
    return None


def write_detail(reasoning: Reasoning) -> list[dict[str, Any]]:
    """The entries of `reasoning_details` that say the same."""
    common: dict[str, Any] = {"format": _FORMATS.get(reasoning.vendor, reasoning.vendor or "unknown")}
    if reasoning.id is not None:
        common["id"] = reasoning.id
    if reasoning.vendor == ANTHROPIC and not reasoning.is_redacted:
        return [{"type": "reasoning.text", "text": reasoning.text, "signature": reasoning.seal, **common}]
    found: list[dict[str, Any]] = []
    if reasoning.text:
        kind = {"type": "reasoning.summary", "summary": reasoning.text}
        found.append({**(kind if reasoning.is_summary else {"type": "reasoning.text", "text": reasoning.text}), **common})
    if reasoning.seal is not None:
        found.append({"type": "reasoning.encrypted", "data": reasoning.seal, **common})
    return found


def signature_in(holder: Mapping[str, Any]) -> str | None:
    """Gemini's signature on a tool call or a message."""
    extra = holder.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) and signature else None


def signature_member(signature: str) -> dict[str, Any]:
    return {"extra_content": {"google": {"thought_signature": signature}}}


def _merged(pieces: Iterable[Reasoning]) -> list[Reasoning]:
    """A summary and the encrypted content behind it are one thought, told twice."""
    found: list[Reasoning] = []
    for piece in pieces:
        last = found[-1] if found else None
        if piece.is_redacted and last is not None and last.seal is None and last.id == piece.id and last.vendor in ("", piece.vendor):
            found[-1] = last._replace(vendor=piece.vendor, seal=piece.seal)
        else:
            found.append(piece)
    return found


def text_in(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""
