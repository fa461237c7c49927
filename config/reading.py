"""Reads a raw document leniently: what is not there, or of the wrong type, is empty. The settings complain about it, not the reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from config.document import Document
from config.problems import Path, Problem


def shown(document: Document, path: Path, value: str) -> str:
    """`value` as the file has it: what a variable brought in stays hidden behind the variable's name."""
    return document.written.get(path, value)


def items(data: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(index, item) of those items of a list that are mappings."""
    return ((index, item) for index, item in enumerate(listed(data, key)) if isinstance(item, dict))


def listed(data: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else ()


def mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def client_keys(server: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    """(index, key, name) of each client key that has text."""
    found = []
    for index, item in enumerate(listed(server, "api_keys")):
        secret, name = (item.get("key"), item.get("name")) if isinstance(item, dict) else (item, f"key-{index + 1}")
        if isinstance(secret, str) and isinstance(name, str) and secret:
            found.append((index, secret, name))
    return found


def repeated(document: Document, section: Path, key: str, same: Callable[[str], str]) -> Iterator[Problem]:
    """The items of the list at `section` whose `key` an earlier one has already; `same` maps equal values to one."""
    holder: Any = document.data
    for part in section[:-1]:
        holder = holder[part]
    first_of: dict[str, Path] = {}
    for index, item in items(holder, str(section[-1])):
        value = text(item, key)
        path = (*section, index, key)
        first = first_of.setdefault(same(value), path)
        if value and first != path:
            message = f"duplicate {key} `{shown(document, path, value)}`: line {document.place(first)[0]} has it already"
            yield document.problem(path, message, "remove or rename one of the two")


def declared_names(document: Document) -> Iterator[str]:
    """Every name that this file gives to a model or a replica."""
    for _, model in items(document.data, "models"):
        yield text(model, "id")
    for _, provider in items(document.data, "providers"):
        for _, model in items(provider, "models"):
            upstream = text(model, "upstream")
            yield text(model, "model") or upstream
            yield f"{text(provider, 'id')}/{upstream}"
