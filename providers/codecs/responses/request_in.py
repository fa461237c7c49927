"""A client's Responses request → Conversation. https://platform.openai.com/docs/api-reference/responses/create"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from providers.codecs import UntranslatableError
from providers.codecs.conversation import PLAIN_TEXT, Conversation, Loss, OutputFormat, Role, Text, Thinking, Tool, Turn
from providers.codecs.members import Data, array, boolean, number, obj, optional_string, text, whole, wrong
from providers.codecs.responses.items_in import ItemReader
from providers.codecs.responses.tools_in import read_choice, read_tools
from providers.dialects import BadRequestError

_READ = frozenset({
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "max_output_tokens",
    "temperature", "top_p", "top_logprobs", "include", "stream", "stream_options", "store", "user", "safety_identifier", "metadata",
    "service_tier", "prompt_cache_key", "previous_response_id", "conversation", "prompt", "background",
})  # fmt: skip
ECHOED = (
    "background", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", "prompt_cache_key",
    "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text", "tool_choice", "tools",
    "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
"""What an answer repeats of its request."""
_KEPT_BY_OPENAI: Mapping[str, str] = {
    "previous_response_id": "names an answer that OpenAI keeps, and the model that is to answer is somebody else's: send the whole "
    "conversation in `input` (with `store: false`), or name a model whose provider speaks responses",
    "conversation": "names a conversation that OpenAI keeps, and the model that is to answer is somebody else's: send it whole in `input`",
    "prompt": "names a template that OpenAI keeps, and the model that is to answer is somebody else's: send its text in `instructions`",
    "background": "asks for an answer to be fetched later, which only OpenAI's own service keeps: leave it out",
}
"""Members without which it would be another request, and what would work instead."""


def parse(data: Mapping[str, Any]) -> Conversation:
    """The body as a conversation. Raises BadRequestError where it is wrong, UntranslatableError where only OpenAI could resolve it."""
    for key, why in _KEPT_BY_OPENAI.items():
        if data.get(key):
            raise UntranslatableError(f"`{key}` {why}", key)
    items = _items(data)
    include = [text(each) for each in array(data, "include")]
    output = obj(data, "text") or {}
    conversation = Conversation(
        turns=[*_instructions(data), *items.turns],
        tools=_unique([*read_tools(array(data, "tools"), "tools"), *items.tools]),
        tool_choice=read_choice(data.get("tool_choice")),
        parallel_tool_calls=boolean(data, "parallel_tool_calls"),
        output=_output(output),
        thinking=_thinking(data, wants_seal="reasoning.encrypted_content" in include),
        max_tokens=whole(data, "max_output_tokens"),
        temperature=number(data, "temperature"),
        top_p=number(data, "top_p"),
        logprobs="message.output_text.logprobs" in include,
        top_logprobs=whole(data, "top_logprobs"),
        stream=data.get("stream") is True,
        wants_usage=True,
        user=optional_string(data, "user") or optional_string(data, "safety_identifier"),
        metadata=obj(data, "metadata") or None,
        service_tier=optional_string(data, "service_tier"),
        verbosity=optional_string(output, "verbosity", "text."),
        prompt_cache_key=optional_string(data, "prompt_cache_key"),
        store=boolean(data, "store"),
        echo={key: data[key] for key in ECHOED if data.get(key) is not None},
        dialect="responses",
        more={key: value for key, value in data.items() if key not in _READ and value is not None},
    )
    conversation.losses = [Loss(what, why) for what, why in items.lost.items()]
    return conversation


def _items(data: Data) -> ItemReader:
    reader, given = ItemReader(), data.get("input")
    if isinstance(given, str):
        reader.turns.append(Turn(Role.USER, (Text(given),) if given else ()))
    elif isinstance(given, list):
        reader.read(given)
    else:
        raise wrong("input", "a string or an array of items")
    return reader


def _instructions(data: Data) -> list[Turn]:
    said = data.get("instructions")
    if isinstance(said, list):  # as an answer repeats them
        reader = ItemReader()
        reader.read(said)
        return reader.turns
    told = optional_string(data, "instructions")
    return [Turn(Role.SYSTEM, (Text(told),))] if told else []


def _unique(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """Each tool once: Codex finds the same one in several searches, and others refuse a name that is declared twice."""
    found: dict[tuple[str | None, str, str], Tool] = {}
    for tool in tools:
        found.setdefault((tool.namespace, tool.name, "server" if tool.kind == "server" else ""), tool)
    return tuple(found.values())


def _output(output: Data) -> OutputFormat:
    wanted = obj(output, "format", "text.")
    if wanted is None:
        return PLAIN_TEXT
    match wanted.get("type"):
        case "json_schema":
            schema = obj(wanted, "schema", "text.format.")
            if schema is None:
                raise wrong("text.format.schema", "a JSON Schema")
            name, told = (optional_string(wanted, key, "text.format.") for key in ("name", "description"))
            return OutputFormat("json_schema", schema, name, boolean(wanted, "strict"), told)
        case "json_object":
            return OutputFormat("json_object")
        case "text":
            return PLAIN_TEXT
    raise BadRequestError("`text.format.type` must be text, json_object or json_schema", "text.format.type", "invalid_value")


def _thinking(data: Data, *, wants_seal: bool) -> Thinking | None:
    wanted = obj(data, "reasoning")
    if not wanted:
        return None
    effort = optional_string(wanted, "effort", "reasoning.")
    summary = optional_string(wanted, "summary", "reasoning.") or optional_string(wanted, "generate_summary", "reasoning.")
    if effort is None and summary is None:
        return None
    return Thinking(enabled=effort != "none", effort=effort, summary=summary, wants_seal=wants_seal)
