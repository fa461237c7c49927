"""What every encoder does with turns before it writes them: the APIs agree on who may speak when; clients do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from providers.codecs.conversation import Role, ToolCall, ToolResult, Turn

NO_OPENING = "(The conversation begins with the assistant's message.)"
"""What stands in front where an API wants the user first."""


def parted(turns: Sequence[Turn]) -> tuple[Sequence[Turn], Iterable[Turn]]:
    """(the system turns in front of all others, the rest). System turns between a call and its results wait until the results are there."""
    first = next((index for index, turn in enumerate(turns) if turn.role is not Role.SYSTEM), len(turns))
    rest = turns[first:]
    # Nearly every conversation has them in front only, and needs no second look.
    return turns[:first], _calls_closed(rest) if any(turn.role is Role.SYSTEM for turn in rest) else rest


def _calls_closed(turns: Iterable[Turn]) -> Iterable[Turn]:
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
