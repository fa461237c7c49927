"""What a dialect's reader hands over of one message, and how text is cut to size on the way. Everything is bounded by where it looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from routing.classify.excerpt import HEAD_CHARS, TAIL_CHARS, cut

STEP_HEAD_CHARS = 500
STEP_TAIL_CHARS = 300
"""Of a tool call or its result. The verdict of a test run stands at its end, an exit code at either."""
ARGUMENTS_READ = 8
"""Members of a call's arguments that are looked at: no tool that we know has more that tell anything."""


class Call(NamedTuple):
    """A tool call as the assistant made it."""

    id: str
    tool: str
    arguments: str


class Result(NamedTuple):
    """What came back for the call `id`. `failed` only where the wire format itself says so."""

    id: str
    text: str
    failed: bool = False


class Said(NamedTuple):
    """One message of any dialect. `role` is `system`, `user`, `assistant` or `tool`; anything else is no part of the conversation."""

    role: str
    texts: Sequence[str] = ()
    calls: Sequence[Call] = ()
    results: Sequence[Result] = ()
    has_images: bool = False


def clip(text: str) -> str:
    """`text` of a step, or its edges and how much lies between: long calls that differ in the middle seldom do so at equal length."""
    omitted = len(text) - STEP_HEAD_CHARS - STEP_TAIL_CHARS
    if omitted <= 0:
        return text
    return f"{text[:STEP_HEAD_CHARS]}\n…{omitted}…\n{text[-STEP_TAIL_CHARS:]}"


def join_edges(texts: Sequence[str]) -> str:
    """The texts as lines, cut like `routing.classify.excerpt.cut`; only as many are joined as the edges need."""
    if len(texts) == 1:
        return cut(texts[0])
    if sum(map(len, texts)) <= HEAD_CHARS + TAIL_CHARS:
        return "\n".join(texts)
    head: list[str] = []
    room = HEAD_CHARS
    for text in texts:
        head.append(text[:room])
        room -= len(text)
        if room <= 0:
            break
    tail: list[str] = []
    room = TAIL_CHARS
    for text in reversed(texts):
        tail.append(text[-room:])
        room -= len(text)
        if room <= 0:
            break
    return "\n".join((*head, "…", *reversed(tail)))


def arguments_text(arguments: object) -> str:
    """A call's arguments as text, cut to size: JSON text as it stands, an object as `name=value` lines."""
    if isinstance(arguments, str):
        return clip(arguments)
    if isinstance(arguments, dict):
        lines = []
        for name, value in arguments.items():
            lines.append(f"{name}={clip(value) if isinstance(value, str) else _scalar(value)}")
            if len(lines) == ARGUMENTS_READ:
                break
        return "\n".join(lines)
    return ""


def _scalar(value: object) -> str:
    """Numbers and booleans as they are; of a container only its size, for printing it could cost anything."""
    if isinstance(value, dict | list):
        return f"{type(value).__name__} of {len(value)}"
    return str(value)


def string(value: object) -> str:
    """`value` where it is a string, else nothing."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """`value` where it is a whole number of something, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
