"""Turns → `system` and `messages`, in the order that Anthropic's API demands.

Its rules (https://docs.anthropic.com/en/api/messages, "Implement tool use", "Mid-conversation system messages"): standing instructions
stand in `system`; the first message is the user's; the results of calls come in the very next message, before any other block of it; a
system message comes behind a user's, and the model answers it. Others' formats leave all of that open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import dropwhile, takewhile
from typing import Any, NamedTuple

from providers.codecs.conversation import Part, Role, ToolCall, ToolResult, Turn
from providers.codecs.messages.blocks_out import Block, BlockWriter

REMINDER = "<system-reminder>\n{}\n</system-reminder>"
"""How Claude Code itself words what the system has to say in a user's message: the models know it."""
NO_OPENING = "(The conversation begins with the assistant's message.)"


class Messages(NamedTuple):
    system: list[Block]
    messages: list[dict[str, Any]]


class _Group(NamedTuple):
    """Neighbouring turns of one role: one message."""

    role: Role
    parts: list[Part]


def write_turns(turns: Sequence[Turn], writer: BlockWriter, *, takes_system_turns: bool) -> Messages:
    """`takes_system_turns`: does the model know `role: system` among the messages?"""
    if any(turn.name for turn in turns):
        writer.lose("messages[].name", "Anthropic's messages have no names")
    system = writer.blocks(part for turn in takewhile(_is_system, turns) for part in turn.parts)
    groups = _groups(_calls_closed(dropwhile(_is_system, turns)))
    messages: list[dict[str, Any]] = []
    for index, (role, parts) in enumerate(groups):
        blocks = writer.blocks(parts)
        if role is Role.SYSTEM and not (takes_system_turns and _is_in_place(groups, index)):
            role, blocks = Role.USER, _reminders(blocks, writer)  # noqa: PLW2901
        if blocks:
            _add(messages, role, blocks)
    return _opened(system, messages, writer)


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


def _groups(turns: Iterable[Turn]) -> list[_Group]:
    groups: list[_Group] = []
    for turn in turns:
        if groups and groups[-1].role is turn.role:
            groups[-1].parts.extend(turn.parts)
        else:
            groups.append(_Group(turn.role, list(turn.parts)))
    return groups


def _is_in_place(groups: Sequence[_Group], index: int) -> bool:
    """May a system message stand here: behind a user's, and answered or the last?"""
    follows_user = index > 0 and groups[index - 1].role is Role.USER
    return follows_user and (index + 1 == len(groups) or groups[index + 1].role is Role.ASSISTANT)


def _reminders(blocks: list[Block], writer: BlockWriter) -> list[Block]:
    writer.lose("messages[].role system", "this model takes system text in front only: said in the user's message, marked as a reminder")
    return [{**block, "text": REMINDER.format(block["text"])} if block["type"] == "text" else block for block in blocks]


def _add(messages: list[dict[str, Any]], role: Role, blocks: list[Block]) -> None:
    """A message, or more of the last one where the role is the same (a reminder between two user turns)."""
    if messages and messages[-1]["role"] == role.value:
        blocks = messages.pop()["content"] + blocks
    if role is Role.USER and any(block["type"] == "tool_result" for block in blocks):
        blocks.sort(key=lambda block: block["type"] != "tool_result")
    messages.append({"role": role.value, "content": blocks})


def _opened(system: list[Block], messages: list[dict[str, Any]], writer: BlockWriter) -> Messages:
    """A conversation needs a user's message at its beginning, and no blanks at the end of an answer that is to be continued."""
    if not messages and system:
        writer.lose("messages[].role system", "a conversation of nothing but system text: said as the user's")
        return Messages([], [{"role": "user", "content": system}])
    if messages and messages[0]["role"] == "assistant":
        writer.lose("messages[0]", "the API wants a user's message first: one that says so was put in front")
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": NO_OPENING}]})
    if messages and messages[-1]["role"] == "assistant":
        last = messages[-1]["content"][-1]
        if last["type"] == "text":
            last["text"] = last["text"].rstrip()
            if not last["text"]:
                messages[-1]["content"].pop()
                if not messages[-1]["content"]:
                    messages.pop()
    for message in messages:
        content = message["content"]
        if len(content) == 1 and content[0].keys() == {"type", "text"}:
            message["content"] = content[0]["text"]
    return Messages(system, messages)
