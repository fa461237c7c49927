"""Golden files: what came out once, read and found right by a person, and compared ever after.

`GOLDEN=write` in the environment of a test run writes them anew; the diff is then for a person to read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

from tests.streams import RECORDINGS

LINE_CHARS = 120


def check(path: str, text: str) -> None:
    """`text` is what `recordings/PATH` holds."""
    file = RECORDINGS / path
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text(), f"{path} differs; read the difference, then GOLDEN=write if it is right"


def as_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"


def as_short_json(value: Any, indent: str = "") -> str:
    """JSON for a reader: what fits on a line stands on one."""
    line = orjson.dumps(value).decode()
    if len(indent) + len(line) <= LINE_CHARS or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + "  "
    if isinstance(value, list):
        return f"[\n{inner}" + f",\n{inner}".join(as_short_json(item, inner) for item in value) + f"\n{indent}]"
    members = (f"{orjson.dumps(key).decode()}: {as_short_json(item, inner)}" for key, item in value.items())
    return f"{{\n{inner}" + f",\n{inner}".join(members) + f"\n{indent}}}"


def as_lines(values: Iterable[Any]) -> str:
    """One value per line, without the members that say nothing."""
    return "".join(f"{told(value)}\n" for value in values)


def told(value: Any) -> str:
    """A NamedTuple or dataclass as its call, members that are at their default left out."""
    names: Iterable[str]
    if hasattr(value, "_fields"):
        names, defaults = value._fields, value._field_defaults
    elif is_dataclass(value):
        names, defaults = tuple(field.name for field in fields(value)), {field.name: field.default for field in fields(value)}
    else:
        return str(value) if isinstance(value, tuple) and not value else repr(value)
    shown = [f"{name}={_inner(member)}" for name in names if (member := getattr(value, name)) != defaults.get(name, ...)]
    return f"{type(value).__name__}({', '.join(shown)})"


def _inner(value: Any) -> str:
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return f"[{', '.join(map(told, value))}]"
    return told(value) if hasattr(value, "_fields") or is_dataclass(value) else (str(value) if hasattr(value, "value") else repr(value))
