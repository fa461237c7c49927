"""A client's chat request → Conversation. https://platform.openai.com/docs/api-reference/chat/create"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs import UntranslatableError
from providers.codecs.chat.parts_in import read_turn
from providers.codecs.chat.tools_in import read_choice, read_tools
from providers.codecs.conversation import PLAIN_TEXT, Conversation, OutputFormat, Thinking, Turn
from providers.dialects import BadRequestError

_READ = frozenset({
    "model", "messages", "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "response_format", "reasoning_effort",
    "reasoning", "thinking", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "seed", "frequency_penalty",
    "presence_penalty", "logprobs", "top_logprobs", "n", "stream", "stream_options", "user", "safety_identifier", "metadata",
    "service_tier", "verbosity", "prompt_cache_key", "store", "modalities", "agent", "session",
})  # fmt: skip


def parse(data: Mapping[str, Any]) -> Conversation:
    """The body as a conversation. Raises BadRequestError naming the member that is wrong; UntranslatableError where only OpenAI's own
    format has what is asked for."""
    _refuse(data)
    logprobs = data.get("logprobs") is True
    return Conversation(
        turns=_turns(data),
        tools=read_tools(data),
        tool_choice=read_choice(data),
        parallel_tool_calls=_flag(data, "parallel_tool_calls"),
        output=_output(data),
        thinking=_thinking(data),
        max_tokens=_whole(data, "max_completion_tokens") or _whole(data, "max_tokens"),
        temperature=_number(data, "temperature"),
        top_p=_number(data, "top_p"),
        top_k=_whole(data, "top_k"),
        stop=_stop(data),
        seed=_whole(data, "seed"),
        frequency_penalty=_number(data, "frequency_penalty"),
        presence_penalty=_number(data, "presence_penalty"),
        logprobs=logprobs,
        top_logprobs=_whole(data, "top_logprobs") if logprobs else None,
        answers=_whole(data, "n") or 1,
        stream=data.get("stream") is True,
        wants_usage=_wants_usage(data),
        user=_string(data, "safety_identifier") or _string(data, "user"),
        metadata=_object(data, "metadata"),
        service_tier=_string(data, "service_tier"),
        verbosity=_string(data, "verbosity"),
        prompt_cache_key=_string(data, "prompt_cache_key"),
        store=_flag(data, "store"),
        dialect="chat",
        more={key: data[key] for key in data if key not in _READ and data[key] is not None},
    )


def _refuse(data: Mapping[str, Any]) -> None:
    """What cannot be left out without asking for something else."""
    modalities = data.get("modalities")
    if isinstance(modalities, list) and modalities != ["text"]:
        raise UntranslatableError("`modalities` other than text are understood only by an upstream that speaks chat itself", "modalities")


def _turns(data: Mapping[str, Any]) -> list[Turn]:
    messages = data.get("messages")
    if not isinstance(messages, list):
        raise BadRequestError("`messages` must be an array of messages", "messages", "invalid_type")
    return [read_turn(message, f"messages[{index}]") for index, message in enumerate(messages)]


def _output(data: Mapping[str, Any]) -> OutputFormat:
    wanted = _object(data, "response_format")
    kind = wanted.get("type") if wanted else None
    if wanted is None or kind in (None, "text"):
        return PLAIN_TEXT
    if kind == "json_object":
        schema = wanted.get("schema")  # llama-server's and Together's way
        return OutputFormat("json_schema", schema) if isinstance(schema, dict) else OutputFormat("json_object")
    named = wanted.get("json_schema")
    if kind != "json_schema" or not isinstance(named, dict) or not isinstance(named.get("schema"), dict):
        where = "response_format.json_schema"
        raise BadRequestError(f"`{where}` must hold a `schema`, or `type` be text or json_object", where, "invalid_value")
    return OutputFormat("json_schema", named["schema"], named.get("name"), named.get("strict"), named.get("description"))


def _thinking(data: Mapping[str, Any]) -> Thinking | None:
    """OpenAI's word, OpenRouter's object, or Anthropic's as LiteLLM, DeepSeek and Z.ai take it."""
    effort = _string(data, "reasoning_effort")
    reasoning, thinking = _object(data, "reasoning"), _object(data, "thinking")
    if reasoning is not None:
        effort = effort or _string(reasoning, "effort")
        enabled = reasoning.get("enabled") is not False and effort != "none"
        show = False if reasoning.get("exclude") is True else None
        return Thinking(enabled, effort, _whole(reasoning, "max_tokens"), show=show)
    if thinking is not None:
        return Thinking(thinking.get("type") != "disabled", effort, _whole(thinking, "budget_tokens"))
    return None if effort is None else Thinking(effort != "none", effort)


def _stop(data: Mapping[str, Any]) -> tuple[str, ...]:
    stop = data.get("stop")
    found = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BadRequestError("`stop` must be a string or an array of strings", "stop", "invalid_type")
    return tuple(found)


def _wants_usage(data: Mapping[str, Any]) -> bool:
    options = data.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _string(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is None or isinstance(value, str):
        return value
    raise BadRequestError(f"`{key}` must be a string", key, "invalid_type")


def _flag(data: Mapping[str, Any], key: str) -> bool | None:
    value = data.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise BadRequestError(f"`{key}` must be true or false", key, "invalid_type")


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    value = data.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise BadRequestError(f"`{key}` must be an object", key, "invalid_type")


def _number(data: Mapping[str, Any], key: str) -> float | None:
    value = data.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise BadRequestError(f"`{key}` must be a number", key, "invalid_type")


def _whole(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise BadRequestError(f"`{key}` must be a whole number", key, "invalid_type")
