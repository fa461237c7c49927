"""Turns → `messages`, in the order that servers of this format demand.

A message with tool calls is followed by their results and by nothing else, until all are there; all calls of one answer stand in one
message. System text stands in front: what chat templates of open models refuse elsewhere (Qwen's and others raise an error) is said in a
user's message, marked as a reminder; OpenAI's models take it where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from providers.codecs.chat.reasoning import write_detail
from providers.codecs.chat.writer import Writer
from providers.codecs.conversation import Image, Part, Reasoning, Refused, Role, Text, ToolCall, ToolResult, Turn
from providers.codecs.turns import parted

REMINDER = "<system-reminder>\n{}\n</system-reminder>"
"""How Claude Code itself words what the system has to say in a user's message: models know it."""
BETWEEN = "\n\n"

Message = dict[str, Any]


class Habits(NamedTuple):
    """What the model behind the format takes."""

    takes_system_anywhere: bool


def write_messages(turns: Sequence[Turn], writer: Writer, habits: Habits) -> list[Message]:
    ordered = list(turns) if writer.is_native else _ordered(turns)
    last_word = max((index for index, turn in enumerate(ordered) if _is_word(turn)), default=-1)
    messages: list[Message] = []
    for index, turn in enumerate(ordered):
        match turn.role:
            case Role.SYSTEM:
                _add_system(messages, turn, writer, habits)
            case Role.USER:
                _add_user(messages, turn, writer)
            case Role.ASSISTANT:
                message = _assistant(turn, writer, is_under_way=index > last_word)
                if message is not None:
                    messages.append(message)
    return messages


def _ordered(turns: Sequence[Turn]) -> list[Turn]:
    front, rest = parted(turns)
    return list(_joined([*front, *rest]))


def _is_word(turn: Turn) -> bool:
    """Does the user speak, and not only their tools?"""
    return turn.role is Role.USER and ToolResult not in map(type, turn.parts)


def _add_system(messages: list[Message], turn: Turn, writer: Writer, habits: Habits) -> None:
    content = writer.content(turn.parts, BETWEEN)
    if content is None:
        return
    is_in_front = all(message["role"] == "system" for message in messages)
    if writer.is_native or habits.takes_system_anywhere or is_in_front:
        messages.append(_named({"role": "system", "content": content}, turn))
        return
    writer.lose("messages[].role system", "models of this format take system text in front only: said as a user's, marked as a reminder")
    _as_user(messages, REMINDER.format(content if isinstance(content, str) else BETWEEN.join(part["text"] for part in content)))


def _as_user(messages: list[Message], text: str) -> None:
    """Text that a user's message carries: the last one's, where that is one, for some templates take no two in a row."""
    last = messages[-1] if messages else None
    if last is None or last["role"] != "user":
        messages.append({"role": "user", "content": text})
    elif isinstance(last["content"], str):
        last["content"] += BETWEEN + text
    else:
        last["content"].append({"type": "text", "text": text})


def _add_user(messages: list[Message], turn: Turn, writer: Writer) -> None:
    shown: list[Part] = []
    rest: list[Part] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            messages.append(_result(part, writer, shown))
        else:
            rest.append(part)
    if shown or rest:
        content = writer.content([*shown, *rest], BETWEEN)
        if content is not None:
            messages.append(_named({"role": "user", "content": content}, turn))


def _result(result: ToolResult, writer: Writer, shown: list[Part]) -> Message:
    """A `tool` message. It holds text only: other parts go to `shown`, for the user's message behind it."""
    texts: list[Part] = []
    call_id = writer.id(result.call_id)
    for part in result.parts:
        if isinstance(part, Text) or writer.is_native:
            texts.append(part)
        else:
            kind = "image" if isinstance(part, Image) else "attachment"
            texts.append(Text(f"[{kind}: see the next message]"))
            shown += [Text(f"[{kind} of the tool result {call_id}]"), part]
    if result.is_error:
        writer.lose("tool_result.is_error", "results of this format have no such mark: their text must say it")
    if result.cache is not None:
        writer.lose("cache_control", "servers of this format cache by themselves")
    message: Message = {"role": "tool", "tool_call_id": call_id, "content": writer.content(texts, BETWEEN) or ""}
    if result.name is not None and writer.is_native:
        message["name"] = result.name
    return message


def _assistant(turn: Turn, writer: Writer, *, is_under_way: bool) -> Message | None:
    calls: list[dict[str, Any]] = []
    said: list[Part] = []
    refused: list[Refused] = []
    thoughts: list[Reasoning] = []
    for part in turn.parts:
        if isinstance(part, ToolCall):
            calls.append(writer.call(part))
        elif isinstance(part, Reasoning):
            thoughts.append(part)
        elif isinstance(part, Refused):
            refused.append(part)
        else:
            said.append(part)
    if refused and not writer.is_native:
        said += refused
    # Anthropic cuts one sentence into several texts where it cites: nothing may come between them.
    content = writer.content(said, "")
    message: Message = _named({"role": "assistant", "content": content}, turn)
    if thoughts:
        message |= _reasoning(thoughts, writer, is_wanted=bool(calls) and is_under_way)
    if refused and writer.is_native:
        message["refusal"] = "".join(part.text for part in refused)
    if calls:
        message["tool_calls"] = calls
    return message if len(message) > 2 or content is not None else None


def _reasoning(thoughts: Sequence[Reasoning], writer: Writer, *, is_wanted: bool) -> dict[str, Any]:
    """DeepSeek's, Kimi's and GLM's models want what they thought before a call back while its results come in; of finished turns it is of
    no use, and the first of them refused it (https://api-docs.deepseek.com/guides/thinking_mode)."""
    if writer.is_native:
        if any(thought.seal is not None or thought.is_summary for thought in thoughts):
            return {"reasoning_details": [detail for thought in thoughts for detail in write_detail(thought)]}
        return {"reasoning_content": "".join(thought.text for thought in thoughts)}
    plain = [thought.text for thought in thoughts if not thought.vendor and thought.text]
    if len(plain) < len(thoughts):
        writer.lose("reasoning", "sealed by its vendor, whom this upstream is not")
    return {"reasoning_content": "".join(plain)} if plain and is_wanted else {}


def _named(message: Message, turn: Turn) -> Message:
    if turn.name is not None:
        message["name"] = turn.name
    return message


def _joined(turns: Iterable[Turn]) -> Iterable[Turn]:
    """Neighbours of one role as one: others' formats tell one answer in several items, and most templates want the roles in turn."""
    last: Turn | None = None
    for turn in turns:
        if last is not None and last.role is turn.role and last.name == turn.name:
            last = last._replace(parts=(*last.parts, *turn.parts))
            continue
        if last is not None:
            yield last
        last = turn
    if last is not None:
        yield last
