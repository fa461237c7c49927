"""Tools that OpenAI defines and the client runs: elsewhere they are functions like any other, and come back as their own.

`local_shell` (https://platform.openai.com/docs/guides/tools-local-shell) and `tool_search` with `execution: client`, by which Codex finds
the tools that it did not send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from providers.codecs.conversation import Tool

Data = Mapping[str, Any]


class ClientTool(NamedTuple):
    """`call` and `output` are the types of its items; `arguments` is the member of a call that holds what a function's arguments hold."""

    call: str
    output: str
    arguments: str
    description: str
    schema: Data


_STRINGS = {"type": "array", "items": {"type": "string"}}
CLIENT_TOOLS: Mapping[str, ClientTool] = {
    "local_shell": ClientTool(
        "local_shell_call",
        "local_shell_call_output",
        "action",
        "Runs a command on the user's machine and returns what it printed.",
        {
            "type": "object",
            "properties": {
                "command": {**_STRINGS, "description": "The program and its arguments."},
                "working_directory": {"type": "string"},
                "timeout_ms": {"type": "integer"},
                "env": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "required": ["command"],
        },
    ),
    "tool_search": ClientTool(
        "tool_search_call",
        "tool_search_output",
        "arguments",
        "Finds tools that can be used from then on.",
        {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    ),
}
CALLS: Mapping[str, str] = {tool.call: name for name, tool in CLIENT_TOOLS.items()}
"""Type of a call's item → the tool's name; OUTPUTS the same for its result's."""
OUTPUTS: Mapping[str, str] = {tool.output: name for name, tool in CLIENT_TOOLS.items()}


def is_client_tool(raw: Data) -> bool:
    """Does the declaration `raw` name one? A search that the server runs is none."""
    kind = raw.get("type")
    return kind in CLIENT_TOOLS and (kind != "tool_search" or raw.get("execution") == "client")


def as_function(raw: Data) -> Tool:
    kind = str(raw["type"])
    known, schema, told = CLIENT_TOOLS[kind], raw.get("parameters"), raw.get("description")
    return Tool(kind, told if isinstance(told, str) else known.description, schema if isinstance(schema, dict) else known.schema, raw=raw)


def call_members(name: str, call_id: str, arguments: str) -> dict[str, Any]:
    """The item of a call, without id and status. Arguments that are no object go in as the one thing they can be."""
    tool = CLIENT_TOOLS[name]
    try:
        data = orjson.loads(arguments) if arguments.strip() else {}
    except orjson.JSONDecodeError:
        data = None
    if name == "local_shell":
        action = data if isinstance(data, dict) else {"command": [arguments]}
        command = action.get("command")
        if isinstance(command, str):
            action = {**action, "command": ["bash", "-lc", command]}
        return {"type": tool.call, "call_id": call_id, "action": {**action, "env": action.get("env") or {}, "type": "exec"}}
    return {
        "type": tool.call,
        "call_id": call_id,
        "execution": "client",
        "arguments": data if isinstance(data, dict) else {"query": arguments},
    }
