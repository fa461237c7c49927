"""Tools of a chat request and the choice among them; `functions` is what they were called before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs.chat.reasoning import OPENAI
from providers.codecs.conversation import Tool, ToolChoice
from providers.dialects import BadRequestError

_MODES = ("auto", "none", "required")


def read_tools(data: Mapping[str, Any]) -> tuple[Tool, ...]:
    legacy = data.get("functions")
    tools = data.get("tools")
    if tools is None and isinstance(legacy, list):
        tools = [{"type": "function", "function": function} for function in legacy]
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise BadRequestError("`tools` must be an array of tools", "tools", "invalid_type")
    return tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools))


def _tool(tool: object, where: str) -> Tool:
    if not isinstance(tool, dict):
        raise BadRequestError(f"`{where}` must be an object", where, "invalid_type")
    kind = tool.get("type", "function")
    if kind == "custom":
        return _custom(tool, where)
    if kind != "function":
        return Tool(str(kind), kind="server", vendor=OPENAI, raw=tool)
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    schema = function.get("parameters") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not (schema is None or isinstance(schema, dict)):
        raise BadRequestError(f"`{where}.function` must have a name, and parameters that are a JSON Schema", f"{where}.function")
    cache = tool.get("cache_control") or function.get("cache_control")
    return Tool(name, function.get("description"), schema, function.get("strict"), raw=tool, cache=cache)


def _custom(tool: Mapping[str, Any], where: str) -> Tool:
    """`raw` is the declaration as the Responses format has it: flat, which is how all encoders know it."""
    custom = tool.get("custom")
    name = custom.get("name") if isinstance(custom, dict) else None
    if not isinstance(custom, dict) or not isinstance(name, str):
        raise BadRequestError(f"`{where}.custom` must have a name", f"{where}.custom", "missing_required_parameter")
    raw: dict[str, Any] = {"type": "custom", **custom}
    format_ = custom.get("format")
    if isinstance(format_, dict) and isinstance(format_.get("grammar"), dict):
        raw["format"] = {"type": "grammar", **format_["grammar"]}
    return Tool(name, custom.get("description"), kind="custom", raw=raw)


def read_choice(data: Mapping[str, Any]) -> ToolChoice | None:
    choice = data.get("tool_choice")
    if choice is None:
        choice = data.get("function_call")
    if choice is None:
        return None
    if choice in _MODES:
        return ToolChoice(choice)
    if isinstance(choice, dict):
        if choice.get("type") == "allowed_tools":
            return _allowed(choice)
        named = choice.get("function") or choice.get("custom") or choice
        if isinstance(named, dict) and isinstance(named.get("name"), str):
            return ToolChoice("named", named["name"])
    raise BadRequestError("`tool_choice` must be auto, none, required or name a function", "tool_choice", "invalid_value")


def _allowed(choice: Mapping[str, Any]) -> ToolChoice:
    allowed = choice.get("allowed_tools")
    tools = allowed.get("tools") if isinstance(allowed, dict) else None
    if not isinstance(allowed, dict) or not isinstance(tools, list):
        raise BadRequestError("`tool_choice.allowed_tools` must list tools", "tool_choice.allowed_tools", "invalid_type")
    names = [named.get("name") for tool in tools if isinstance(tool, dict) and isinstance(named := tool.get(str(tool.get("type"))), dict)]
    mode = allowed.get("mode")
    return ToolChoice(mode if mode in _MODES else "auto", None, tuple(name for name in names if isinstance(name, str)))
