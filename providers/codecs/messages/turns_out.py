"""Turns → `system` and `messages`, in the order that Anthropic's API demands.

Its rules (https://docs.anthropic.com/en/api/messages, "Implement tool use", "Mid-conversation system messages"): standing instructions
stand in `system`; the first message is the user's; the results of calls come in the very next message, before any other block of it; a
system message comes behind a user's, and the model answers it. Others' formats leave all of that open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from providers.codecs.conversation import Part, Role, Turn
from providers.codecs.messages.blocks_out import Block, BlockWriter
from providers.codecs.turns import NO_OPENING, parted

REMINDER = "<system-reminder>\n{}\n</system-reminder>"
"""How Claude Code itself words what the system has to say in a user's message: the models know it."""


_ROLES = {role: role.value for role in Role}
"""A member's `value` costs more than the look-up."""


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
    front, rest = parted(turns)
    system = writer.blocks(part for turn in front for part in turn.parts)
    groups = _groups(rest)
    messages: list[dict[str, Any]] = []
    for index, (role, parts) in enumerate(groups):
        blocks = writer.blocks(parts)
        if role is Role.SYSTEM and not (takes_system_turns and _is_in_place(groups, index)):
            role, blocks = Role.USER, _reminders(blocks, writer)  # noqa: PLW2901
        if blocks:
            _add(messages, role, blocks)
    return _opened(system, messages, writer)


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
    name = _ROLES[role]
    if messages and messages[-1]["role"] == name:
        blocks = messages.pop()["content"] + blocks
    if role is Role.USER and len(blocks) > 1:
        blocks.sort(key=lambda block: block["type"] != "tool_result")
    messages.append({"role": name, "content": blocks})


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
        if len(content) == 1 and len(content[0]) == 2 and content[0]["type"] == "text":
            message["content"] = content[0]["text"]
    return Messages(system, messages)
