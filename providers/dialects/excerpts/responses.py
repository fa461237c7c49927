"""The excerpt of a Responses body: its items are read as the messages, calls and results of a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from providers.dialects.excerpts.assemble import assemble
from providers.dialects.excerpts.chat import MESSAGES_SIZED, NO_HINTS, PARTS_READ, TOOLS_NAMED, read_message
from providers.dialects.excerpts.reading import Call, Said, arguments_text, count, string
from routing.calibration import tokens_from_bytes
from routing.classify.excerpt import Excerpt, cut

CALL_ARGUMENTS: Mapping[str, str] = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "tool_search_call": "arguments",
    "shell_call": "action",
    "apply_patch_call": "operation",
}
"""Type of an item that is a call of the client's tools → its member that says what to do."""
OUTPUTS = frozenset({f"{call}_output" for call in CALL_ARGUMENTS} | {"tool_search_output"})
_ROLES = dict.fromkeys(CALL_ARGUMENTS, "assistant") | dict.fromkeys(OUTPUTS, "tool")
_NOTHING = Said("")


def responses_excerpt(data: dict[str, Any], *, harness: str = "unknown", hints: Mapping[str, str] = NO_HINTS) -> Excerpt:
    """The telling parts of a Responses body. Never raises, whatever the members hold; what is missing or odd is as if it were empty."""
    items = input_items(data)
    roles = [_role(item) for item in items]
    instructions = string(data.get("instructions"))
    sized = items if len(items) <= 2 * MESSAGES_SIZED else items[:MESSAGES_SIZED] + items[-MESSAGES_SIZED:]
    wanted = _schema_format(data)
    schema = wanted.get("schema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    before = Excerpt(
        endpoint="responses",
        system=cut(instructions),
        human="",
        human_chars=0,
        opening="",
        tool_names=tuple(islice(tool_names(data), TOOLS_NAMED)),
        messages=len(items),
        human_turns=roles.count("user"),
        assistant_turns=roles.count("assistant"),
        wants_json=bool(wanted),
        output_tokens_max=count(data.get("max_output_tokens")),
        input_tokens_estimated=tokens_from_bytes(sum(map(_size, sized)) + len(instructions)),
        harness=harness,
        hints=hints,
        answer_fields=tuple(islice(properties, TOOLS_NAMED)) if isinstance(properties, dict) else (),
    )
    return assemble(items, roles, read_item, before)


def input_items(data: Mapping[str, Any]) -> list[Any]:
    """The input's items; a text is one message of the user's."""
    given = data.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return given if isinstance(given, list) else []


def tool_names(data: Mapping[str, Any]) -> Iterator[str]:
    """The names of the tools, those in namespaces and in an `additional_tools` item (Codex) included."""
    yield from _names(data.get("tools"))
    items = data.get("input")
    for item in items[:2] if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("type") == "additional_tools":
            yield from _names(item.get("tools"))


def _names(tools: object) -> Iterator[str]:
    for tool in tools[:TOOLS_NAMED] if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        inner = tool.get("tools")
        if isinstance(inner, list) and tool.get("type") == "namespace":
            yield from (string(each.get("name")) for each in inner[:TOOLS_NAMED] if isinstance(each, dict))
        else:
            yield string(tool.get("name")) or string(tool.get("type"))


def _role(item: object) -> object:
    if not isinstance(item, dict):
        return None
    kind = item.get("type")
    return _ROLES.get(kind) if isinstance(kind, str) and kind != "message" else item.get("role")


def read_item(item: object) -> Said:
    """One item; reasoning and what a server did say nothing."""
    if not isinstance(item, dict):
        return _NOTHING
    kind = item.get("type")
    if not isinstance(kind, str) or kind == "message":
        return read_message(item)
    if kind in OUTPUTS:
        return read_message({"role": "tool", "tool_call_id": _call_id(item), "content": item.get("output"), "status": item.get("status")})
    arguments = CALL_ARGUMENTS.get(kind)
    if arguments is None:
        return _NOTHING
    name = string(item.get("name")) or kind.removesuffix("_call")
    return Said("assistant", (), (Call(_call_id(item), name, arguments_text(item.get(arguments))),))


def _call_id(item: dict[str, Any]) -> str:
    return string(item.get("call_id")) or string(item.get("id"))


def _schema_format(data: Mapping[str, Any]) -> dict[str, Any]:
    """`text.format` where it asks for JSON, else nothing."""
    text = data.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    return wanted if isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema") else {}


def _size(item: object) -> int:
    """Characters of text in an item, near enough: what is no text in it is short, or was counted as input where it came from."""
    if not isinstance(item, dict):
        return 0
    size = 0
    for value in item.values():
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, list):
            size += sum(len(string(part.get("text"))) for part in value[:PARTS_READ] if isinstance(part, dict))
    return size
