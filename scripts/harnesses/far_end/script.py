"""What the far end does: turn by turn it calls the harness's own tool, and when all results are there it says the last word.

Pure. A dialect's file reads a request into `Asked` and writes a `Move` as that dialect has it; this file decides which move it is.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MARK = "hello-from-tool-7361"
"""What the tool must print; no model makes it up."""
COMMAND = f"echo {MARK}"
CODE = f'const r = await tools.exec_command({{"cmd": "{COMMAND}"}}); text(JSON.stringify(r));'
"""The same as a cell of Codex's code mode."""
LAST_WORD = "SCRIPT-DONE"
PROMPT = f"Run the shell command '{COMMAND}' as often as you are told to, then say what it printed."

CALLS_PER_TURN = (1, 2)
"""Two turns with tools; the second asks for two calls at once."""
MOST_RESULTS = 9
"""Tools that never print the mark must not make an endless conversation. After a cut stream some harnesses add an "aborted" result."""
THOUGHT = "First I look at what is asked, then I run it."

_TOOLS = ("Bash", "bash", "run_shell_command", "exec_command", "shell_command", "shell", "get_weather", "exec")
"""The shell of each harness, then the SDKs' tool, then Codex's JavaScript cell."""


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    schema: Mapping[str, Any]
    kind: str = "function"
    """`function`, or `custom`: free text instead of JSON (Codex)."""
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as the script reads it."""

    model: str
    is_streamed: bool
    tools: Sequence[Tool] = ()
    results: Sequence[str] = ()
    """What the tools gave back so far, as JSON."""
    schema: Mapping[str, Any] | None = None
    """The answer must be JSON of this shape."""
    forced: str | None = None
    """The tool that must be called."""
    wants_thoughts: bool = True
    wants_usage: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    tool: Tool
    arguments: Any
    """An object, or text for a custom tool."""


@dataclass(frozen=True, slots=True)
class Move:
    """Thoughts, then words, then calls; without calls it is the end of the answer."""

    text: str
    calls: Sequence[Call] = ()
    thought: str = ""


_ids = itertools.count(1)


def next_move(asked: Asked) -> Move:
    """The script's next step after the results that the request already carries."""
    if asked.schema is not None:
        return Move(json.dumps(sample(asked.schema)))
    thought = THOUGHT if asked.wants_thoughts else ""
    if asked.forced is not None:
        forced = next((tool for tool in asked.tools if tool.name == asked.forced), Tool(asked.forced, {}))
        return Move("", [_call(forced)], thought)
    tool = _preferred(asked.tools)
    if tool is None:
        return Move("A short title")  # titles and other chores carry no tools
    seen = sum(MARK in result for result in asked.results)
    due = 0
    for calls in CALLS_PER_TURN:
        if seen <= due and len(asked.results) < MOST_RESULTS:
            return Move("Let me run that.", [_call(tool) for _ in range(calls)], thought)
        due += calls
    return Move(f"{LAST_WORD} seen={seen}/{len(asked.results)}", (), thought)


DONE = f"{LAST_WORD} seen={sum(CALLS_PER_TURN)}/"
"""Every call's output arrived, perhaps beside results of calls that a failure cut off."""
EXPECTED = f"{DONE}{sum(CALLS_PER_TURN)}"
"""Every call's output arrived, and nothing else."""


def _preferred(tools: Sequence[Tool]) -> Tool | None:
    named = {tool.name: tool for tool in tools}
    return next((named[name] for name in _TOOLS if name in named), None)


def _call(tool: Tool) -> Call:
    number = next(_ids)
    if tool.kind == "custom":
        return Call(f"call_{number:06d}", tool, CODE)
    arguments = sample(tool.schema)
    # A custom tool that was translated: its text is a function's only argument.
    return Call(f"call_{number:06d}", tool, dict.fromkeys(arguments, CODE) if tool.name == "exec" else arguments)


def sample(schema: Mapping[str, Any], name: str = "") -> Any:
    """The smallest value that fits a JSON Schema; a string called like a command runs `COMMAND`."""
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], name)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema or not name else "string")
    kind = (kind[0] if isinstance(kind, list) else str(kind)).lower()  # Gemini writes them in capitals
    match kind:
        case "object":
            properties = schema.get("properties", {})
            return {key: sample(properties.get(key, {}), key) for key in schema.get("required", ())}
        case "array":
            return ["bash", "-lc", COMMAND] if name in ("command", "cmd") else []
    return _scalar(kind, name)


def _scalar(kind: str, name: str) -> Any:
    if kind in ("integer", "number"):
        return 10_000 if "timeout" in name else 1
    if kind == "boolean":
        return False
    return COMMAND if name in ("command", "cmd", "script") else f"a {name or 'value'}"


def pieces(text: str, length: int = 12) -> list[str]:
    """A text as it streams: in small pieces, at least one."""
    return [text[start : start + length] for start in range(0, len(text), length)] or [""]
