"""The excerpt of an OpenAI chat body. Also reads what Anthropic's format puts into messages, for clients and gateways mix the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any

from providers.dialects.excerpts.assemble import assemble
from providers.dialects.excerpts.reading import Call, Result, Said, arguments_text, clip, count, join_edges, string
from routing.calibration import tokens_from_bytes
from routing.classify.excerpt import Excerpt

NO_HINTS: Mapping[str, str] = MappingProxyType({})
TOOLS_NAMED = 64
PARTS_READ = 256
"""Parts of one message that are looked at."""
MESSAGES_SIZED = 16
"""Messages at each end whose length counts for `input_tokens_estimated`; who needs more has the size of the body."""
BILLING_LINE = "x-anthropic-billing-header:"
"""Claude Code's accounting line in front of its system prompt: not an instruction, and different in every request."""
SUBAGENT_MARK = "cc_is_subagent=true"

_ROLES = {"developer": "system", "function": "tool", "model": "assistant"}
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
_IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})
_NOTHING = Said("")


def chat_excerpt(data: dict[str, Any], *, endpoint: str = "chat", harness: str = "unknown", hints: Mapping[str, str] = NO_HINTS) -> Excerpt:
    """The telling parts of a chat body. Never raises, whatever the members hold; what is missing or odd is as if it were empty."""
    messages = data.get("messages")
    listed: list[Any] = messages if isinstance(messages, list) else []
    standing = _standing_texts(data.get("system"))
    if standing and standing[0].startswith(BILLING_LINE):
        hints = {**hints, "x-claude-code-request-class": "subagent"} if SUBAGENT_MARK in standing[0] else hints
        standing = standing[1:]
    roles = _roles(listed)
    sized = listed if len(listed) <= 2 * MESSAGES_SIZED else listed[:MESSAGES_SIZED] + listed[-MESSAGES_SIZED:]
    before = Excerpt(
        endpoint=endpoint,
        system=join_edges(standing) if standing else "",
        human="",
        human_chars=0,
        opening="",
        tool_names=_tool_names(data),
        messages=len(listed),
        human_turns=roles.count("user"),
        assistant_turns=roles.count("assistant"),
        wants_json=_wants_json(data),
        output_tokens_max=count(data.get("max_completion_tokens")) or count(data.get("max_tokens")),
        input_tokens_estimated=tokens_from_bytes(sum(map(_size, sized)) + sum(map(len, standing))),
        harness=harness,
        hints=hints,
        answer_fields=_answer_fields(data),
    )
    return assemble(listed, roles, read_message, before)


def _roles(messages: list[Any]) -> list[object]:
    """The roles as they stand, or `tool` for a user message that begins with a tool's result, which is how Anthropic sends them."""
    roles: list[object] = [message.get("role") if isinstance(message, dict) else None for message in messages]
    for index, role in enumerate(roles):
        if role == "user" and _is_result(messages[index].get("content")):
            roles[index] = "tool"
    return roles


def _is_result(content: object) -> bool:
    return isinstance(content, list) and bool(content) and _kind(content[0]) == "tool_result" and _kind(content[-1]) != "text"


def _kind(part: object) -> object:
    return part.get("type") if isinstance(part, dict) else None


def read_message(message: object) -> Said:
    """One chat message; something else than an object with a role says nothing."""
    if not isinstance(message, dict):
        return _NOTHING
    role = string(message.get("role"))
    role = _ROLES.get(role, role)
    content = message.get("content")
    if role == "tool" and isinstance(content, str):
        # Half of a long loop's messages, and nothing else is in them.
        return Said(role, (), (), (_answer(message, clip(content)),))
    texts: Sequence[str] = ()
    results: list[Result] = []
    calls: list[Call] = []
    has_images = False
    if isinstance(content, str):
        texts = (content,)
    elif isinstance(content, list):
        texts, results, calls, has_images = _parts(content)
    if role == "assistant":
        calls.extend(_calls(message))
    elif role == "tool":
        return Said(role, (), (), (_answer(message, _result_text(content)),), has_images)
    return Said(role, texts, calls, results, has_images)


