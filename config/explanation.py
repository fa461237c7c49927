"""A validation error in plain words: what pydantic found, told in the terms of the file, with the nearest valid name.

Rule: a value is repeated only where names are compared (a kind, a tier, an objective), and then as it stands in the file:
`${NAME}` stays `${NAME}`. All other messages do without the value.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.document import Document
from config.problems import Path, Problem, did_you_mean, dotted, nearest
from config.settings import Settings

_WORDS: Mapping[str, str] = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a finite number",
    "bool": "must be true or false",
    "string": "must be text",
    "tuple": "must be a list: `[a, b]`, or one `- item` per line",
    "mapping": "must be a mapping: `{key: value}`, or one `key: value` per line",
    "dict": "must be a mapping: `{key: value}`, or one `key: value` per line",
    "model": "must be a mapping: `{key: value}`, or one `key: value` per line",
}
"""First word of pydantic's error type (`int_parsing`, `int_from_float`, `int_type` …) → what to say."""

_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("must be greater than {}", "gt"),
    "greater_than_equal": ("must be at least {}", "ge"),
    "less_than": ("must be less than {}", "lt"),
    "less_than_equal": ("must be at most {}", "le"),
    "string_too_short": ("must not be empty", "min_length"),
    "string_too_long": ("must have at most {} characters", "max_length"),
    "string_pattern_mismatch": ("must match {}", "pattern"),
}
"""pydantic's error type → (what to say, where its context has the figure)."""

_QUOTED = re.compile(r"'([^']*)'")
"""pydantic lists the members of an enumeration as text: `'auto', 'cost_speed' or 'quality'`."""


def explain(document: Document, error: ErrorDetails) -> Problem:
    """One of pydantic's errors about `document`, for a person."""
    path: Path = tuple(error["loc"])
    context: Mapping[str, Any] = error.get("ctx", {})
    kind = error["type"]
    if path[-1:] == ("[key]",):
        key = str(path[-2])
        return _unlisted(document, path[:-1], key, key, _members(context))
    if kind == "extra_forbidden":
        return _unknown_key(document, path)
    if kind == "missing":
        message = "is empty, but required" if path in document.places else "is required"
        return replace(document.problem(path, message), key=dotted(path))
    if kind in ("enum", "literal_error", "not_allowed"):
        written, actual = _as_written(document, path), _value_at(document.data, path)
        return _unlisted(document, path, written, actual if isinstance(actual, str) else written, _members(context))
    return document.problem(_existing(document, path), _words(kind, context) or error["msg"].lower())


def _members(context: Mapping[str, Any]) -> list[str]:
    return list(context["allowed"]) if "allowed" in context else _QUOTED.findall(context.get("expected", ""))


def _words(kind: str, context: Mapping[str, Any]) -> str | None:
    """A message that needs nothing but the error itself; None for a type of error that has no words here."""
    if kind == "refused":
        return str(context["words"])
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        figure = context.get(name, "")
        return words.format(f"{figure:g}" if isinstance(figure, float) else figure)
    return _WORDS.get(kind.partition("_")[0])


def vocabulary() -> set[str]:
    """Every word of the config's own language: keys of all sections and the members of the enumerations."""
    words = {"true", "false", "null"}
    for section in sections(Settings):
        words |= set(section.model_fields)
        for field in section.model_fields.values():
            words |= {str(value) for value in _leaves(field.annotation) if isinstance(value, str)}
    return words


def _unknown_key(document: Document, path: Path) -> Problem:
    name = str(path[-1])
    allowed = list(_section_at(path[:-1]).model_fields)
    hint = did_you_mean(name, allowed)
    if not hint:
        elsewhere = [f"{key}.{inner}" for key in Settings.model_fields for inner in _section_at((key,)).model_fields]
        homes = [place for place in elsewhere if nearest(name, [place.partition(".")[2]])]
        hint = f"did you mean `{homes[0]}`?" if homes else ""
    return document.problem(path, f"unknown key `{name}`", f"{hint} (allowed here: {', '.join(allowed)})".strip())


def _unlisted(document: Document, path: Path, shown: str, actual: str, allowed: list[str]) -> Problem:
    """`shown` is what the file has; a value that came out of a variable is compared, but not shown."""
    hint = did_you_mean(actual, allowed)
    return document.problem(path, f"`{shown}` is not allowed", f"{hint} (allowed: {', '.join(allowed)})".strip())


def _as_written(document: Document, path: Path) -> str:
    value = _value_at(document.data, path)
    return document.written.get(path, value if isinstance(value, str) else f"a {'list' if isinstance(value, list) else 'mapping'}")


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _existing(document: Document, path: Path) -> Path:
    """Without what the validators added: a bare client key is `api_keys[0]` in the file and `api_keys[0].key` in the settings."""
    while path and path not in document.places:
        path = path[:-1]
    return path


def _section_at(path: Path) -> type[BaseModel]:
    """The model whose fields are the keys allowed at `path`. Keys of free mappings and list indices do not change the section."""
    section: type[BaseModel] = Settings
    for part in path:
        field = section.model_fields.get(part) if isinstance(part, str) else None
        inner = next((leaf for leaf in _leaves(field.annotation) if _is_section(leaf)), None) if field else None
        section = inner or section
    return section


def sections(section: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield section
    for field in section.model_fields.values():
        for leaf in _leaves(field.annotation):
            if _is_section(leaf):
                yield from sections(leaf)


def _leaves(annotation: Any) -> Iterator[Any]:
    """What is left of a type once unions, lists, mappings and literals are opened; members of an enumeration by value."""
    args = get_args(annotation)
    for arg in args:
        yield from _leaves(arg)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield from (member.value for member in annotation)
    elif not args:
        yield annotation


def _is_section(leaf: Any) -> bool:
    return isinstance(leaf, type) and issubclass(leaf, BaseModel)
