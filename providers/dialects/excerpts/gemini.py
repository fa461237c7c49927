"""The excerpt of a generateContent body."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from providers.codecs.gemini.spelling import member
from providers.dialects.excerpts.assemble import assemble
from providers.dialects.excerpts.chat import MESSAGES_SIZED, NO_HINTS, PARTS_READ, TOOLS_NAMED
from providers.dialects.excerpts.reading import Call, Result, Said, arguments_text, clip, count, join_edges, string
from routing.calibration import tokens_from_bytes
from routing.classify.excerpt import Excerpt

_ROLES = {"model": "assistant", "user": "user", "function": "tool", "tool": "tool", "system": "system", "": "user"}
_NOTHING = Said("")


def gemini_excerpt(data: dict[str, Any], *, harness: str = "unknown", hints: Mapping[str, str] = NO_HINTS) -> Excerpt:
    """The telling parts of a body. Never raises, whatever the members hold; what is missing or odd is as if it were empty."""
    contents = data.get("contents")
    listed: list[Any] = contents if isinstance(contents, list) else []
    standing = [text for text in read_content({"role": "system", **_object(data, "systemInstruction")}).texts if text]
    roles = [_role(content) for content in listed]
    sized = listed if len(listed) <= 2 * MESSAGES_SIZED else listed[:MESSAGES_SIZED] + listed[-MESSAGES_SIZED:]
    config = _object(data, "generationConfig")
    schema = member(config, "responseJsonSchema") or member(config, "responseSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    before = Excerpt(
        endpoint="gemini",
        system=join_edges(standing) if standing else "",
        human="",
        human_chars=0,
        opening="",
        tool_names=tuple(islice(tool_names(data), TOOLS_NAMED)),
        messages=len(listed),
        human_turns=roles.count("user"),
        assistant_turns=roles.count("assistant"),
        wants_json=member(config, "responseMimeType") == "application/json",
        output_tokens_max=count(member(config, "maxOutputTokens")),
        input_tokens_estimated=tokens_from_bytes(sum(map(_size, sized)) + sum(map(len, standing))),
        harness=harness,
        hints=hints,
        answer_fields=tuple(islice(properties, TOOLS_NAMED)) if isinstance(properties, dict) else (),
    )
    return assemble(listed, roles, read_content, before)


def read_content(content: object) -> Said:
    """One content; something else than an object says nothing."""
    if not isinstance(content, dict):
        return _NOTHING
    texts: list[str] = []
    calls: list[Call] = []
    results: list[Result] = []
    has_images = False
    for part in islice(parts_of(content), PARTS_READ):
        if isinstance(text := part.get("text"), str):
            if part.get("thought") is not True:
                texts.append(text)
        elif isinstance(call := member(part, "functionCall"), dict):
            name = string(call.get("name"))
            calls.append(Call(string(call.get("id")) or name, name, arguments_text(call.get("args"))))
        elif isinstance(answered := member(part, "functionResponse"), dict):
            results.append(_result(answered))
        elif isinstance(file := member(part, "inlineData") or member(part, "fileData"), dict):
            has_images = has_images or string(member(file, "mimeType")).startswith("image/")
    role = _ROLES.get(string(content.get("role")), "")
    return Said(role, texts, calls, results, has_images)


def _result(answered: dict[str, Any]) -> Result:
    response = answered.get("response")
    told = response if isinstance(response, dict) else {}
    text = "\n".join(clip(value) for value in told.values() if isinstance(value, str))
    return Result(string(answered.get("id")) or string(answered.get("name")), clip(text), "error" in told)


def _role(content: object) -> object:
    """The role in the classifier's words; `tool` for a user's content that begins with a function's response."""
    if not isinstance(content, dict):
        return None
    parts = parts_of(content)
    if parts and member(parts[0], "functionResponse") is not None and "text" not in parts[-1]:
        return "tool"
    return _ROLES.get(string(content.get("role")))


def parts_of(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A content's parts, as far as they are objects."""
    parts = content.get("parts")
    if isinstance(parts, dict):
        return [parts]
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def tool_names(data: Mapping[str, Any]) -> list[str]:
    """The names of the declared functions, in order; Google's own tools under their member's name."""
    tools = data.get("tools")
    names: list[str] = []
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        declared = member(tool, "functionDeclarations")
        if isinstance(declared, list):
            names += [each["name"] for each in declared if isinstance(each, dict) and isinstance(each.get("name"), str)]
        else:
            names += [key for key in tool if isinstance(key, str)]
    return names


def _object(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = member(data, name)
    return value if isinstance(value, dict) else {}


def _size(content: object) -> int:
    """Characters of text in a content, near enough."""
    return sum(len(string(part.get("text"))) for part in parts_of(content)[:PARTS_READ]) if isinstance(content, dict) else 0
