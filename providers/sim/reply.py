"""What a simulated model says, before any wire format: pieces of text, or one tool call. Pure and deterministic.

The text says plainly that it is simulated: a placeholder that reads like an answer would be a lie with a price tag.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from providers.sim.fleet import SimReplica
from providers.sim.request import Asked, RequestError, last_message, text_of
from providers.sim.schema import example

ECHO_WORDS = 12
ECHO_CHARACTERS = 200
"""A word may be a megabyte long."""
JSON_PIECE = 8
"""Characters per piece of JSON: compact JSON has no spaces to cut at, and clients must cope with any cut."""
_FILLER = (
    "route stream token model local cloud price latency quota tier replica answer placeholder window headroom cache budget harness "
    "dialect upstream request word chunk decision ledger journal"
)
FILLER = tuple(_FILLER.split())

_WORD = re.compile(r"\s*\S+")
_FORCING = frozenset({"required", "any"})


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Who is called; the arguments, as JSON text, are the reply's pieces."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Each piece counts as one output token; of a tool call the pieces are those of its arguments."""

    pieces: tuple[str, ...]
    finish_reason: str
    tool_call: ToolCall | None = None

    @property
    def output_tokens(self) -> int:
        return len(self.pieces)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def reply_to_chat(asked: Asked, replica: SimReplica) -> Reply:
    """A tool call when one is due, JSON when `response_format` asks for it, otherwise text. Raises RequestError on malformed messages."""
    message = last_message(asked.fields)
    text = text_of(message.get("content"))
    tool = _tool_to_call(asked.fields, message, text)
    if tool is not None:
        arguments = orjson.dumps(example(tool.get("parameters")) or {}).decode()
        call = ToolCall(f"call_{asked.short_id}", tool["name"])
        return _cut(_json_pieces(arguments), asked.max_tokens, "tool_calls", call)
    wanted = _wanted_json(asked.fields.get("response_format"), replica)
    pieces = _json_pieces(wanted) if wanted is not None else _words(_speech(asked, replica, text))
    return _cut(pieces, asked.max_tokens, "stop")


def reply_to_prompt(asked: Asked, replica: SimReplica) -> Reply:
    """A legacy completion: always text, for the first prompt where several are given. Raises RequestError when there is no prompt."""
    prompt = asked.fields.get("prompt")
    if isinstance(prompt, list) and prompt:
        # A list of strings, of tokens, or of lists of tokens; tokens are numbers of a vocabulary that nobody here has.
        prompt = prompt[0] if isinstance(prompt[0], str) else "these tokens"
    if not isinstance(prompt, str):
        raise RequestError(400, None, "'prompt' must be a string or a list.", param="prompt")
    return _cut(_words(_speech(asked, replica, prompt)), asked.max_tokens, "stop")


def _cut(pieces: tuple[str, ...], max_tokens: int | None, finish_reason: str, call: ToolCall | None = None) -> Reply:
    if max_tokens is not None and len(pieces) > max_tokens:
        return Reply(pieces[:max_tokens], "length", call)
    return Reply(pieces, finish_reason, call)


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text))


def _json_pieces(text: str) -> tuple[str, ...]:
    return tuple(text[start : start + JSON_PIECE] for start in range(0, len(text), JSON_PIECE))


def _speech(asked: Asked, replica: SimReplica, heard: str) -> str:
    words = heard.split()
    echo = " ".join(words[:ECHO_WORDS])[:ECHO_CHARACTERS]
    more = " …" if len(words) > ECHO_WORDS else ""
    # Not a secret: variety that anybody can repeat.
    chance = random.Random(asked.digest)  # noqa: S311
    filler = " ".join(chance.choices(FILLER, k=chance.randint(6, 30)))
    said = f'You said: "{echo}{more}"' if words else "You said nothing"
    return (
        f"This is the simulated fleet of donut ({replica.upstream_model} on {replica.provider_id}); no model was asked. "
        f"{said} ({len(words)} words). Placeholder words: {filler}."
    )


def _wanted_json(response_format: Any, replica: SimReplica) -> str | None:
    """JSON text for `response_format`, None when plain text is wanted. Raises RequestError when a schema is promised and missing."""
    if not isinstance(response_format, Mapping):
        return None
    match response_format.get("type"):
        case "json_object":
            value: Any = {"simulated": True, "model": replica.upstream_model, "provider": replica.provider_id, "note": "no model was asked"}
        case "json_schema":
            holder = response_format.get("json_schema")
            schema = holder.get("schema") if isinstance(holder, Mapping) else None
            if not isinstance(schema, Mapping):
                raise RequestError(400, None, "Missing required parameter: 'response_format.json_schema.schema'.", param="response_format")
            value = example(schema)
        case _:
            return None
    return orjson.dumps(value).decode()


def _tool_to_call(fields: Mapping[str, Any], message: Mapping[str, Any], text: str) -> Mapping[str, Any] | None:
    """The function to call: the one that `tool_choice` names; the first that the user's text mentions, or the first of all, when
    a call is forced or the last word is a user's that speaks of a tool; else None.
    """
    functions = _functions(fields.get("tools"))
    choice = fields.get("tool_choice")
    if not functions or choice == "none":
        return None
    if isinstance(choice, Mapping):
        named = choice.get("function")
        name = named.get("name") if isinstance(named, Mapping) else None
        for function in functions:
            if function["name"] == name:
                return function
        raise RequestError(400, None, f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    speaks_of_tools = message["role"] == "user" and "tool" in text.lower()
    if choice not in _FORCING and not speaks_of_tools:
        return None
    return next((function for function in functions if function["name"] in text), functions[0])


def _functions(tools: Any) -> list[Mapping[str, Any]]:
    """The callable functions among `tools`; other kinds (hosted tools, custom grammars) are none of a simulation's business."""
    if not isinstance(tools, list):
        return []
    offered = [tool.get("function") for tool in tools if isinstance(tool, Mapping)]
    return [function for function in offered if isinstance(function, Mapping) and isinstance(function.get("name"), str)]
