"""Tools and the choice among them, for an upstream that speaks Responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.conversation import Conversation, Tool, ToolChoice
from providers.codecs.responses.client_tools import is_client_tool
from providers.codecs.responses.parts_out import PartWriter
from providers.codecs.responses.seals import OPENAI

_ANYTHING: Mapping[str, Any] = {"type": "object", "properties": {}}


def tool_members(conversation: Conversation, writer: PartWriter) -> dict[str, Any]:
    """`tools`, `tool_choice` and `parallel_tool_calls`, as far as they are needed."""
    members: dict[str, Any] = {}
    tools = write_tools(conversation.tools, writer)
    if not tools:
        return members
    members["tools"] = tools
    choice = conversation.tool_choice
    if choice is not None:
        members["tool_choice"] = _choice(choice, {tool.name: tool for tool in conversation.tools})
    if conversation.parallel_tool_calls is not None:
        members["parallel_tool_calls"] = conversation.parallel_tool_calls
    return members


def write_tools(tools: tuple[Tool, ...], writer: PartWriter) -> list[dict[str, Any]]:
    """The declarations; neighbours of one namespace stand in it together."""
    found: list[dict[str, Any]] = []
    for tool in tools:
        written = _tool(tool, writer)
        if written is None:
            continue
        if tool.namespace is None:
            found.append(written)
        elif found and found[-1]["type"] == "namespace" and found[-1]["name"] == tool.namespace:
            found[-1]["tools"].append(written)
        else:
            found.append({"type": "namespace", "name": tool.namespace, "description": "", "tools": [written]})
    return found


def _tool(tool: Tool, writer: PartWriter) -> dict[str, Any] | None:
    if tool.raw is not None and (is_client_tool(tool.raw) or (tool.kind == "server" and tool.vendor == OPENAI)):
        return dict(tool.raw)
    if tool.kind == "server":
        writer.lose(f"tools[] {tool.name}", f"only {tool.vendor or 'its own vendor'} runs it")
        return None
    written: dict[str, Any] = {"type": tool.kind, "name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    if tool.kind == "custom":
        accepted = _custom_format(tool.raw or {})
        return written | {"format": accepted} if accepted is not None else written
    written["parameters"] = tool.schema or _ANYTHING
    if tool.strict is not None or not writer.is_native:
        # Unsaid means strict to this API, and not strict to every other: what the client meant is said.
        written["strict"] = tool.strict is True
    return written


def _custom_format(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a custom tool takes. Chat's declaration stands one level deeper, and its grammar one more."""
    inner = raw.get("custom")
    accepted = (inner if isinstance(inner, Mapping) else raw).get("format")
    if not isinstance(accepted, Mapping):
        return None
    grammar = accepted.get("grammar")
    return {"type": "grammar", **grammar} if isinstance(grammar, Mapping) else dict(accepted)


def _choice(choice: ToolChoice, tools: Mapping[str, Tool]) -> Any:
    if choice.mode == "named":
        return _named(choice.name or "", tools)
    if choice.allowed:
        mode = "required" if choice.mode == "required" else "auto"
        return {"type": "allowed_tools", "mode": mode, "tools": [_named(name, tools) for name in choice.allowed]}
    return choice.mode


def _named(name: str, tools: Mapping[str, Tool]) -> dict[str, str]:
    tool = tools.get(name)
    if tool is not None and (tool.kind == "server" or (tool.raw is not None and is_client_tool(tool.raw))):
        return {"type": name}
    return {"type": tool.kind if tool is not None else "function", "name": name}
