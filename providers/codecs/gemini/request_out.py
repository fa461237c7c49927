"""Conversation → the body of a generateContent request. https://ai.google.dev/api/generate-content#request-body

The model stands in the request's path, so it is not in the body.
"""

from __future__ import annotations

from typing import Any

import orjson

from providers.codecs import UntranslatableError
from providers.codecs.conversation import Conversation
from providers.codecs.gemini.models import Ways, ways_of
from providers.codecs.gemini.parts_out import PartWriter
from providers.codecs.gemini.seals import GEMINI
from providers.codecs.gemini.thinking_out import thinking_config
from providers.codecs.gemini.tools_out import checked, tool_members
from providers.codecs.gemini.turns_out import write_turns

STOPS_MAX = 5
"""https://ai.google.dev/api/generate-content#FIELDS.stop_sequences"""
JSON = "application/json"
_SCHEMA_ASKED_FOR = (
    "When you answer without calling a function, answer with one JSON value and nothing else: no code fence, no words around it."
)


def encode(conversation: Conversation, upstream_model: str) -> dict[str, Any]:
    """The body for `upstream_model`. Adds to `conversation.losses`; raises UntranslatableError where a loss would change what was asked."""
    _refuse(conversation)
    ways = ways_of(upstream_model)
    writer = PartWriter(conversation, ways)
    system, contents = write_turns(conversation.turns, writer)
    tools = tool_members(conversation, writer)
    config = _sampling(conversation)
    output, words = _output(conversation, ways, writer, has_tools="tools" in tools)
    config |= output
    if words is not None:
        system.append({"text": words})
    thinking = thinking_config(conversation.thinking, ways, writer)
    if thinking is not None:
        config["thinkingConfig"] = thinking
    body: dict[str, Any] = {"systemInstruction": {"parts": system}} if system else {}
    body["contents"] = contents
    body |= tools
    if conversation.dialect == GEMINI:
        _put_back(conversation, body, config)
    if config:
        body["generationConfig"] = config
    _note_the_rest(conversation, writer)
    return body


def _refuse(conversation: Conversation) -> None:
    if conversation.answers > 1:
        raise UntranslatableError("`n` must be 1: a translated request gets one answer", "n")
    if conversation.previous_response_id is not None:
        raise UntranslatableError(
            "`previous_response_id` is another vendor's memory: send the whole conversation as input", "previous_response_id"
        )
    if len(conversation.stop) > STOPS_MAX:
        raise UntranslatableError(f"`stop` must hold at most {STOPS_MAX} sequences at Google's models", "stop")


def _sampling(conversation: Conversation) -> dict[str, Any]:
    wanted: tuple[tuple[str, object], ...] = (
        ("maxOutputTokens", conversation.max_tokens),
        ("temperature", conversation.temperature),
        ("topP", conversation.top_p),
        ("topK", conversation.top_k),
        ("stopSequences", list(conversation.stop) or None),
        ("seed", conversation.seed),
        ("frequencyPenalty", conversation.frequency_penalty),
        ("presencePenalty", conversation.presence_penalty),
        ("responseLogprobs", conversation.logprobs or None),
        ("logprobs", conversation.top_logprobs or None),
    )
    return {name: value for name, value in wanted if value is not None}


def _output(conversation: Conversation, ways: Ways, writer: PartWriter, *, has_tools: bool) -> tuple[dict[str, Any], str | None]:
    """(members of `generationConfig`, what has to be said in words instead)."""
    output = conversation.output
    if output.kind == "text":
        return {}, None
    schema = checked(output.schema) if output.kind == "json_schema" and output.schema is not None else None
    if has_tools and not ways.is_strict:
        writer.lose("response_format", "this model takes tools or a JSON format, not both: the format is asked for in words")
        told = "" if schema is None else f" It must match this JSON Schema: {orjson.dumps(schema).decode()}"
        return {}, _SCHEMA_ASKED_FOR + told
    return {"responseMimeType": JSON, **({} if schema is None else {"responseJsonSchema": schema})}, None


def _put_back(conversation: Conversation, body: dict[str, Any], config: dict[str, Any]) -> None:
    """What the common shape does not know, from a client of the same format."""
    for name, value in conversation.more.items():
        group, dot, inner = name.partition(".")
        if not dot:
            body[name] = value
        elif group == "generationConfig":
            config[inner] = value
        else:
            body.setdefault(group, {})[inner] = value


def _note_the_rest(conversation: Conversation, writer: PartWriter) -> None:
    """What the format has no member for at all."""
    told: tuple[tuple[str, object], ...] = (
        ("user", conversation.user),
        ("metadata", conversation.metadata),
        ("verbosity", conversation.verbosity),
        ("store", conversation.store),
        ("service_tier", conversation.service_tier not in (None, "auto", "default")),
        ("response_format.json_schema.description", conversation.output.description),
    )
    if _has_cache_marks(conversation):
        writer.lose("cache_control", "Google caches prefixes by itself")
    for name, is_set in told:
        if is_set:
            writer.lose(name, "Google's format has no such member")
    if conversation.dialect != GEMINI:
        for name in conversation.more:
            writer.lose(name, "Google's format has no such member")


def _has_cache_marks(conversation: Conversation) -> bool:
    return any(tool.cache for tool in conversation.tools) or any(
        getattr(part, "cache", None) for turn in conversation.turns for part in turn.parts
    )
