"""Anthropic's content blocks → parts. What is no block of a kind known here is kept whole, as something that only Anthropic can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from providers.codecs.conversation import Document, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from providers.codecs.messages.seals import ANTHROPIC, read_signature
from providers.dialects import BadRequestError

Block = Mapping[str, Any]
Lost = dict[str, str]
"""Member → why it is left out: each member once, however many blocks carry it."""

BILLING_LINE = "x-anthropic-billing-header:"
"""Claude Code's accounting line in front of its system prompt: different in every request, and for Anthropic alone."""
_NO_PLACE = "only Anthropic's format has it"


def read_content(content: object, where: str, lost: Lost) -> tuple[Part, ...]:
    """A message's content, one string or blocks. Raises BadRequestError naming the member that is neither."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if not isinstance(content, list):
        raise BadRequestError(f"`{where}` must be a string or an array of content blocks", where, "invalid_type")
    parts: list[Part] = []
    for index, block in enumerate(content):
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str):
            raise BadRequestError(f"`{where}[{index}]` must be an object with a `type`", f"{where}[{index}]", "invalid_type")
        read = _READERS.get(kind)
        try:
            parts.append(Opaque(ANTHROPIC, block) if read is None else read(block, lost))
        except (KeyError, TypeError, AttributeError) as error:
            member = f"`{error.args[0]}` is missing or" if isinstance(error, KeyError) else "a member"
            raise BadRequestError(f"`{where}[{index}]`: {member} of the wrong type for `{kind}`", f"{where}[{index}]") from None
    return tuple(parts)


def _string(block: Block, key: str) -> str:
    value = block[key]
    if not isinstance(value, str):
        raise KeyError(key)
    return value


def _note_others(block: Block, known: frozenset[str], lost: Lost) -> None:
    if not block.keys() <= known:
        for key in block.keys() - known:
            if block[key] is not None:
                lost[f"{block['type']}.{key}"] = _NO_PLACE


_TEXT = frozenset({"type", "text", "cache_control", "citations"})


def _text(block: Block, lost: Lost) -> Part:
    text = _string(block, "text")
    if text.startswith(BILLING_LINE):
        return Opaque(ANTHROPIC, block, BILLING_LINE.rstrip(":"))
    if len(block) == 2:
        return Text(text)
    _note_others(block, _TEXT, lost)
    citations = block.get("citations")
    return Text(text, block.get("cache_control"), tuple(citations) if citations else (), ANTHROPIC if citations else "")


_PICTURE = frozenset({"type", "source", "cache_control"})


def _image(block: Block, lost: Lost) -> Part:
    _note_others(block, _PICTURE, lost)
    source, cache = block["source"], block.get("cache_control")
    match source["type"]:
        case "base64":
            return Image(data=_string(source, "data"), media_type=source.get("media_type"), cache=cache)
        case "url":
            return Image(url=_string(source, "url"), cache=cache)
        case "file":
            return Image(file_id=_string(source, "file_id"), cache=cache)
    return Opaque(ANTHROPIC, block)


_DOCUMENT = frozenset({"type", "source", "cache_control", "title", "citations"})


def _document(block: Block, lost: Lost) -> Part:
    _note_others(block, _DOCUMENT, lost)
    _note_citations(block, lost)
    source, cache, name = block["source"], block.get("cache_control"), block.get("title")
    match source["type"]:
        case "base64":
            return Document(data=_string(source, "data"), media_type=source.get("media_type"), name=name, cache=cache)
        case "text":
            return Document(text=_string(source, "data"), media_type=source.get("media_type"), name=name, cache=cache)
        case "url":
            return Document(url=_string(source, "url"), name=name, cache=cache)
        case "file":
            return Document(file_id=_string(source, "file_id"), name=name, cache=cache)
    return Opaque(ANTHROPIC, block)


def _note_citations(block: Block, lost: Lost) -> None:
    citations = block.get("citations")
    if isinstance(citations, dict) and citations.get("enabled"):
        lost[f"{block['type']}.citations"] = "no other vendor cites from documents that the client sent"


def _search_result(block: Block, lost: Lost) -> Part:
    """A document in all but name: its title, and its texts one below the other."""
    _note_citations(block, lost)
    lost["search_result.source"] = "sent as a document, which has a title only"
    return Document(
        text="\n".join(_string(part, "text") for part in block["content"]),
        media_type="text/plain",
        name=block.get("title"),
        cache=block.get("cache_control"),
    )


def _thinking(block: Block, lost: Lost) -> Part:
    vendor, item_id, seal = read_signature(block.get("signature") or "")
    return Reasoning(_string(block, "thinking"), vendor, seal, item_id)


def _redacted(block: Block, lost: Lost) -> Part:
    return Reasoning("", ANTHROPIC, _string(block, "data"), is_redacted=True)


_CALL = frozenset({"type", "id", "name", "input", "cache_control", "caller"})


def _tool_use(block: Block, lost: Lost) -> Part:
    _note_others(block, _CALL, lost)
    return ToolCall(
        _string(block, "id"), _string(block, "name"), orjson.dumps(block.get("input") or {}).decode(), cache=block.get("cache_control")
    )


_RESULT = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})


def _tool_result(block: Block, lost: Lost) -> Part:
    _note_others(block, _RESULT, lost)
    content = block.get("content")
    return ToolResult(
        _string(block, "tool_use_id"),
        () if content is None else read_content(content, "tool_result.content", lost),
        block.get("is_error") is True,
        cache=block.get("cache_control"),
    )


_READERS: Mapping[str, Callable[[Block, Lost], Part]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
}
