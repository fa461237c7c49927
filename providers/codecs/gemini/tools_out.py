"""Tools and the choice among them, for an upstream that speaks Google's format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from providers.codecs.conversation import Conversation, Tool, ToolChoice
from providers.codecs.custom_input import free_text_schema
from providers.codecs.gemini.parts_out import PartWriter
from providers.codecs.gemini.schemas import refs_alone
from providers.codecs.gemini.seals import GEMINI
from providers.codecs.tool_names import flat_name

_MODES: Mapping[str, str] = {"auto": "AUTO", "required": "ANY", "named": "ANY", "none": "NONE"}


def tool_members(conversation: Conversation, writer: PartWriter) -> dict[str, Any]:
    """`tools` and `toolConfig`, as far as they are needed."""
    choice = conversation.tool_choice
    functions: list[dict[str, Any]] = []
    tools: list[dict[str, Any]] = []
    for tool in conversation.tools:
        if tool.kind != "server":
            functions.append(_function(tool))
        elif tool.vendor == GEMINI and tool.raw is not None:
            tools.append(dict(tool.raw))
        else:
            writer.lose(f"tools[] {tool.name}", f"only {tool.vendor or 'its own vendor'} runs it")
    if functions and choice is not None and choice.mode == "auto" and choice.allowed:
        # AUTO takes no names of its own, so only those functions are sent.
        names = _flat_names(conversation, choice.allowed)
        functions = [function for function in functions if function["name"] in names]
    if functions:
        tools.insert(0, {"functionDeclarations": functions})
    if conversation.parallel_tool_calls is False and functions:
        writer.lose("parallel_tool_calls", "Google's models cannot be told to make one call at a time")
    if any(tool.strict for tool in conversation.tools if tool.kind == "function"):
        writer.lose("tools[].strict", "Google has no such member; its models follow a schema as far as they can")
    if not tools:
        return {}
    return {"tools": tools, **(_tool_config(conversation, choice) if choice is not None and functions else {})}


def _function(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": flat_name(tool.name, tool.namespace)}
    if tool.description:
        written["description"] = tool.description
    if tool.kind == "custom":
        written["parametersJsonSchema"] = free_text_schema(tool)
    elif tool.schema:
        written["parametersJsonSchema"] = checked(tool.schema)
    return written


def checked(schema: Mapping[str, Any]) -> Any:
    """A schema as the API takes it. Most hold no reference, and the one search is cheaper than the walk."""
    return refs_alone(schema) if b'"$ref"' in orjson.dumps(schema) else schema


def _tool_config(conversation: Conversation, choice: ToolChoice) -> dict[str, Any]:
    calling: dict[str, Any] = {"mode": _MODES.get(choice.mode, "AUTO")}
    if choice.mode == "named" and choice.name is not None:
        calling["allowedFunctionNames"] = _flat_names(conversation, (choice.name,))
    elif choice.mode == "required" and choice.allowed:
        calling["allowedFunctionNames"] = _flat_names(conversation, choice.allowed)
    return {"toolConfig": {"functionCallingConfig": calling}}


def _flat_names(conversation: Conversation, names: tuple[str, ...]) -> list[str]:
    spaces = {tool.name: tool.namespace for tool in conversation.tools}
    return [flat_name(name, spaces.get(name)) for name in names]
