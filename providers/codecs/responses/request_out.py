"""Conversation → the body of a Responses request. https://platform.openai.com/docs/api-reference/responses/create"""

from __future__ import annotations

import hashlib
from typing import Any

from providers.codecs import UntranslatableError
from providers.codecs.conversation import Conversation, Role, Text, Thinking, Turn
from providers.codecs.effort import effort_of
from providers.codecs.responses.items_out import ItemWriter
from providers.codecs.responses.models import Ways, ways_of
from providers.codecs.responses.parts_out import PartWriter
from providers.codecs.responses.tools_out import tool_members

OUTPUT_TOKENS_MIN = 16
USER_CHARS = 64
"""OpenAI's limit for the names of users and caches."""
SCHEMA_NAME = "answer"
"""A schema must have a name."""
_TIERS = frozenset({"auto", "default", "flex", "priority", "scale"})


def encode(conversation: Conversation, upstream_model: str) -> dict[str, Any]:
    """The body for `upstream_model`. Adds to `conversation.losses`; raises UntranslatableError where a loss would change what was asked."""
    _refuse(conversation)
    ways, writer = ways_of(upstream_model), PartWriter(conversation)
    instructions, turns = _instructions(conversation.turns)
    body: dict[str, Any] = {"model": upstream_model}
    if instructions:
        body["instructions"] = instructions
    body["input"] = ItemWriter(conversation, writer, ways).items(turns)
    body |= tool_members(conversation, writer)
    body |= _text(conversation)
    body |= _reasoning(conversation)
    body |= _limits(conversation, ways, writer)
    include = _include(conversation)
    if include:
        body["include"] = include
    # The conversation is in the request: nobody asked for it to be kept, and the API keeps it unless told not to.
    body["store"] = conversation.store is True
    body |= _bookkeeping(conversation, writer)
    if conversation.stream:
        body["stream"] = True
    if conversation.dialect == "responses":
        body |= conversation.more
    _note_the_rest(conversation, writer)
    return body


def _refuse(conversation: Conversation) -> None:
    if conversation.answers > 1:
        raise UntranslatableError("`n` must be 1: OpenAI's Responses give one answer per request", "n")
    if conversation.stop:
        raise UntranslatableError(
            "`stop` has no counterpart in OpenAI's Responses, and the answer would run on: leave it out, or name a model whose provider "
            "speaks chat or messages",
            "stop",
        )


def _instructions(turns: list[Turn]) -> tuple[str, list[Turn]]:
    """A first system turn of one text stands in a member of its own."""
    if turns and turns[0].role is Role.SYSTEM and len(turns[0].parts) == 1 and isinstance(turns[0].parts[0], Text) and len(turns) > 1:
        return turns[0].parts[0].text, turns[1:]
    return "", turns


def _text(conversation: Conversation) -> dict[str, Any]:
    text: dict[str, Any] = {}
    output = conversation.output
    if output.kind == "json_object":
        text["format"] = {"type": "json_object"}
    elif output.kind == "json_schema":
        wanted: dict[str, Any] = {"type": "json_schema", "name": output.name or SCHEMA_NAME, "schema": output.schema or {}}
        if output.strict is not None:
            wanted["strict"] = output.strict
        if output.description is not None:
            wanted["description"] = output.description
        text["format"] = wanted
    if conversation.verbosity is not None:
        text["verbosity"] = conversation.verbosity
    return {"text": text} if text else {}


def _reasoning(conversation: Conversation) -> dict[str, Any]:
    wanted = conversation.thinking
    if wanted is None:
        return {}
    reasoning: dict[str, Any] = {}
    effort = wanted.effort or (effort_of(wanted.budget_tokens) if wanted.budget_tokens is not None else None)
    if not wanted.enabled:
        effort = "none"
    if effort is not None:
        reasoning["effort"] = effort
    summary = wanted.summary or ("auto" if _shows(conversation, wanted) else None)
    if summary is not None:
        reasoning["summary"] = summary
    return {"reasoning": reasoning} if reasoning else {}


