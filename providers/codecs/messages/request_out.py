"""Conversation → the body of a Messages request. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.codecs import UntranslatableError
from providers.codecs.conversation import Conversation
from providers.codecs.messages.blocks_out import BlockWriter
from providers.codecs.messages.models import Ways, ways_of
from providers.codecs.messages.thinking_out import thinking_members
from providers.codecs.messages.tools_out import tool_members
from providers.codecs.messages.turns_out import write_turns

MAX_TOKENS = 32000
"""`max_tokens` is mandatory here and optional elsewhere. Claude Code sends this much (recorded), and every Claude since 4.0 takes it."""
TOP_P_BESIDE_THINKING = 0.95
JSON_ASKED_FOR = "Answer with one JSON object and nothing else: no code fence, no words before or after it."

_VALUES = frozenset({"const", "enum", "default", "examples"})
"""Members of a schema that hold values, not schemas."""
_TIERS: Mapping[str, str] = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


def encode(conversation: Conversation, upstream_model: str) -> dict[str, Any]:
    """The body for `upstream_model`. Adds to `conversation.losses`; raises UntranslatableError where a loss would change what was asked."""
    _refuse(conversation)
    ways, writer = ways_of(upstream_model), BlockWriter(conversation)
    system, messages = write_turns(conversation.turns, writer, takes_system_turns=ways.takes_system_turns)
    max_tokens = conversation.max_tokens or MAX_TOKENS
    body: dict[str, Any] = {"model": upstream_model, "max_tokens": max_tokens}
    output = _output(conversation, writer)
    if conversation.output.kind == "json_object":
        system.append({"type": "text", "text": JSON_ASKED_FOR})
    if system:
        body["system"] = system
    body["messages"] = messages
    body |= tool_members(conversation, writer)
    thinking, effort = thinking_members(conversation, messages, ways, max_tokens, writer)
    if thinking is not None:
        body["thinking"] = thinking
    if effort is not None:
        output["effort"] = effort
    if output:
        body["output_config"] = output
    is_thinking = thinking is not None and thinking["type"] != "disabled"
    body |= _sampling(conversation, ways, writer, is_thinking=is_thinking)
    if conversation.stop:
        body["stop_sequences"] = list(conversation.stop)
    body |= _bookkeeping(conversation, writer)
    if ways.is_claude and _wants_cache(conversation):
        body["cache_control"] = {"type": "ephemeral"}
    if conversation.stream:
        body["stream"] = True
    if conversation.dialect == "messages":
        body |= conversation.more
    _note_the_rest(conversation, writer)
    return body


def _refuse(conversation: Conversation) -> None:
    if conversation.answers > 1:
        raise UntranslatableError("`n` must be 1: a model behind Anthropic's format gives one answer per request", "n")
    if conversation.previous_response_id is not None:
        raise UntranslatableError(
            "`previous_response_id` is another vendor's memory: send the whole conversation as input", "previous_response_id"
        )
    if any(not stop.strip() for stop in conversation.stop):
        raise UntranslatableError("`stop` must hold more than white space at a model behind Anthropic's format", "stop")


def _output(conversation: Conversation, writer: BlockWriter) -> dict[str, Any]:
    output = conversation.output
    if output.kind == "json_object":
        writer.lose("response_format json_object", "Anthropic guarantees JSON only with a schema: asked for in words")
    if output.kind != "json_schema" or output.schema is None:
        return {}
    return {"format": {"type": "json_schema", "schema": _closed(output.schema)}}


def _closed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every object in the schema says that it has no further members: the API demands it (so do strict schemas of OpenAI's)."""
    closed: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _VALUES:
            closed[key] = value
        elif isinstance(value, Mapping):
            closed[key] = _closed(value)
        elif isinstance(value, list):
            closed[key] = [_closed(item) if isinstance(item, Mapping) else item for item in value]
        else:
            closed[key] = value
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    return closed


def _sampling(conversation: Conversation, ways: Ways, writer: BlockWriter, *, is_thinking: bool) -> dict[str, Any]:
    """Temperature, top_p and top_k, as far as the model takes them."""
    wanted = {
        name: value
        for name, value in (("temperature", conversation.temperature), ("top_p", conversation.top_p), ("top_k", conversation.top_k))
        if value is not None
    }
    if not ways.is_claude or not wanted:
        return wanted
    if not ways.takes_sampling:
        if wanted != {"temperature": 1}:
            writer.lose(", ".join(wanted), "this model samples as it likes and refuses to be told")
        return {}
    if is_thinking:
        return _beside_thinking(wanted, writer)
    if wanted.get("temperature", 0.0) > 1.0:
        writer.lose("temperature", "Anthropic's ends at 1: sent as 1")
        wanted["temperature"] = 1.0
    if "temperature" in wanted and wanted.pop("top_p", 1) != 1:
        writer.lose("top_p", "Anthropic takes either temperature or top_p")
    return wanted


def _beside_thinking(wanted: dict[str, Any], writer: BlockWriter) -> dict[str, Any]:
    kept = {"top_p": wanted["top_p"]} if wanted.get("top_p", 0.0) >= TOP_P_BESIDE_THINKING else {}
    dropped = [name for name, value in wanted.items() if name not in kept and (name, value) != ("temperature", 1)]
    if dropped:
        writer.lose(", ".join(dropped), "Anthropic's models sample as they like while they think")
    return kept


def _bookkeeping(conversation: Conversation, writer: BlockWriter) -> dict[str, Any]:
    """Who asks, and at which price."""
    found: dict[str, Any] = {}
    metadata = dict(conversation.metadata or {})
    if metadata and conversation.dialect != "messages":
        writer.lose("metadata", "Anthropic keeps nothing but a user id")
        metadata = {}
    if conversation.user is not None:
        metadata["user_id"] = conversation.user
    if metadata:
        found["metadata"] = metadata
    if conversation.service_tier is not None:
        tier = _TIERS.get(conversation.service_tier)
        if tier is None:
            writer.lose("service_tier", f"Anthropic has no tier `{conversation.service_tier}`")
        else:
            found["service_tier"] = tier
    return found


def _wants_cache(conversation: Conversation) -> bool:
    """OpenAI and Gemini cache prefixes by themselves, Anthropic only where it is asked to; a client of theirs counts on it. Worth its price
    (a quarter more, once) where the prefix comes again: with tools, or a key that says so."""
    return conversation.dialect != "messages" and bool(conversation.tools or conversation.prompt_cache_key)


def _note_the_rest(conversation: Conversation, writer: BlockWriter) -> None:
    """What the format has no member for at all."""
    told: tuple[tuple[str, object], ...] = (
        ("seed", conversation.seed is not None),
        ("frequency_penalty", conversation.frequency_penalty),
        ("presence_penalty", conversation.presence_penalty),
        ("logprobs", conversation.logprobs),
        ("verbosity", conversation.verbosity),
        ("store", conversation.store),
        ("response_format.json_schema.description", conversation.output.description),
    )
    for name, is_set in told:
        if is_set:
            writer.lose(name, "Anthropic's format has no such member")
    if conversation.dialect != "messages":
        for name in conversation.more:
            writer.lose(name, "Anthropic's format has no such member")
