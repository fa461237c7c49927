"""A tool that takes free text, where an upstream knows only functions: the text comes as `{"input": "…"}`, and is unwrapped on its way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from providers.codecs.conversation import Tool

CUSTOM_INPUT = "input"
"""The one member of a custom tool's arguments where a format knows only functions."""

_OPENING = re.compile(rf'\s*\{{\s*"{CUSTOM_INPUT}"\s*:\s*"')
_ESCAPE = r"\\(?:[^u]|u(?![dD][89abAB])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4})"
_PLAIN = re.compile(rf'[^"\\]*(?:{_ESCAPE}[^"\\]*)*', re.DOTALL)
"""As much of a JSON string's inside as is whole: no half of an escape, nor of a pair of surrogates. Not with possessive groups: Python
3.11.2 goes back wrongly behind them. Nothing follows that could fail, so nothing is tried twice."""
_CLOSING = re.compile(r'"\s*\}?\s*\Z')
_CONTROLS = {code: f"\\u{code:04x}" for code in range(32)}
"""Models write line breaks into strings as they are, which JSON forbids and everybody understands."""
_NO_ESCAPE = re.compile(r'\\(?!["\\/bfnrtu])')


def free_text_schema(tool: Tool) -> dict[str, Any]:
    """What a tool that takes free text declares as a function: one string. A grammar can only be told."""
    told = (tool.raw or {}).get("format")
    grammar = told.get("definition") if isinstance(told, Mapping) else None
    text = {"type": "string", "description": f"Must match this grammar:\n{grammar}"} if isinstance(grammar, str) else {"type": "string"}
    return {"type": "object", "properties": {CUSTOM_INPUT: text}, "required": [CUSTOM_INPUT]}


class Unwrapper:
    """Feeds on pieces of the arguments and gives the text. What is not wrapped as agreed is handed over at the end, as it was written."""

    __slots__ = ("_held", "_is_inside", "_is_over")

    def __init__(self) -> None:
        self._held = ""
        self._is_inside = self._is_over = False

    def feed(self, piece: str) -> str:
        if self._is_over:
            return ""
        self._held += piece
        if not self._is_inside:
            opening = _OPENING.match(self._held)
            if opening is None:
                return ""
            self._is_inside, self._held = True, self._held[opening.end() :]
        whole = _PLAIN.match(self._held)
        end = whole.end() if whole is not None else 0
        said, self._held = self._held[:end], self._held[end:]
        self._is_over = self._held.startswith('"')
        return _unescaped(said)

    def finish(self) -> str:
        """What is left: nothing after a proper ending."""
        if self._is_over:
            return ""
        self._is_over = True
        return _unescaped(_CLOSING.sub("", self._held)) if self._is_inside else unwrapped(self._held)


def unwrapped(arguments: str) -> str:
    """The text in whole arguments."""
    try:
        data = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    if isinstance(data, dict) and (len(data) == 1 or CUSTOM_INPUT in data):
        value = data.get(CUSTOM_INPUT, next(iter(data.values())))
        if isinstance(value, str):
            return value
    return arguments


def _unescaped(said: str) -> str:
    if "\\" not in said:
        return said
    try:
        text = orjson.loads('"' + _doubled(said).translate(_CONTROLS) + '"')
    except orjson.JSONDecodeError:  # half a pair of surrogates
        return said
    assert isinstance(text, str)
    return text


def _doubled(said: str) -> str:
    """Models forget to escape the backslashes of a pattern (`\\d`): one before a letter that it cannot escape is itself."""
    pieces = said.split("\\\\")
    return "\\\\".join(_NO_ESCAPE.sub(r"\\\\", piece) for piece in pieces)
