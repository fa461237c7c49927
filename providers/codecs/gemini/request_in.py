"""A client's generateContent request → Conversation. https://ai.google.dev/api/generate-content#request-body

`model`, `stream` and `alt` come from the request's path (`providers.dialects.gemini.match`); the rest is the body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers.codecs.conversation import PLAIN_TEXT, Conversation, Loss, OutputFormat, Role, Thinking, Tool, ToolChoice, Turn
from providers.codecs.gemini.framing import GeminiConversation
from providers.codecs.gemini.parts_in import Lost, PartReader
from providers.codecs.gemini.schemas import json_schema
from providers.codecs.gemini.seals import GEMINI
from providers.codecs.gemini.spelling import camel, member
from providers.codecs.members import placed
from providers.dialects import BadRequestError

_ROLES: Mapping[str, Role] = {"user": Role.USER, "model": Role.ASSISTANT, "function": Role.USER, "tool": Role.USER, "system": Role.SYSTEM}
_MODES: Mapping[str, str] = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto", "MODE_UNSPECIFIED": "auto"}
_READ = frozenset({"model", "stream", "alt", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig"})
_CONFIG_READ = frozenset({
    "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "seed", "presencePenalty", "frequencyPenalty", "responseMimeType",
    "responseSchema", "responseJsonSchema", "thinkingConfig", "candidateCount", "responseLogprobs", "logprobs", "responseModalities",
})  # fmt: skip
_DECLARED = frozenset({"name", "description", "parameters", "parametersJsonSchema"})


def parse(data: Mapping[str, Any]) -> Conversation:
    """The body as a conversation. Raises BadRequestError naming the member that is wrong."""
    lost: Lost = {}
    config = _object(data, "generationConfig", "generationConfig") or {}
    _refuse(data, config)
    choice, more = _tool_config(data)
    thinking = _thinking(config)
    conversation = GeminiConversation(
        turns=_turns(data, lost),
        tools=tuple(_tools(data, lost)),
        tool_choice=choice,
        output=_output(config),
        thinking=thinking,
        max_tokens=_whole(config, "maxOutputTokens"),
        temperature=_number(config, "temperature"),
        top_p=_number(config, "topP"),
        top_k=_whole(config, "topK"),
        stop=_stop(config),
        seed=_whole(config, "seed"),
        frequency_penalty=_number(config, "frequencyPenalty"),
        presence_penalty=_number(config, "presencePenalty"),
        logprobs=member(config, "responseLogprobs") is True,
        top_logprobs=_whole(config, "logprobs"),
        answers=_whole(config, "candidateCount") or 1,
        stream=data.get("stream") is True,
        wants_usage=True,
        dialect=GEMINI,
        more={
            **{camel(key): value for key, value in data.items() if camel(key) not in _READ and value is not None},
            **{
                f"generationConfig.{camel(key)}": value
                for key, value in config.items()
                if camel(key) not in _CONFIG_READ and value is not None
            },
            **more,
        },
        is_array=data.get("stream") is True and data.get("alt") == "json",
        shows_thoughts=thinking is not None and thinking.show is True,
    )
    conversation.losses = [Loss(what, why) for what, why in lost.items()]
    return conversation


def _refuse(data: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """What would be another request without it."""
    if member(data, "cachedContent"):
        raise BadRequestError("`cachedContent` is kept by Google and this model is not Google's: send the content itself", "cachedContent")
    modalities = member(config, "responseModalities")
    if isinstance(modalities, list) and any(str(each).upper() != "TEXT" for each in modalities):
        where = "generationConfig.responseModalities"
        raise BadRequestError(f"`{where}`: this model answers in text only", where)


def _turns(data: Mapping[str, Any], lost: Lost) -> list[Turn]:
    reader = PartReader(lost)
    contents = data.get("contents")
    if isinstance(contents, dict):
        contents = [contents]
    if not isinstance(contents, list):
        raise BadRequestError("`contents` must be an array of contents", "contents", "invalid_type")
    turns, index = _system(data, reader), 0
    try:
        for index, content in enumerate(contents):  # noqa: B007 - the index is for the errors
            turns.append(_turn(content, reader))
    except BadRequestError as error:
        raise placed(error, f"contents[{index}]") from None
    return [turn for turn in turns if turn.parts]


def _system(data: Mapping[str, Any], reader: PartReader) -> list[Turn]:
    system = _object(data, "systemInstruction", "systemInstruction")
    try:
        return [Turn(Role.SYSTEM, reader.read(system.get("parts")))] if system else []
    except BadRequestError as error:
        raise placed(error, "systemInstruction") from None


def _turn(content: object, reader: PartReader) -> Turn:
    said = content.get("role") or "user" if isinstance(content, dict) else None
    role = _ROLES.get(said) if isinstance(said, str) else None
    if not isinstance(content, dict) or role is None:
        raise BadRequestError("`` must be an object with the role user or model", "", "invalid_value")
    return Turn(role, reader.read(content.get("parts")))


def _tools(data: Mapping[str, Any], lost: Lost) -> Iterator[Tool]:
    tools = data.get("tools")
    if isinstance(tools, Mapping):
        tools = [tools]
    if not isinstance(tools, list | None) or not all(isinstance(tool, dict) for tool in tools or ()):
        raise BadRequestError("`tools` must be an array of tools", "tools", "invalid_type")
    for index, tool in enumerate(tools or ()):
        for key, value in tool.items():
            if camel(key) != "functionDeclarations":
                yield Tool(camel(key), kind="server", vendor=GEMINI, raw={camel(key): value})
                continue
            yield from _functions(value, f"tools[{index}].functionDeclarations", lost)


def _functions(declared: object, where: str, lost: Lost) -> Iterator[Tool]:
    if not isinstance(declared, list):
        raise BadRequestError(f"`{where}` must be an array", where, "invalid_type")
    for number, each in enumerate(declared):
        try:
            yield _function(each, lost)
        except BadRequestError as error:
            raise placed(error, f"{where}[{number}]") from None


def _function(declared: object, lost: Lost) -> Tool:
    name = declared.get("name") if isinstance(declared, dict) else None
    if not isinstance(declared, dict) or not isinstance(name, str):
        raise BadRequestError("`` must be an object with a name", "", "invalid_type")
    if not declared.keys() <= _DECLARED:
        for key in declared:
            if camel(key) not in _DECLARED:
                lost[f"functionDeclarations[].{key}"] = "only Google's format has it"
    schema = member(declared, "parametersJsonSchema")
    is_plain = isinstance(schema, dict) and schema.get("type") == "object"  # Gemini CLI's: they need no second look
    schema = schema or declared.get("parameters")
    if not isinstance(schema, dict | None):
        raise BadRequestError("`parameters` must be a schema", "parameters", "invalid_type")
    return Tool(name, declared.get("description"), schema if schema is None or is_plain else json_schema(schema), raw=declared)


def _tool_config(data: Mapping[str, Any]) -> tuple[ToolChoice | None, dict[str, Any]]:
    """The choice among the tools, and what else stands beside it."""
    config = _object(data, "toolConfig", "toolConfig") or {}
    more = {f"toolConfig.{camel(key)}": value for key, value in config.items() if camel(key) != "functionCallingConfig"}
    calling = _object(config, "functionCallingConfig", "toolConfig.functionCallingConfig")
    if calling is None:
        return None, more
    where = "toolConfig.functionCallingConfig"
    mode = _MODES.get(str(calling.get("mode") or "AUTO").upper())
    if mode is None:
        raise BadRequestError(f"`{where}.mode` must be AUTO, ANY, NONE or VALIDATED", f"{where}.mode", "invalid_value")
    names = member(calling, "allowedFunctionNames") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequestError(f"`{where}.allowedFunctionNames` must be an array of names", f"{where}.allowedFunctionNames", "invalid_type")
    if mode == "required" and len(names) == 1:
        return ToolChoice("named", names[0]), more
    return ToolChoice(mode, allowed=tuple(names)), more


def _output(config: Mapping[str, Any]) -> OutputFormat:
    schema = member(config, "responseJsonSchema") or member(config, "responseSchema")
    if not isinstance(schema, dict | None):
        raise BadRequestError("`generationConfig.responseSchema` must be a schema", "generationConfig.responseSchema", "invalid_type")
    if schema:
        return OutputFormat("json_schema", json_schema(schema))
    return OutputFormat("json_object") if member(config, "responseMimeType") == "application/json" else PLAIN_TEXT


def _thinking(config: Mapping[str, Any]) -> Thinking | None:
    wanted = _object(config, "thinkingConfig", "generationConfig.thinkingConfig")
    if wanted is None:
        return None
    shown = member(wanted, "includeThoughts")
    show = shown if isinstance(shown, bool) else None
    level, budget = member(wanted, "thinkingLevel"), _whole(wanted, "thinkingBudget")
    if isinstance(level, str) and level.upper() != "THINKING_LEVEL_UNSPECIFIED":
        return Thinking(effort=level.lower(), show=show)
    if budget == 0:
        return Thinking(enabled=False, show=show)
    return Thinking(budget_tokens=budget if budget is not None and budget > 0 else None, is_adaptive=budget == -1, show=show)


def _stop(config: Mapping[str, Any]) -> tuple[str, ...]:
    stop = member(config, "stopSequences") or []
    if not isinstance(stop, list) or not all(isinstance(each, str) for each in stop):
        where = "generationConfig.stopSequences"
        raise BadRequestError(f"`{where}` must be an array of strings", where, "invalid_type")
    return tuple(stop)


def _object(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any] | None:
    value = member(data, key)
    if value is None or isinstance(value, dict):
        return value
    raise BadRequestError(f"`{where}` must be an object", where, "invalid_type")


def _number(config: Mapping[str, Any], key: str) -> float | None:
    value = member(config, key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise BadRequestError(f"`generationConfig.{key}` must be a number", f"generationConfig.{key}", "invalid_type")


def _whole(config: Mapping[str, Any], key: str) -> int | None:
    value = _number(config, key)  # topK is a float at Vertex
    if value is None or value == int(value):
        return None if value is None else int(value)
    raise BadRequestError(f"`generationConfig.{key}` must be a whole number", f"generationConfig.{key}", "invalid_type")
