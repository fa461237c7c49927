"""A config file's text with a recipe's settings in it: one editor per format, each of which keeps the rest of the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from config.connecting.jsonc import JsonTextError, set_member
from proxy.harnesses._recipe import Format, Setting

_ENV_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=")
_DIRECTIVES = re.compile(r"(?:#:[^\n]*\n)*")
"""`#:schema …`: editors look for it in the first lines."""
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


class EditError(Exception):
    """The file is not what its name says, so nothing is changed in it. `str()` says what is wrong and where."""


def edited(text: str, settings: Iterable[Setting], format_: Format, *, with_reasons: bool = False) -> str:
    """`text` with `settings` in it; the same text where they are there already. `with_reasons`: say why in comments, where the format has
    any and the setting is new. Raises EditError."""
    return _EDITORS[format_](text, settings, with_reasons)


def _toml(text: str, settings: Iterable[Setting], with_reasons: bool) -> str:
    """What is there is changed in its place; what is new goes where it can not come between a person's lines: top-level members to the
    top, tables to the end."""
    top: list[str] = []
    tables: dict[tuple[str, ...], list[str]] = {}
    try:
        document = tomlkit.parse(text)
        for setting in settings:
            *way, last = setting.path
            table = _table_at(document, way)
            if setting.value is None:
                if table is not None and last in table:
                    del table[last]
                continue
            if table is not None and (last in table or way):
                if table.get(last) != setting.value:
                    table[last] = setting.value
                continue
            why = f"  # {setting.why}" if with_reasons and setting.why else ""
            lines = tables.setdefault(tuple(way), []) if way else top
            lines.append(f"{tomlkit.key(last).as_string()} = {tomlkit.item(setting.value).as_string()}{why}\n")
        return _joined(top, tomlkit.dumps(document), tables)
    except TOMLKitError as error:
        raise EditError(f"it is not valid TOML: {error}") from error


def _table_at(document: tomlkit.TOMLDocument, way: Sequence[str]) -> MutableMapping[str, Any] | None:
    table: MutableMapping[str, Any] = document
    for number, key in enumerate(way, 1):
        if key not in table:
            return None
        inner = table[key]
        if not isinstance(inner, MutableMapping) or isinstance(inner, InlineTable):
            raise EditError(f"`{'.'.join(way[:number])}` is not written as a table of its own")
        table = inner
    return table


def _joined(top: Sequence[str], text: str, tables: Mapping[tuple[str, ...], Sequence[str]]) -> str:
    directives = _DIRECTIVES.match(text)
    at = directives.end() if directives else 0
    if tables and text and not text.endswith("\n"):
        text += "\n"
    parts = [text[:at], *top, "\n" if top and text[at:].strip() else "", text[at:]]
    for path, lines in tables.items():
        name = ".".join(tomlkit.key(key).as_string() for key in path)
        parts += ["\n" if "".join(parts).strip() else "", f"[{name}]\n", *lines]
    return "".join(parts)


def _json(text: str, settings: Iterable[Setting], with_reasons: bool) -> str:
    del with_reasons  # programs that read a settings.json do not all take comments
    try:
        for setting in settings:
            text = _set_in_json(text, setting.path, setting.value)
    except JsonTextError as error:
        raise EditError(f"it is not valid JSON: {error}") from error
    return text


def _set_in_json(text: str, path: tuple[str, ...], value: object) -> str:
    """A mapping is merged into what is there: a person's own members beside ours stay."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            text = _set_in_json(text, (*path, key), inner)
        return text
    return set_member(text, path, value)


def _env(text: str, settings: Iterable[Setting], with_reasons: bool) -> str:
    lines = text.splitlines(keepends=True)
    for setting in settings:
        name = setting.path[0]
        line = f"{name}={quoted(str(setting.value))}\n"
        places = [number for number, old in enumerate(lines) if (found := _ENV_LINE.match(old)) and found[1] == name]
        if places:
            lines[places[-1]] = line  # of several, the last one counts
            continue
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines += [f"# {setting.why}\n", line] if with_reasons and setting.why else [line]
    return "".join(lines)


def quoted(value: str) -> str:
    """As a shell and every reader of `.env` files takes it."""
    return value if value and _PLAIN.fullmatch(value) else "'" + value.replace("'", "'\\''") + "'"


_EDITORS: Mapping[Format, Callable[[str, Iterable[Setting], bool], str]] = {Format.TOML: _toml, Format.JSON: _json, Format.ENV: _env}