def _shows(conversation: Conversation, wanted: Thinking) -> bool:
    """Anthropic's clients show the thinking that they ask for, unless they say otherwise; OpenAI gives none that is not asked for."""
    if not wanted.enabled:
        return False
    return wanted.show if wanted.show is not None else conversation.dialect == "messages"


def _limits(conversation: Conversation, ways: Ways, writer: PartWriter) -> dict[str, Any]:
    """How long the answer may be, and how it is sampled."""
    found: dict[str, Any] = {}
    wanted = conversation.max_tokens
    if wanted is not None:
        if ways.is_openai and wanted < OUTPUT_TOKENS_MIN:
            writer.lose("max_tokens", f"OpenAI gives at least {OUTPUT_TOKENS_MIN}")
            wanted = OUTPUT_TOKENS_MIN
        found["max_output_tokens"] = wanted
    does_reason = ways.is_reasoner and (conversation.thinking is None or conversation.thinking.enabled)
    for name, value in (("temperature", conversation.temperature), ("top_p", conversation.top_p)):
        if value is None:
            continue
        if not does_reason:
            found[name] = value
        elif value != 1:
            writer.lose(name, "OpenAI's reasoning models sample as they like and refuse to be told")
    if conversation.top_logprobs is not None:
        found["top_logprobs"] = conversation.top_logprobs
    return found


def _include(conversation: Conversation) -> list[str]:
    """Models that do not reason refuse to be asked for encrypted reasoning: it is asked for where reasoning was."""
    found = []
    thinking = conversation.thinking
    if thinking is not None and (thinking.wants_seal or (thinking.enabled and conversation.dialect != "responses")):
        found.append("reasoning.encrypted_content")
    if conversation.logprobs:
        found.append("message.output_text.logprobs")
    return found


def _bookkeeping(conversation: Conversation, writer: PartWriter) -> dict[str, Any]:
    """Who asks, under which key its prefix is cached, and at which price."""
    found: dict[str, Any] = {}
    if conversation.user is not None:
        found["user"] = _short(conversation.user)
    if conversation.prompt_cache_key is not None:
        found["prompt_cache_key"] = _short(conversation.prompt_cache_key)
    if conversation.metadata:
        kept = {key: value for key, value in conversation.metadata.items() if isinstance(value, str)}
        if len(kept) < len(conversation.metadata):
            writer.lose("metadata", "OpenAI keeps texts only")
        if kept:
            found["metadata"] = kept
    tier = conversation.service_tier
    if tier is not None:
        if tier in _TIERS or conversation.dialect == "responses":
            found["service_tier"] = tier
        else:
            writer.lose("service_tier", f"OpenAI has no tier `{tier}`")
    return found


def _short(name: str) -> str:
    """A name as it is, or a digest of it: Claude Code writes JSON of 200 characters."""
    return name if len(name) <= USER_CHARS else hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:USER_CHARS]


def _has_marks(conversation: Conversation) -> bool:
    """Does it say what to cache? OpenAI finds that out by itself."""
    marked = (getattr(part, "cache", None) for turn in conversation.turns for part in turn.parts)
    return any(marked) or any(tool.cache for tool in conversation.tools)


def _note_the_rest(conversation: Conversation, writer: PartWriter) -> None:
    """What the format has no member for at all."""
    told: tuple[tuple[str, object], ...] = (
        ("top_k", conversation.top_k),
        ("seed", conversation.seed is not None),
        ("frequency_penalty", conversation.frequency_penalty),
        ("presence_penalty", conversation.presence_penalty),
        ("cache_control", _has_marks(conversation)),
    )
    for name, is_set in told:
        if is_set:
            writer.lose(name, "OpenAI's Responses have no such member")
    if conversation.dialect != "responses":
        for name in conversation.more:
            writer.lose(name, "OpenAI's Responses have no such member")
