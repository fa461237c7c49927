"""The far end speaks chat completions. https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.harnesses.far_end.script import Asked, Move, Tool, pieces
from scripts.harnesses.far_end.speech import CACHED, INPUT, OUTPUT, THINKING, Speech, sse, unpaired

_ID = "chatcmpl-scripted"
_ROLES = {"system", "developer", "user", "assistant", "tool"}


def read(body: Mapping[str, Any], target: str) -> Asked:
    del target
    functions = [tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"]
    choice = body.get("tool_choice")
    wanted = body.get("response_format") or {}
    return Asked(
        model=str(body.get("model")),
        is_streamed=bool(body.get("stream")),
        tools=[Tool(function["name"], function.get("parameters") or {}) for function in functions],
        results=[json.dumps(message.get("content")) for message in body.get("messages") or () if message.get("role") == "tool"],
        schema=(wanted.get("json_schema") or {}).get("schema") if wanted.get("type") == "json_schema" else None,
        forced=choice["function"]["name"] if isinstance(choice, dict) and "function" in choice else None,
        wants_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def objections(body: Mapping[str, Any]) -> Sequence[str]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return ["messages must not be empty"]
    strange = {str(message.get("role")) for message in messages} - _ROLES
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    results = [message.get("tool_call_id", "") for message in messages if message.get("role") == "tool"]
    said = [f"unknown role: {', '.join(sorted(strange))}"] if strange else []
    said += [
        f"arguments of {call['id']} are not a string"
        for message in messages
        for call in message.get("tool_calls") or ()
        if not isinstance(call.get("function", {}).get("arguments"), str)
    ]
    return said + unpaired(calls, results, "tool call") + _order(messages)


def _order(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Results follow directly on the assistant's message with their calls."""
    open_calls: set[str] = set()
    for message in messages:
        if message.get("role") == "tool":
            open_calls.discard(message.get("tool_call_id", ""))
            continue
        if open_calls:
            return [f"a message stands between the calls {', '.join(sorted(open_calls))} and their results"]
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
    return []


def _usage() -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT,
        "completion_tokens": OUTPUT,
        "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED},
        "completion_tokens_details": {"reasoning_tokens": THINKING},
    }


def frames(asked: Asked, move: Move) -> Iterator[bytes]:
    head = {"id": _ID, "object": "chat.completion.chunk", "created": 1_780_000_000, "model": asked.model}

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        return sse({**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(move.thought) if move.thought else ():
        yield chunk({"reasoning_content": piece})
    for piece in pieces(move.text) if move.text else ():
        yield chunk({"content": piece})
    for index, call in enumerate(move.calls):
        opening = {"index": index, "id": call.id, "type": "function", "function": {"name": call.tool.name, "arguments": ""}}
        yield chunk({"tool_calls": [opening]})
        for piece in pieces(json.dumps(call.arguments)):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, "tool_calls" if move.calls else "stop")
    if asked.wants_usage:
        yield sse({**head, "choices": [], "usage": _usage()})
    yield sse("[DONE]")


def whole(asked: Asked, move: Move) -> Mapping[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": move.text or None, "refusal": None}
    if move.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.tool.name, "arguments": json.dumps(call.arguments)}}
            for call in move.calls
        ]
    finish = "tool_calls" if move.calls else "stop"
    return {
        "id": _ID,
        "object": "chat.completion",
        "created": 1_780_000_000,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": _usage(),
    }


def refusal(status: int, message: str) -> Mapping[str, Any]:
    kinds = {
        400: ("invalid_request_error", None),
        401: ("authentication_error", "invalid_api_key"),
        404: ("invalid_request_error", "model_not_found"),
        429: ("requests", "rate_limit_exceeded"),
        529: ("server_error", "overloaded"),
    }
    type_, code = kinds.get(status, ("server_error", None))
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


def overflow() -> Mapping[str, Any]:
    text = "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens."
    return {"error": {"message": text, "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}


def broken() -> bytes:
    return sse({"error": {"message": "The server is overloaded.", "type": "server_error", "code": 503}})


SPEECH = Speech("chat", read, objections, frames, whole, refusal, overflow, broken)
