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

REMINDER = "<system-reminder>\n{}\n</system-reminder>"
"""How Claude Code itself words what the system has to say in a user's message: models know it."""
BETWEEN = "\n\n"

Message = dict[str, Any]


class Habits(NamedTuple):
    """What the model behind the format takes."""

    takes_system_anywhere: bool


def write_messages(turns: Sequence[Turn], writer: Writer, habits: Habits) -> list[Message]:
    ordered = list(turns) if writer.is_native else list(_joined(_results_first(turns)))
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


def _is_word(turn: Turn) -> bool:
    """Does the user speak, and not only their tools?"""
    return turn.role is Role.USER and not any(isinstance(part, ToolResult) for part in turn.parts)


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
    content = writer.content([*shown, *rest], BETWEEN)
    if content is not None:
        messages.append(_named({"role": "user", "content": content}, turn))


def _result(result: ToolResult, writer: Writer, shown: list[Part]) -> Message:
    """A `tool` message. It holds text only: other parts go to `shown`, for the user's message behind it."""
    texts: list[Part] = []
    for part in result.parts:
        if isinstance(part, Text) or writer.is_native:
            texts.append(part)
        else:
            kind = "image" if isinstance(part, Image) else "attachment"
            texts.append(Text(f"[{kind}: see the next message]"))
            shown += [Text(f"[{kind} of the tool result {writer.id(result.call_id)}]"), part]
    if result.is_error:
        writer.lose("tool_result.is_error", "results of this format have no such mark: their text must say it")
    if result.cache is not None:
        writer.lose("cache_control", "servers of this format cache by themselves")
    message: Message = {"role": "tool", "tool_call_id": writer.id(result.call_id), "content": writer.content(texts, BETWEEN) or ""}
    if result.name is not None and writer.is_native:
        message["name"] = result.name
    return message


def _assistant(turn: Turn, writer: Writer, *, is_under_way: bool) -> Message | None:
    calls = [writer.call(part) for part in turn.parts if isinstance(part, ToolCall)]
    refusals = [part.text for part in turn.parts if isinstance(part, Refused)]
    said: list[Part] = [part for part in turn.parts if not isinstance(part, ToolCall | Reasoning | Refused)]
    if refusals and not writer.is_native:
        said += [Refused(text) for text in refusals]
    # Anthropic cuts one sentence into several texts where it cites: nothing may come between them.
    content = writer.content(said, "")
    message: Message = _named({"role": "assistant", "content": content}, turn)
    message |= _reasoning([part for part in turn.parts if isinstance(part, Reasoning)], writer, is_wanted=bool(calls) and is_under_way)
    if refusals and writer.is_native:
        message["refusal"] = "".join(refusals)
    if calls:
        message["tool_calls"] = calls
    return message if len(message) > 2 or content is not None else None


def _reasoning(thoughts: Sequence[Reasoning], writer: Writer, *, is_wanted: bool) -> dict[str, Any]:
    """DeepSeek's, Kimi's and GLM's models want what they thought before a call back while its results come in; of finished turns it is of
    no use, and the first of them refused it (https://api-docs.deepseek.com/guides/thinking_mode)."""
    if not thoughts:
        return {}
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


def _results_first(turns: Iterable[Turn]) -> Iterable[Turn]:
    """System turns between a call and its results wait until the results are there."""
    open_calls: set[str] = set()
    held: list[Turn] = []
    for turn in turns:
        if turn.role is Role.SYSTEM and open_calls:
            held.append(turn)
            continue
        if turn.role is Role.ASSISTANT:
            if not open_calls:
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
