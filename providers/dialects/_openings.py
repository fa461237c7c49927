"""How a conversation of OpenAI's chat begins: what stays the same from its first request to its last, and so tells it from others.

Anything JSON can hold is fine here: what has the wrong shape counts as absent. Long texts are cut to what tells them apart (`telling`).
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson

from providers.dialects import Opening

MESSAGES_LOOKED_AT = 16
"""An opening of more messages than that is told by the first ones: every harness begins with one to four."""

VOLATILE_PREFIX = "x-anthropic-billing-header:"
"""Claude Code's first system text. It varies with the prompt (reference/clients.md), so it would make a new conversation of each turn."""

WHOLE_CHARS = 256
"""Of a longer text its edges, its length and a checksum count: SHA-256 of 64 KB costs 37 µs, CRC-32 12, and 15 are allowed."""

CHECKSUMMED_CHARS = 16 * 1024
"""From the start; what differs only further on has its length and its tail to be told by."""

_LOOKED_AT = slice(MESSAGES_LOOKED_AT)
_HEAD, _TAIL, _CHECKSUMMED = slice(WHOLE_CHARS // 2), slice(-(WHOLE_CHARS // 2), None), slice(CHECKSUMMED_CHARS)
_SYSTEM_ROLES = ("system", "developer")

# Names under which a body names its conversation, and names that many conversations may share.
_SESSION_MEMBERS = ("session_id", "sessionId", "session")
_SHARED_MEMBERS = ("prompt_cache_key", "user", "safety_identifier")
_SESSION_METADATA = ("session_id", "conversation_id", "thread_id")
_NAMING_MEMBERS = frozenset({*_SESSION_MEMBERS, *_SHARED_MEMBERS, "metadata"})
_MORE_MEMBERS = frozenset({*_NAMING_MEMBERS, "system", "tools"})

_new = tuple.__new__
"""A NamedTuple without the call of Python code that its own name is: every request makes an `Opening`."""


def chat_opening(data: dict[str, Any]) -> Opening:
    """The opening of a chat body, whichever parts it has."""
    system: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    try:
        messages = data["messages"][_LOOKED_AT]
    except (KeyError, TypeError):
        messages = ()  # none, or no list of them
    for message in messages:
        try:
            role, content = message.get("role"), message.get("content")
        except AttributeError:
            continue  # no object
        if role == "assistant":
            answer = _answer(message)
            break
        if role == "user" and isinstance(content, str) and len(content) <= WHOLE_CHARS:
            before += (content,)  # the usual one, as it stands
            continue
        text = telling(_stable(content)) if isinstance(content, str) else _text_of(content)
        if text is None:
            continue
        if role in _SYSTEM_ROLES:
            system += (text,)
        else:
            before += (text,)
    if _MORE_MEMBERS.isdisjoint(data):
        return _new(Opening, (system, (), before, answer, None, ()))
    standing = _text_of(data.get("system"))
    if standing is not None:
        system = (standing, *system)
    return Opening(system, _tool_names(data.get("tools")), before, answer, *_names(data))


def _text_of(content: object) -> str | None:
    """What a message's content says, one string or parts: the same words are the same opening in either form, and wherever the client
    puts its cache marks. Pictures count by their address."""
    if isinstance(content, str):
        return telling(_stable(content))
    if not isinstance(content, list):
        return None
    found: list[str] = []
    for part in content:
        if isinstance(part, str):
            found.append(_stable(part))
        elif isinstance(part, dict):
            text = part.get("text")
            found.append(_stable(text) if isinstance(text, str) else _address(part.get("image_url")))
    # Joined: whether a client sends one text or two is not told apart.
    return telling("\n".join(found)) if found else None


def telling(text: str) -> str:
    """`text`, cut to what tells it from others if it is long."""
    size = len(text)
    if size <= WHOLE_CHARS:
        return text
    checksum = crc32(text[_CHECKSUMMED].encode("utf-8", "surrogatepass"))
    return f"{size} {checksum} {text[_HEAD]}{text[_TAIL]}"


def _stable(text: str) -> str:
    """Without what varies from turn to turn."""
    return text.partition("\n")[2] if text.startswith(VOLATILE_PREFIX) else text


def _address(image: object) -> str:
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) else ""


def _tool_names(tools: object) -> tuple[str, ...]:
    """Names only: descriptions are long, and harnesses reword them between two turns (dates, lists of files)."""
    if not isinstance(tools, list) or not tools:
        return ()
    first = tools[0]
    try:  # all of one shape, OpenAI's or Anthropic's: a harness has twenty
        nested = isinstance(first, dict) and "function" in first
        names = [tool["function"]["name"] for tool in tools] if nested else [tool["name"] for tool in tools]
    except (KeyError, TypeError):
        names = [_tool_name(tool) for tool in tools]
    return tuple(names) if set(map(type, names)) == {str} else tuple(name for name in names if isinstance(name, str))


def _tool_name(tool: object) -> object:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def _answer(message: dict[str, Any]) -> tuple[str, ...]:
    """What the model said first: its words, and the ids of its calls, which no other conversation has."""
    text = _text_of(message.get("content"))
    found = [text] if text is not None else []
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            function = call.get("function")
            parts = (call.get("id"), *(function.values() if isinstance(function, dict) else ()))
            found += [telling(part) for part in parts if isinstance(part, str)]
    return tuple(found) or ("",)  # an empty answer is one, too


def _names(data: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """(the session that the body names, names that it may share with other conversations)."""
    if _NAMING_MEMBERS.isdisjoint(data):
        return None, ()
    session = next((value for name in _SESSION_MEMBERS if (value := _text(data.get(name)))), None)
    shared = [value for name in _SHARED_MEMBERS if (value := _text(data.get(name)))]
    metadata = data.get("metadata")
    if isinstance(metadata, dict):
        session = session or next((value for name in _SESSION_METADATA if (value := _text(metadata.get(name)))), None)
        user = _text(metadata.get("user_id"))
        session = session or _session_in(user)
        shared.append(user)
    return session, tuple(filter(None, shared))


def _session_in(user_id: str) -> str | None:
    """Claude Code writes JSON with a `session_id` into `metadata.user_id`."""
    if not user_id.startswith("{"):
        return None
    try:
        fields = orjson.loads(user_id)
    except orjson.JSONDecodeError:
        return None
    return _text(fields.get("session_id")) or None if isinstance(fields, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
