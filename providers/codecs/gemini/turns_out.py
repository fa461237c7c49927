"""Turns → `systemInstruction` and `contents`, in the order that Google's API demands.

Its rules (https://ai.google.dev/gemini-api/docs/function-calling, and the words of its 400s): a call comes right behind the user's content;
the results of all calls of a content come in the very next one, as many as there were calls; nobody but the user and the model speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from providers.codecs.conversation import Part, Role, Text, ToolCall, ToolResult, Turn
from providers.codecs.gemini.parts_out import Block, PartWriter
from providers.codecs.turns import NO_OPENING, parted

REMINDER = "<system_message>\n{}\n</system_message>"


class Contents(NamedTuple):
    system: list[Block]
    contents: list[dict[str, Any]]


class _Group(NamedTuple):
    """Neighbouring turns that make one content."""

    is_model: bool
    parts: list[Part]


def write_turns(turns: Sequence[Turn], writer: PartWriter) -> Contents:
    if any(turn.name for turn in turns):
        writer.lose("messages[].name", "Google's contents have no names")
    front, rest = parted(turns)
    system = writer.parts(part for turn in front for part in turn.parts)
    contents: list[dict[str, Any]] = []
    open_calls: list[str] = []
    for is_model, parts in _groups(rest, writer):
        if is_model:
            blocks = writer.model_parts(parts)
            open_calls = [part.id for part in parts if type(part) is ToolCall]
        else:
            blocks, open_calls = _user_parts(parts, open_calls, writer), []
        if blocks:
            contents.append({"role": "model" if is_model else "user", "parts": blocks})
    if open_calls:
        contents.append({"role": "user", "parts": [writer.no_result(call_id) for call_id in open_calls]})
    return _opened(system, contents, writer)


def _user_parts(parts: Sequence[Part], open_calls: Sequence[str], writer: PartWriter) -> list[Block]:
    """The user's parts: first the results in the order of their calls, one each, then what else there is."""
    if not open_calls:
        return writer.parts(parts)
    if len(parts) == 1 and isinstance(only := parts[0], ToolResult) and open_calls == [only.call_id]:
        return writer.parts(parts)  # what most are
    results = {part.call_id: part for part in parts if isinstance(part, ToolResult) and part.call_id in open_calls}
    found: list[Block] = []
    for call_id in open_calls:
        found += writer.parts((results[call_id],)) if call_id in results else [writer.no_result(call_id)]
    found.sort(key=lambda block: "functionResponse" not in block)
    told = {id(result) for result in results.values()}
    return found + writer.parts(part for part in parts if id(part) not in told)


def _groups(turns: Iterable[Turn], writer: PartWriter) -> list[_Group]:
    """Neighbours of one role together; system text among them as the user's, marked."""
    groups: list[_Group] = []
    for turn in turns:
        is_model = turn.role is Role.ASSISTANT
        parts = turn.parts
        if turn.role is Role.SYSTEM:
            writer.lose("messages[].role system", "Google takes system text in front only: said in the user's content, marked as a message")
            parts = tuple(_marked(part) for part in parts)
        if groups and groups[-1].is_model is is_model:
            groups[-1].parts.extend(parts)
        else:
            groups.append(_Group(is_model, list(parts)))
    return groups


def _marked(part: Part) -> Part:
    return part._replace(text=REMINDER.format(part.text)) if isinstance(part, Text) and part.text else part


def _opened(system: list[Block], contents: list[dict[str, Any]], writer: PartWriter) -> Contents:
    """A conversation begins with the user."""
    if not contents and system:
        writer.lose("messages[].role system", "a conversation of nothing but system text: said as the user's")
        return Contents([], [{"role": "user", "parts": system}])
    if contents and contents[0]["role"] == "model":
        writer.lose("messages[0]", "the API wants the user first: a content that says so was put in front")
        contents.insert(0, {"role": "user", "parts": [{"text": NO_OPENING}]})
    return Contents(system, contents)
