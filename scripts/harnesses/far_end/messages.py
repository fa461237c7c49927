"""The far end speaks Anthropic's messages. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.harnesses.far_end.script import Asked, Move, Tool, pieces
from scripts.harnesses.far_end.speech import CACHED, INPUT, OUTPUT, Speech, sse, unpaired

_ID = "msg_01Scripted"
_SIGNATURE = "c2NyaXB0ZWQtc2lnbmF0dXJl"


def _blocks(body: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(role, content block) of the whole conversation."""
    return [
        (message.get("role", ""), block)
        for message in body.get("messages") or ()
        if isinstance(message.get("content"), list)
        for block in message["content"]
    ]


def read(body: Mapping[str, Any], target: str) -> Asked:
    del target
    choice = body.get("tool_choice") or {}
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return Asked(
        model=str(body.get("model")),
        is_streamed=bool(body.get("stream")),
        tools=[Tool(tool["name"], tool.get("input_schema") or {}) for tool in body.get("tools") or ()],
        results=[json.dumps(block.get("content")) for _, block in _blocks(body) if block.get("type") == "tool_result"],
        schema=wanted.get("schema") if wanted.get("type") == "json_schema" else None,
        forced=choice.get("name") if choice.get("type") == "tool" else None,
        wants_thoughts=(body.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
    )


def objections(body: Mapping[str, Any]) -> Sequence[str]:
    said = []
    if not isinstance(body.get("max_tokens"), int):
        said.append("max_tokens: Field required")
    messages = body.get("messages") or []
    strange = {str(message.get("role")) for message in messages} - {"user", "assistant", "system"}
    if strange:
        said.append(f"messages: unknown role {', '.join(sorted(strange))}")
    if not messages or messages[0].get("role") == "assistant":
        said.append("messages: the first message must be the user's")
    blocks = _blocks(body)
    said += [f"tool_use.input of {block['id']} is no object" for _, block in blocks if _is_odd_use(block)]
    said += ["text content blocks must be non-empty" for _, block in blocks if block.get("type") == "text" and not block.get("text")]
    said += [f"{block['type']} in a message of the {role}" for role, block in blocks if _is_misplaced(role, block)]
    budget = (body.get("thinking") or {}).get("budget_tokens")
    if budget is not None and budget >= body.get("max_tokens", 0):
        said.append("max_tokens must be greater than thinking.budget_tokens")
    uses = [block["id"] for _, block in blocks if block.get("type") == "tool_use"]
    results = [block["tool_use_id"] for _, block in blocks if block.get("type") == "tool_result"]
    return said + unpaired(uses, results, "tool_use")


def _is_odd_use(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "tool_use" and not isinstance(block.get("input"), dict)


def _is_misplaced(role: str, block: Mapping[str, Any]) -> bool:
    return (block.get("type") == "tool_use" and role != "assistant") or (block.get("type") == "tool_result" and role != "user")


def _usage(output: int = OUTPUT) -> dict[str, Any]:
    return {
        "input_tokens": INPUT - CACHED,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": CACHED,
        "output_tokens": output,
        "service_tier": "standard",
    }


def _event(kind: str, **members: Any) -> bytes:
    return sse({"type": kind, **members}, kind)


def _message(asked: Asked, content: Sequence[Any], stop: str | None, usage: Mapping[str, Any]) -> dict[str, Any]:
    head = {"id": _ID, "type": "message", "role": "assistant", "model": asked.model, "content": content}
    return {**head, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def _block(index: int, opening: Mapping[str, Any], deltas: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    yield _event("content_block_start", index=index, content_block=opening)
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def frames(asked: Asked, move: Move) -> Iterator[bytes]:
    yield _event("message_start", message=_message(asked, [], None, _usage(1)))
    yield _event("ping")
    index = 0
    if move.thought:
        deltas: list[Mapping[str, Any]] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(move.thought)]
        deltas.append({"type": "signature_delta", "signature": _SIGNATURE})
        yield from _block(index, {"type": "thinking", "thinking": "", "signature": ""}, deltas)
        index += 1
    if move.text:
        yield from _block(index, {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(move.text)])
        index += 1
    for call in move.calls:
        arguments = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(json.dumps(call.arguments))]]
        yield from _block(index, {"type": "tool_use", "id": _id(call.id), "name": call.tool.name, "input": {}}, arguments)
        index += 1
    stop = "tool_use" if move.calls else "end_turn"
    yield _event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage=_usage())
    yield _event("message_stop")


def _id(call: str) -> str:
    return call.replace("call_", "toolu_")


def whole(asked: Asked, move: Move) -> Mapping[str, Any]:
    content: list[dict[str, Any]] = []
    if move.thought:
        content.append({"type": "thinking", "thinking": move.thought, "signature": _SIGNATURE})
    if move.text:
        content.append({"type": "text", "text": move.text})
    content += [{"type": "tool_use", "id": _id(call.id), "name": call.tool.name, "input": call.arguments} for call in move.calls]
    return _message(asked, content, "tool_use" if move.calls else "end_turn", _usage())


def refusal(status: int, message: str) -> Mapping[str, Any]:
    types = {
        400: "invalid_request_error",
        401: "authentication_error",
        404: "not_found_error",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
    return {"type": "error", "error": {"type": types.get(status, "api_error"), "message": message}, "request_id": "req_scripted"}


def overflow() -> Mapping[str, Any]:
    return refusal(400, "prompt is too long: 210000 tokens > 200000 maximum")


def broken() -> bytes:
    return sse(refusal(529, "Overloaded"), "error")


SPEECH = Speech("messages", read, objections, frames, whole, refusal, overflow, broken)
