"""Turns → `systemInstruction` and `contents`, in the order that Google's API demands.

Its rules (https://ai.google.dev/gemini-api/docs/function-calling, and the words of its 400s): a call comes right behind the user's content;
the results of all calls of a content come in the very next one, as many as there were calls; nobody but the user and the model speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import dropwhile, takewhile
from typing import Any, NamedTuple

from providers.codecs.conversation import Part, Role, Text, ToolCall, ToolResult, Turn
from providers.codecs.gemini.parts_out import Block, PartWriter

REMINDER = "<system_message>\n{}\n</system_message>"
NO_OPENING = "(The conversation begins with the assistant's message.)"


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
    system = writer.parts(part for turn in takewhile(_is_system, turns) for part in turn.parts)
    contents: list[dict[str, Any]] = []
    open_calls: list[str] = []
    for is_model, parts in _groups(_calls_closed(dropwhile(_is_system, turns)), writer):
        if is_model:
            blocks = writer.model_parts(parts)
            open_calls = [part.id for part in parts if isinstance(part, ToolCall)]
        else:
            blocks, open_calls = _user_parts(parts, open_calls, writer), []
        if blocks:
            contents.append({"role": "model" if is_model else "user", "parts": blocks})
    if open_calls:
        contents.append({"role": "user", "parts": [writer.no_result(call_id) for call_id in open_calls]})
    return _opened(system, contents, writer)


def _user_parts(parts: Sequence[Part], open_calls: Sequence[str], writer: PartWriter) -> list[Block]:
    """The user's parts: first the results in the order of their calls, one each, then what else there is."""
    results = {part.call_id: part for part in parts if isinstance(part, ToolResult) and part.call_id in open_calls}
    found: list[Block] = []
    for call_id in open_calls:
        found += writer.parts((results[call_id],)) if call_id in results else [writer.no_result(call_id)]
    found.sort(key=lambda block: "functionResponse" not in block)
    told = {id(result) for result in results.values()}
    return found + writer.parts(part for part in parts if id(part) not in told)


def _is_system(turn: Turn) -> bool:
    return turn.role is Role.SYSTEM


def _calls_closed(turns: Iterable[Turn]) -> Iterable[Turn]:
    """System turns between a call and its results wait until the results are there."""
    open_calls: set[str] = set()
    held: list[Turn] = []
    for turn in turns:
        if turn.role is Role.SYSTEM and open_calls:
            held.append(turn)
            continue
        if turn.role is Role.ASSISTANT:
            if not open_calls:  # parallel calls may come as several turns
                yield from held
                held = []
            open_calls |= {part.id for part in turn.parts if isinstance(part, ToolCall)}
        else:
            open_calls -= {part.call_id for part in turn.parts if isinstance(part, ToolResult)}
        yield turn
        if held and not open_calls:
            yield from held
            held = []
    yield from held


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
