"""Tools and the choice among them, for an upstream that speaks Anthropic's format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.conversation import Conversation, Tool, ToolCall
from providers.codecs.custom_input import free_text_schema
from providers.codecs.messages.blocks_out import BlockWriter
from providers.codecs.messages.seals import ANTHROPIC
from providers.codecs.tool_names import flat_name

_CHOICES: Mapping[str, str] = {"auto": "auto", "required": "any", "none": "none"}
_ANYTHING: Mapping[str, Any] = {"type": "object", "properties": {}}


def tool_members(conversation: Conversation, writer: BlockWriter) -> dict[str, Any]:
    """`tools` and `tool_choice`, as far as they are needed."""
    tools = [written for tool in _allowed(conversation) if (written := _tool(tool, writer)) is not None]
    if not tools:
        return _made_before(conversation)
    choice = _choice(conversation)
    return {"tools": tools} if choice is None else {"tools": tools, "tool_choice": choice}


def _allowed(conversation: Conversation) -> list[Tool]:
    """The format cannot say "only these of them": so only these are sent."""
    allowed = conversation.tool_choice.allowed if conversation.tool_choice else ()
    return [tool for tool in conversation.tools if not allowed or tool.name in allowed]


def _tool(tool: Tool, writer: BlockWriter) -> dict[str, Any] | None:
    if tool.kind == "server":
        if tool.vendor == ANTHROPIC and tool.raw is not None:
            return dict(tool.raw)
        writer.lose(f"tools[] {tool.name}", f"only {tool.vendor or 'its own vendor'} runs it")
        return None
    written: dict[str, Any] = {"name": flat_name(tool.name, tool.namespace)}
    if tool.description:
        written["description"] = tool.description
    if tool.kind == "custom":
        written["input_schema"] = free_text_schema(tool)
    else:
        written["input_schema"] = _schema(tool.schema)
        if tool.strict is True:
            written["strict"] = True
    if tool.cache is not None:
        written["cache_control"] = tool.cache
    return written


def _schema(schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The API demands an object at the top, and says so in `type`."""
    if not schema:
        return _ANYTHING
    return schema if "type" in schema else {"type": "object", **schema}


def _choice(conversation: Conversation) -> dict[str, Any] | None:
    choice = conversation.tool_choice
    is_single = conversation.parallel_tool_calls is False
    if choice is None and not is_single:
        return None
    mode = choice.mode if choice is not None else "auto"
    if choice is not None and mode == "named":
        named = next((tool for tool in conversation.tools if tool.name == choice.name), None)
        written = {"type": "tool", "name": flat_name(choice.name or "", named.namespace if named else None)}
    else:
        written = {"type": _CHOICES.get(mode, "auto")}
    return {**written, "disable_parallel_tool_use": True} if is_single and mode != "none" else written


def _made_before(conversation: Conversation) -> dict[str, Any]:
    """Calls in the conversation are refused unless their tools are declared, even for a request that may make none (a summary)."""
    names = {flat_name(part.name, part.namespace): None for turn in conversation.turns for part in turn.parts if isinstance(part, ToolCall)}
    if not names:
        return {}
    return {"tools": [{"name": name, "input_schema": _ANYTHING} for name in names], "tool_choice": {"type": "none"}}