def _answer(message: dict[str, Any], text: str) -> Result:
    answered = string(message.get("tool_call_id")) or string(message.get("name"))
    return Result(answered, text, _failed(message))


def _parts(content: list[Any]) -> tuple[list[str], list[Result], list[Call], bool]:
    """Texts, results, calls and whether there is a picture, in a list of content parts."""
    texts: list[str] = []
    results: list[Result] = []
    calls: list[Call] = []
    has_images = False
    for part in content[:PARTS_READ]:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        if not isinstance(kind, str):
            kind = "text"
        if kind in _TEXT_PARTS:
            texts.append(string(part.get("text")))
        elif kind in _IMAGE_PARTS:
            has_images = True
        elif kind == "tool_result":
            results.append(Result(string(part.get("tool_use_id")), _result_text(part.get("content")), _failed(part)))
        elif kind == "tool_use":
            calls.append(Call(string(part.get("id")), string(part.get("name")), arguments_text(part.get("input"))))
    return texts, results, calls, has_images


def _calls(message: dict[str, Any]) -> list[Call]:
    """The calls of an assistant message; the legacy single `function_call` counts when it is the only one."""
    listed = message.get("tool_calls")
    if not isinstance(listed, list) or not listed:
        legacy = message.get("function_call")
        return (
            [Call(string(legacy.get("name")), string(legacy.get("name")), arguments_text(legacy.get("arguments")))]
            if isinstance(legacy, dict)
            else []
        )
    calls: list[Call] = []
    for call in listed[:PARTS_READ]:
        if not isinstance(call, dict):
            continue
        for kind, arguments in (("function", "arguments"), ("custom", "input")):
            made = call.get(kind)
            if isinstance(made, dict):
                calls.append(Call(string(call.get("id")), string(made.get("name")), arguments_text(made.get(arguments))))
                break
    return calls


def _result_text(content: object) -> str:
    if isinstance(content, str):
        return clip(content)
    if isinstance(content, list):
        texts, _, _, _ = _parts(content)
        return clip("\n".join(map(clip, texts)))
    return ""


def _failed(holder: dict[str, Any]) -> bool:
    return holder.get("is_error") is True or holder.get("isError") is True or holder.get("status") == "error"


def _standing_texts(system: object) -> list[str]:
    """Anthropic's top-level `system`: a string or text parts."""
    if isinstance(system, str):
        return [system] if system else []
    if isinstance(system, list):
        return [text for text in _parts(system)[0] if text]
    return []


def _tool_names(data: dict[str, Any]) -> tuple[str, ...]:
    listed = data.get("tools") or data.get("functions")
    if not isinstance(listed, list):
        return ()
    names: list[str] = []
    for tool in listed[:TOOLS_NAMED]:
        if isinstance(tool, dict):
            inner = tool.get("function")
            name = inner.get("name") if isinstance(inner, dict) else tool.get("name") or tool.get("type")
            names.append(string(name))
    return tuple(names)


def _schema_format(data: dict[str, Any]) -> dict[str, Any] | None:
    """The member that asks for JSON: OpenAI's `response_format` or Anthropic's `output_config.format`."""
    wanted = data.get("response_format")
    if not isinstance(wanted, dict):
        config = data.get("output_config")
        wanted = config.get("format") if isinstance(config, dict) else None
    return wanted if isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema") else None


def _wants_json(data: dict[str, Any]) -> bool:
    return _schema_format(data) is not None


def _answer_fields(data: dict[str, Any]) -> tuple[str, ...]:
    """The names at the top of the schema that the answer must follow."""
    wanted = _schema_format(data) or {}
    holder = wanted.get("json_schema")
    schema = holder.get("schema") if isinstance(holder, dict) else wanted.get("schema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return tuple(islice(properties, TOOLS_NAMED)) if isinstance(properties, dict) else ()


def _size(message: object) -> int:
    """Characters of text in a message, near enough."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return len(content)
    if isinstance(content, list):
        return sum(len(string(part.get("text"))) for part in content[:PARTS_READ] if isinstance(part, dict))
    return 0
