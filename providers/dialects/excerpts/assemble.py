"""Builds an `Excerpt` from a conversation. A dialect brings the messages and how to read one; the rest is the same for all of them.

The cost is bounded by where it looks: from the end back to the last human turn, from the start to the first, in between at roles only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from providers.dialects.excerpts.reading import Call, Result, Said, clip, join_edges
from providers.dialects.excerpts.scaffolding import is_observation, spoken
from routing.classify.excerpt import STEPS_KEPT, Excerpt, Step, cut

Reader = Callable[[object], Said]
"""Reads one message as the dialect has it. Must not raise."""

LOOK_BACK = 200
"""Messages looked at from the end for the last human turn. Of a turn that began before them the opening stands in."""
LOOK_AHEAD = 24
"""Messages looked at from the start for the first human turn; harnesses put fewer before it."""
STEP_MESSAGES = 2 * STEPS_KEPT + 2
"""Messages of the turn under way that are read for its steps: one makes the call, one brings the result."""

_TEXT_CALL = re.compile(r"<([a-z][a-z0-9_]{2,40})>|^```(\w{1,20})$", re.MULTILINE)


class Turn(NamedTuple):
    """A human turn: the texts of messages[start:end] that a person spoke. Neighbouring user messages are one turn."""

    start: int
    end: int
    texts: list[str]
    has_images: bool


NOBODY = Turn(0, 0, [], False)


def assemble(messages: Sequence[object], roles: Sequence[object], read: Reader, before: Excerpt) -> Excerpt:
    """`before` (what the dialect read from the body's other members) completed with what the messages say.

    `roles` are those of the messages as they stand in the body: looking at them first saves reading most of a long conversation.
    """
    turn = last_turn(messages, roles, read)
    opening = first_turn(messages, read, turn)
    if turn is NOBODY:
        turn = turn._replace(texts=opening.texts)
    said = [read(message) for message in messages[max(turn.end, len(messages) - STEP_MESSAGES) :]]
    human = join_edges(turn.texts)
    return before._replace(
        system=before.system or join_edges(system_texts(messages, read)),
        human=human,
        human_chars=sum(map(len, turn.texts)),
        said_last=cut(turn.texts[-1]) if len(turn.texts) > 1 else "",
        opening=human if opening.start == turn.start else join_edges(opening.texts),
        steps=tuple(steps(said)),
        ends_with_result=_ends_with_result(said),
        has_images=before.has_images or turn.has_images or any(one.has_images for one in said),
    )


def last_turn(messages: Sequence[object], roles: Sequence[object], read: Reader) -> Turn:
    """The last human turn, looked for from the end."""
    if len(messages) > 1 and roles[-1] in ("system", "developer") and roles[-2] == "assistant":
        # Nobody but the harness speaks behind an answer with that role, and the model is to act on it: NextChat asks for summaries so.
        return Turn(len(messages) - 1, len(messages), [text for text in read(messages[-1]).texts if text], False)
    for index in range(len(messages) - 1, max(-1, len(messages) - LOOK_BACK - 1), -1):
        if roles[index] != "user":
            continue
        texts, has_images = _human(read(messages[index]), index)
        if texts or has_images:
            return _whole_turn(messages, read, index)
    return NOBODY


def _whole_turn(messages: Sequence[object], read: Reader, last: int) -> Turn:
    """The turn that ends with the message at `last`, with the user messages right before it."""
    gathered: list[list[str]] = []
    has_images = False
    start = last
    for index in range(last, max(-1, last - LOOK_AHEAD), -1):
        said = read(messages[index])
        if said.role not in ("user", "system"):
            break
        texts, pictured = _human(said, index)
        if texts or pictured:
            gathered.append(texts)
            has_images = has_images or pictured
            start = index
        if said.results:
            break
    return Turn(start, last + 1, [text for texts in reversed(gathered) for text in texts], has_images)


def first_turn(messages: Sequence[object], read: Reader, last: Turn) -> Turn:
    """The first human turn; `last` itself when there is no other, or none in sight."""
    for index in range(min(LOOK_AHEAD, len(messages))):
        if last is not NOBODY and index >= last.start:
            return last
        texts, _ = _human(read(messages[index]), index)
        if texts:
            return Turn(index, index + 1, texts, False)
    return last


def _human(said: Said, index: int) -> tuple[list[str], bool]:
    """What a person said in this message, and did they show a picture? Nothing for observations and pure scaffolding."""
    if said.role != "user":
        return [], False
    texts = [kept for text in said.texts if (kept := spoken(text))]
    if index and texts and is_observation(texts[0]):
        return [], False
    return texts, said.has_images and not said.results


def system_texts(messages: Sequence[object], read: Reader) -> list[str]:
    """System text before the first human turn; later ones are reminders."""
    found: list[str] = []
    for message in messages[:LOOK_AHEAD]:
        said = read(message)
        if said.role == "system":
            found.extend(text for text in said.texts if text)
        elif said.role == "assistant":
            break
    return found


def steps(said: Sequence[Said]) -> list[Step]:
    """The tool calls in these messages with what came back, the newest `STEPS_KEPT`, oldest first."""
    calls: list[Call] = []
    results: dict[str, Result] = {}
    loose: list[Result] = []
    for one in said:
        calls.extend(one.calls)
        for result in one.results:
            results[result.id] = result
        if not one.calls and one.role == "assistant" and one.texts:
            calls.append(Call(f"text:{len(calls)}", _text_tool(one.texts[-1]), clip(one.texts[-1])))
        elif calls and _is_observed(one):
            loose.append(Result(calls[-1].id, clip(one.texts[0])))
    for result in loose:
        results.setdefault(result.id, result)
    return [_step(call, results.get(call.id)) for call in calls[-STEPS_KEPT:] if _is_step(call, results)]


def _is_step(call: Call, results: dict[str, Result]) -> bool:
    """Text that the assistant wrote is a call only where something came back for it."""
    return not call.id.startswith("text:") or call.id in results


def _step(call: Call, result: Result | None) -> Step:
    if result is None:
        return Step(call.tool, call.arguments, "")
    return Step(call.tool, call.arguments, result.text, result.failed)


def _text_tool(text: str) -> str:
    """The tool that an assistant names in its text: the last element or code block it opens."""
    names = [one or other for one, other in _TEXT_CALL.findall(clip(text))]
    return names[0] if names else "text"


def _ends_with_result(said: Sequence[Said]) -> bool:
    """Is the last message (reminders of the harness aside) what a tool said?"""
    for one in reversed(said):
        if one.results or _is_observed(one):
            return True
        if one.role == "assistant":
            return False
    return False


def _is_observed(said: Said) -> bool:
    """A user message behind the last human turn: what a tool said, or a reminder."""
    return said.role == "user" and bool(said.texts) and is_observation(said.texts[0])
