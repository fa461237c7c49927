"""Tools and the choice among them, for an upstream that speaks chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.chat.reasoning import OPENAI
from providers.codecs.chat.writer import Writer
from providers.codecs.conversation import Conversation, Tool, ToolChoice
from providers.codecs.custom_input import free_text_schema
from providers.codecs.tool_names import flat_name

_ANYTHING: Mapping[str, Any] = {"type": "object", "properties": {}}


def tool_members(conversation: Conversation, writer: Writer) -> dict[str, Any]:
    """`tools`, `tool_choice` and `parallel_tool_calls`, as far as they are needed."""
    choice = conversation.tool_choice
    allowed = choice.allowed if choice is not None and not writer.is_native else ()
    tools = [written for tool in conversation.tools if _is_allowed(tool, allowed) and (written := _tool(tool, writer)) is not None]
    if not tools:
        return {}
    members: dict[str, Any] = {"tools": tools}
    if choice is not None:
        members["tool_choice"] = _choice(choice, conversation, writer)
    if conversation.parallel_tool_calls is not None:
        members["parallel_tool_calls"] = conversation.parallel_tool_calls
    return members


def _is_allowed(tool: Tool, allowed: tuple[str, ...]) -> bool:
    """Only OpenAI's own servers can be told "only these of them": elsewhere only these are sent."""
    return not allowed or tool.name in allowed


def _tool(tool: Tool, writer: Writer) -> dict[str, Any] | None:
    if tool.kind == "server":
        if writer.is_native and tool.vendor == OPENAI and tool.raw is not None:
            return dict(tool.raw)
        writer.lose(f"tools[] {tool.name}", f"only {tool.vendor or 'its own vendor'} runs it")
        return None
    if tool.kind == "custom" and writer.is_native:
        return _custom(tool)
    function: dict[str, Any] = {"name": flat_name(tool.name, tool.namespace)}
    if tool.description:
        function["description"] = tool.description
    if tool.kind == "custom":
        function["parameters"] = {**free_text_schema(tool), "additionalProperties": False}
    elif tool.schema is not None or not writer.is_native:
        function["parameters"] = tool.schema or _ANYTHING
    if tool.strict is not None:
        function["strict"] = tool.strict
    written: dict[str, Any] = {"type": "function", "function": function}
    if tool.cache is not None:
        if writer.is_native:
            written["cache_control"] = tool.cache
        else:
            writer.lose("cache_control", "servers of this format cache by themselves")
    return written


def _custom(tool: Tool) -> dict[str, Any]:
    custom: dict[str, Any] = {"name": tool.name}
    if tool.description:
        custom["description"] = tool.description
    told = (tool.raw or {}).get("format")
    if isinstance(told, Mapping):
        grammar = {key: value for key, value in told.items() if key != "type"}
        custom["format"] = {"type": "grammar", "grammar": grammar} if told.get("type") == "grammar" else dict(told)
    return {"type": "custom", "custom": custom}


def _choice(choice: ToolChoice, conversation: Conversation, writer: Writer) -> str | dict[str, Any]:
    if choice.mode == "named":
        named = next((tool for tool in conversation.tools if tool.name == choice.name), None)
        kind = "custom" if named is not None and named.kind == "custom" and writer.is_native else "function"
        return {"type": kind, kind: {"name": flat_name(choice.name or "", named.namespace if named else None)}}
    if choice.allowed and writer.is_native:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.allowed]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
    return choice.mode
