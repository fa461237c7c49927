"""Sets members deep inside a JSON text and leaves every other byte alone: comments, trailing commas and a person's own layout survive,
which parsing and writing anew would not leave.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NamedTuple

_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_ATOM = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")
STEP = "  "
"""One level of indentation, in a file that shows none of its own."""


class JsonTextError(ValueError):
    """The text is not JSON with comments; `str()` says where."""


class _Member(NamedTuple):
    key: str
    start: int
    """Of its value."""
    end: int


class _Object(NamedTuple):
    members: list[_Member]
    start: int
    """Of `{`."""
    end: int
    """Behind `}`."""
    has_trailing_comma: bool


def set_member(text: str, path: Sequence[str], value: object) -> str:
    """`text` with the member at `path` set; objects on the way to it are made where they are missing. An empty text is an empty object.

    Raises JsonTextError, also where something on the way is no object.
    """
    if not text.strip():
        text = "{}\n"
    start = _after_blank(text, 0)
    step = _step_of(text, start)
    if _after_blank(text, _end_of(text, start)) != len(text):
        raise _wrong(text, _end_of(text, start), "something follows the end")
    for depth, key in enumerate(path):
        found = _object(text, start)
        member = next((each for each in reversed(found.members) if each.key == key), None)  # of several, parsers take the last
        if member is None:
            return _with_new(text, found, key, _nested(path[depth + 1 :], value), step)
        if depth == len(path) - 1:
            return text[: member.start] + _written(value, _indent_at(text, member.start), step) + text[member.end :]
        start = member.start
    raise JsonTextError("no member was named")


def _nested(path: Sequence[str], value: object) -> object:
    for key in reversed(path):
        value = {key: value}
    return value


def _step_of(text: str, start: int) -> str:
    """The indentation of the outermost object's first member that has a line to itself."""
    members = _object(text, start).members
    return (members and _indent_at(text, members[0].start)) or STEP


def _written(value: object, indent: str, step: str) -> str:
    return json.dumps(value, indent=step, ensure_ascii=False).replace("\n", "\n" + indent)


def _with_new(text: str, found: _Object, key: str, value: object, step: str) -> str:
    if found.members:
        last = found.members[-1]
        indent = _indent_at(text, found.members[0].start)
        line = f"{json.dumps(key, ensure_ascii=False)}: {_written(value, indent, step)}"
        if "\n" not in text[found.start : last.start]:
            return f"{text[: last.end]}, {line}{text[last.end :]}"
        if found.has_trailing_comma:
            at = text.index(",", _after_blank(text, last.end)) + 1
            return f"{text[:at]}\n{indent}{line},{text[at:]}"
        return f"{text[: last.end]},\n{indent}{line}{text[last.end :]}"
    outer = _indent_at(text, found.start)
    indent = outer + step
    line = f"{json.dumps(key, ensure_ascii=False)}: {_written(value, indent, step)}"
    inside = text[found.start + 1 : found.end - 1].rstrip()  # an empty object may hold comments
    return f"{text[: found.start + 1]}{inside}\n{indent}{line}\n{outer}{text[found.end - 1 :]}"


def _indent_at(text: str, at: int) -> str:
    """The blanks that the line of `at` begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())]


def _after_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _end_of(text: str, at: int) -> int:
    """Behind the value that begins at `at`."""
    if text.startswith("{", at):
        return _object(text, at).end
    if text.startswith("[", at):
        return _end_of_array(text, at)
    if text.startswith('"', at):
        return _string(text, at)[1]
    atom = _ATOM.match(text, at)
    if atom is None:
        raise _wrong(text, at, "no JSON value")
    return atom.end()


def _string(text: str, at: int) -> tuple[str, int]:
    try:
        value, end = scanstring(text, at + 1)
    except json.JSONDecodeError as error:
        raise _wrong(text, at, error.msg) from None
    return value, end


def _object(text: str, start: int) -> _Object:
    if not text.startswith("{", start):
        raise _wrong(text, start, "an object was expected")
    members: list[_Member] = []
    at = _after_blank(text, start + 1)
    has_comma = False
    while not text.startswith("}", at):
        if not text.startswith('"', at) or (members and not has_comma):
            raise _wrong(text, at, "a member was expected")
        key, at = _string(text, at)
        at = _after_blank(text, at)
        if not text.startswith(":", at):
            raise _wrong(text, at, "a colon was expected")
        value = _after_blank(text, at + 1)
        end = _end_of(text, value)
        members.append(_Member(key, value, end))
        at, has_comma = _after_comma(text, end)
    return _Object(members, start, at + 1, has_comma)


def _end_of_array(text: str, start: int) -> int:
    at = _after_blank(text, start + 1)
    may_go_on = True
    while not text.startswith("]", at):
        if not may_go_on:
            raise _wrong(text, at, "a comma was expected")
        at, may_go_on = _after_comma(text, _end_of(text, at))
    return at + 1


def _after_comma(text: str, at: int) -> tuple[int, bool]:
    at = _after_blank(text, at)
    return (_after_blank(text, at + 1), True) if text.startswith(",", at) else (at, False)


def _wrong(text: str, at: int, what: str) -> JsonTextError:
    line = text.count("\n", 0, at) + 1
    return JsonTextError(f"line {line}, column {at - (text.rfind(chr(10), 0, at) + 1) + 1}: {what}")
