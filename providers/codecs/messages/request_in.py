"""A client's Messages request → Conversation. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs import members
from providers.codecs.conversation import PLAIN_TEXT, Conversation, Loss, OutputFormat, Role, Thinking, Tool, ToolChoice, Turn
from providers.codecs.messages.blocks_in import Lost, read_content
from providers.codecs.messages.seals import ANTHROPIC
from providers.dialects import BadRequestError

_ROLES: Mapping[str, Role] = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_TOOL_MEMBERS = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_CHOICES: Mapping[str, str] = {"auto": "auto", "any": "required", "tool": "named", "none": "none"}
_TIERS: Mapping[str, str] = {"auto": "auto", "standard_only": "default"}
"""Anthropic's `standard_only` is what OpenAI calls `default`: no capacity that costs extra."""
_READ = frozenset({
    "model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream", "tools", "tool_choice",
    "thinking", "output_config", "output_format", "metadata", "service_tier",
})  # fmt: skip
_SHOWN: Mapping[str, bool] = {"summarized": True, "updates": True, "omitted": False}


def parse(data: Mapping[str, Any]) -> Conversation:
    """The body as a conversation. Raises BadRequestError naming the member that is wrong."""
    lost: Lost = {}
    choice = members.obj(data, "tool_choice")
    metadata = members.obj(data, "metadata") or {}
    user = metadata.get("user_id")
    conversation = Conversation(
        turns=[*_system(data, lost), *_turns(data, lost)],
        tools=_tools(data, lost),
        tool_choice=None if choice is None else _tool_choice(choice),
        parallel_tool_calls=False if choice and choice.get("disable_parallel_tool_use") is True else None,
        output=_output(data),
        thinking=_thinking(data),
        max_tokens=members.whole(data, "max_tokens"),
        temperature=members.number(data, "temperature"),
        top_p=members.number(data, "top_p"),
        top_k=members.whole(data, "top_k"),
        stop=_stop(data),
        stream=data.get("stream") is True,
        wants_usage=True,
        user=user if isinstance(user, str) else None,
        metadata={key: value for key, value in metadata.items() if key != "user_id"} or None,
        service_tier=_service_tier(data),
        dialect="messages",
        more={key: data[key] for key in data if key not in _READ and data[key] is not None},
    )
    conversation.losses = [Loss(what, why) for what, why in lost.items()]
    return conversation


def _system(data: Mapping[str, Any], lost: Lost) -> list[Turn]:
    system = data.get("system")
    parts = read_content(system, "system", lost) if system is not None else ()
    return [Turn(Role.SYSTEM, parts)] if parts else []


def _turns(data: Mapping[str, Any], lost: Lost) -> list[Turn]:
    messages = data.get("messages")
    if not isinstance(messages, list):
        raise BadRequestError("`messages` must be an array of messages", "messages", "invalid_type")
    turns = []
    for index, message in enumerate(messages):
        said = message.get("role") if isinstance(message, dict) else None
        role = _ROLES.get(said) if isinstance(said, str) else None
        if role is None:
            where = f"messages[{index}]"
            raise BadRequestError(f"`{where}` must be an object with the role user, assistant or system", where, "invalid_value")
        turns.append(Turn(role, read_content(message.get("content"), f"messages[{index}].content", lost)))
    return turns


def _tools(data: Mapping[str, Any], lost: Lost) -> tuple[Tool, ...]:
    tools = data.get("tools")
    if tools is None:
        return ()
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise BadRequestError("`tools` must be an array of tools", "tools", "invalid_type")
    return tuple(_tool(tool, index, lost) for index, tool in enumerate(tools))


def _tool(tool: dict[str, Any], index: int, lost: Lost) -> Tool:
    kind, name = tool.get("type"), tool.get("name")
    if kind not in (None, "custom"):
        return Tool(
            name if isinstance(name, str) else str(kind), kind="server", vendor=ANTHROPIC, raw=tool, cache=tool.get("cache_control")
        )
    schema = tool.get("input_schema")
    if not isinstance(name, str) or not (schema is None or isinstance(schema, dict)):
        raise BadRequestError(f"`tools[{index}]` must have a name and an input_schema", f"tools[{index}]", "invalid_type")
    for key in tool.keys() - _TOOL_MEMBERS:
        lost[f"tools[].{key}"] = "only Anthropic's format has it"
    return Tool(name, tool.get("description"), schema, tool.get("strict"), raw=tool, cache=tool.get("cache_control"))


def _tool_choice(choice: Mapping[str, Any]) -> ToolChoice:
    mode = _CHOICES.get(str(choice.get("type")))
    if mode is None:
        raise BadRequestError("`tool_choice.type` must be auto, any, tool or none", "tool_choice.type", "invalid_value")
    name = choice.get("name")
    if mode == "named" and not isinstance(name, str):
        raise BadRequestError("`tool_choice.name` must name the tool", "tool_choice.name", "missing_required_parameter")
    return ToolChoice(mode, name if mode == "named" else None)


def _output(data: Mapping[str, Any]) -> OutputFormat:
    # `output_format` is the member's name in the beta of 2025-11; the SDKs still take it.
    wanted = (members.obj(data, "output_config") or {}).get("format") or members.obj(data, "output_format")
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return PLAIN_TEXT
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise BadRequestError("`output_config.format.schema` must be a JSON Schema", "output_config.format.schema", "invalid_type")
    return OutputFormat("json_schema", schema, strict=True)


def _thinking(data: Mapping[str, Any]) -> Thinking | None:
    wanted = members.obj(data, "thinking")
    said = (members.obj(data, "output_config") or {}).get("effort")
    effort = said if isinstance(said, str) else None
    if wanted is None:
        return None if effort is None else Thinking(effort=effort)
    show = _SHOWN.get(str(wanted.get("display")))
    match wanted.get("type"):
        case "disabled":
            return Thinking(enabled=False, effort=effort)
        case "enabled":
            return Thinking(effort=effort, budget_tokens=members.whole(wanted, "budget_tokens"), show=show)
    return Thinking(effort=effort, is_adaptive=True, show=show)  # `adaptive`, and `between_tools`, which is a narrower kind of it


def _stop(data: Mapping[str, Any]) -> tuple[str, ...]:
    stop = data.get("stop_sequences") or []
    if not isinstance(stop, list) or not all(isinstance(each, str) for each in stop):
        raise BadRequestError("`stop_sequences` must be an array of strings", "stop_sequences", "invalid_type")
    return tuple(stop)


def _service_tier(data: Mapping[str, Any]) -> str | None:
    tier = data.get("service_tier")
    return _TIERS.get(tier, tier) if isinstance(tier, str) else None
