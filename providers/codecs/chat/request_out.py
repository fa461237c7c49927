"""Conversation → the body of a chat request. https://platform.openai.com/docs/api-reference/chat/create"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from providers.codecs import UntranslatableError
from providers.codecs.chat.messages_out import Habits, write_messages
from providers.codecs.chat.models import Ways, ways_of
from providers.codecs.chat.tools_out import tool_members
from providers.codecs.chat.writer import Writer
from providers.codecs.conversation import Conversation, OutputFormat
from providers.codecs.effort import effort_of

USER_CHARS = 64
"""OpenAI refuses longer ones; Claude Code's are a JSON object of 150."""
_CLAMPED: Mapping[str, str] = {"xhigh": "high", "max": "high"}
"""Efforts that most servers of this format refuse."""
_NO_PLACE = "chat requests have no such member"


def encode(conversation: Conversation, upstream_model: str) -> dict[str, Any]:
    """The body for `upstream_model`. Adds to `conversation.losses`; raises UntranslatableError where a loss would change what was asked."""
    if conversation.previous_response_id is not None:
        raise UntranslatableError(
            "`previous_response_id` is the memory of an upstream that speaks responses: send the whole conversation as input",
            "previous_response_id",
        )
    writer, ways = Writer(conversation), ways_of(upstream_model)
    body: dict[str, Any] = {
        "model": upstream_model,
        "messages": write_messages(conversation.turns, writer, Habits(ways.is_openai)),
        **tool_members(conversation, writer),
        **_output(conversation.output),
        **_thinking(conversation, writer),
        **_limits(conversation, ways),
        **_sampling(conversation, ways, writer),
        **_bookkeeping(conversation, writer),
    }
    if conversation.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}  # what the answer cost is asked for whether the client wants to know or not
    if writer.is_native:
        body |= conversation.more
    else:
        for name in conversation.more:
            writer.lose(name, _NO_PLACE)
    return body


def _output(output: OutputFormat) -> dict[str, Any]:
    if output.kind == "json_object":
        return {"response_format": {"type": "json_object"}}
    if output.kind != "json_schema":
        return {}
    named: dict[str, Any] = {"name": output.name or "answer", "schema": output.schema or {}}
    if output.description is not None:
        named["description"] = output.description
    if output.strict is not None:
        named["strict"] = output.strict
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _thinking(conversation: Conversation, writer: Writer) -> dict[str, Any]:
    """`reasoning_effort`, in words that all servers know; a client that speaks of effort itself is taken at its word."""
    wanted = conversation.thinking
    if wanted is None:
        return {}
    effort = wanted.effort
    if not wanted.enabled and effort is None:
        # Many servers refuse `none`: only who knows the word is taken to know that the model does.
        writer.lose("thinking disabled", "chat requests have no word for it that all servers know: the model's own default counts")
        return {}
    if effort is None and wanted.budget_tokens is not None:
        effort = effort_of(wanted.budget_tokens)
        writer.lose("thinking.budget_tokens", f"chat requests know no budget: sent as effort {_CLAMPED.get(effort, effort)}")
    if effort is None:
        return {}
    if conversation.dialect not in ("chat", "responses"):
        effort = _CLAMPED.get(effort, effort)
    return {"reasoning_effort": effort}


def _limits(conversation: Conversation, ways: Ways) -> dict[str, Any]:
    members: dict[str, Any] = {}
    if conversation.max_tokens is not None:
        members["max_completion_tokens" if ways.is_openai_reasoner else "max_tokens"] = conversation.max_tokens
    if conversation.stop:
        members["stop"] = list(conversation.stop)
    if conversation.answers > 1:
        members["n"] = conversation.answers
    return members


def _sampling(conversation: Conversation, ways: Ways, writer: Writer) -> dict[str, Any]:
    members = {
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "seed": conversation.seed,
        "frequency_penalty": conversation.frequency_penalty,
        "presence_penalty": conversation.presence_penalty,
    }
    if ways.is_openai_reasoner and not writer.is_native:
        for name in ("temperature", "top_p"):
            if members[name] not in (None, 1):
                writer.lose(name, "this model samples as it likes and refuses to be told")
                members[name] = None
    if conversation.top_k is not None:
        if writer.is_native:
            members["top_k"] = conversation.top_k
        else:
            writer.lose("top_k", _NO_PLACE)
    found: dict[str, Any] = {name: value for name, value in members.items() if value is not None}
    if conversation.logprobs:
        found["logprobs"] = True
        if conversation.top_logprobs is not None:
            found["top_logprobs"] = conversation.top_logprobs
    return found


def _bookkeeping(conversation: Conversation, writer: Writer) -> dict[str, Any]:
    """Who asks, at which price, and what is kept of it."""
    members: dict[str, Any] = {
        "user": _user(conversation.user),
        "service_tier": conversation.service_tier,
        "verbosity": conversation.verbosity,
        "prompt_cache_key": conversation.prompt_cache_key,
    }
    if conversation.metadata and (writer.is_native or conversation.dialect == "responses"):
        members["metadata"] = conversation.metadata
    elif conversation.metadata:
        writer.lose("metadata", "another vendor's members")
    if conversation.store is True or (conversation.store is False and writer.is_native):  # elsewhere it is what goes without saying
        members["store"] = conversation.store
    return {name: value for name, value in members.items() if value is not None}


def _user(user: str | None) -> str | None:
    """The same user always gives the same name."""
    if user is None or len(user) <= USER_CHARS:
        return user
    return hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()
