"""Tools and the choice among them, of a Responses request → ours. Codex's namespaces stay with the names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.conversation import Tool, ToolChoice
from providers.codecs.members import Data, array, placed, string, wrong
from providers.codecs.responses.client_tools import as_function, is_client_tool
from providers.codecs.responses.seals import OPENAI
from providers.dialects import BadRequestError

_DEFAULT_NAMESPACE = "functions"
"""Where plain functions live in OpenAI's own prompts. Codex puts some models' tools there, and takes calls without it (recorded)."""


def namespace_of(namespace: str | None) -> str | None:
    return None if namespace == _DEFAULT_NAMESPACE else namespace


def read_tools(tools: list[Any], where: str, namespace: str | None = None) -> list[Tool]:
    """Declarations as tools; those of a namespace stand beside the others."""
    found: list[Tool] = []
    index = 0
    try:
        for index, raw in enumerate(tools):  # noqa: B007 - the index is for the errors
            _read(raw, namespace, found)
    except BadRequestError as error:
        raise placed(error, f"{where}[{index}]") from None
    return found


def _read(raw: Any, namespace: str | None, found: list[Tool]) -> None:
    kind = raw.get("type") if isinstance(raw, dict) else None
    if not isinstance(kind, str):
        raise wrong("", "an object with a `type`")
    if kind in ("function", "custom"):
        found.append(_tool(raw, kind, namespace))
    elif kind == "namespace":
        found += read_tools(array(raw, "tools"), "tools", namespace_of(string(raw, "name")))
    elif is_client_tool(raw):
        found.append(as_function(raw))
    else:
        found.append(Tool(kind, kind="server", vendor=OPENAI, raw=raw))


def _tool(raw: Mapping[str, Any], kind: str, namespace: str | None) -> Tool:
    schema, strict, description = raw.get("parameters"), raw.get("strict"), raw.get("description")
    if schema is not None and not isinstance(schema, dict):
        raise wrong("parameters", "a JSON Schema")
    return Tool(
        name=string(raw, "name"),
        description=description if isinstance(description, str) else None,
        schema=schema,
        strict=strict if isinstance(strict, bool) else None,
        kind=kind,
        namespace=namespace,
        raw=raw,
    )


def read_choice(choice: object) -> ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in ("auto", "none", "required"):
            raise BadRequestError("`tool_choice` must be auto, none, required or an object", "tool_choice", "invalid_value")
        return ToolChoice(choice)
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(kind, str):
        raise wrong("tool_choice", "a string or an object with a `type`")
    if kind == "allowed_tools":
        names = [_name(tool, f"tool_choice.tools[{index}]") for index, tool in enumerate(array(choice, "tools", "tool_choice."))]
        return ToolChoice("required" if choice.get("mode") == "required" else "auto", allowed=tuple(names))
    return ToolChoice("named", _name(choice, "tool_choice"))


def _name(chosen: Data, where: str) -> str:
    """A function or custom tool by its name, one of the vendor's by its type."""
    if not isinstance(chosen, dict):
        raise wrong(where, "an object")
    name = chosen.get("name") or chosen.get("type")
    if not isinstance(name, str):
        raise wrong(where, "an object that names a tool")
    return name
