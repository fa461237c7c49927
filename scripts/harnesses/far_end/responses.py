"""The far end speaks OpenAI's responses. https://platform.openai.com/docs/api-reference/responses-streaming"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.harnesses.far_end.script import Asked, Call, Move, Tool, pieces
from scripts.harnesses.far_end.speech import CACHED, INPUT, OUTPUT, THINKING, Speech, sse, unpaired

_SEALED = "c2NyaXB0ZWQtcmVhc29uaW5n"
_CALLS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}


def _items(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    items = body.get("input")
    return items if isinstance(items, list) else []


def _tools(body: Mapping[str, Any]) -> Iterator[Tool]:
    """Plain functions, custom tools, those inside namespaces, and those that Codex sends as an item of the input."""
    listed = list(body.get("tools") or ())
    for item in _items(body):
        if item.get("type") == "additional_tools":
            listed += item.get("tools") or ()
    for tool in listed:
        if tool.get("type") == "namespace":
            yield from (_tool(inner, tool["name"]) for inner in tool.get("tools") or ())
        elif tool.get("type") in ("function", "custom"):
            yield _tool(tool)


def _tool(tool: Mapping[str, Any], namespace: str | None = None) -> Tool:
    return Tool(tool["name"], tool.get("parameters") or {}, tool.get("type", "function"), namespace)


def read(body: Mapping[str, Any], target: str) -> Asked:
    del target
    wanted = (body.get("text") or {}).get("format") or {}
    choice = body.get("tool_choice")
    return Asked(
        model=str(body.get("model")),
        is_streamed=bool(body.get("stream")),
        tools=list(_tools(body)),
        results=[json.dumps(item.get("output")) for item in _items(body) if item.get("type") in _CALLS.values()],
        schema=wanted.get("schema") if wanted.get("type") == "json_schema" else None,
        forced=choice.get("name") if isinstance(choice, dict) else None,
    )


def objections(body: Mapping[str, Any]) -> Sequence[str]:
    if "input" not in body:
        return ["Missing required parameter: 'input'"]
    items = _items(body)
    said: list[str] = []
    for kind, output in _CALLS.items():
        calls = [item["call_id"] for item in items if item.get("type") == kind]
        said += unpaired(calls, [item["call_id"] for item in items if item.get("type") == output], kind)
    for item in items:
        if item.get("type", "message") == "message":
            said += _wrong_parts(str(item.get("role")), item.get("content"))
        elif item.get("type") == "reasoning" and item.get("encrypted_content") not in (None, _SEALED):
            said.append("the encrypted content could not be verified")
    return said


def _wrong_parts(role: str, content: object) -> list[str]:
    """An assistant says output_text, everybody else input_*."""
    if not isinstance(content, list):
        return []
    fit = {"output_text", "refusal"} if role == "assistant" else {"input_text", "input_image", "input_file"}
    wrong = sorted({str(part.get("type")) for part in content} - fit)
    return [f"content of the {role}: invalid value {', '.join(wrong)}"] if wrong else []


def _usage() -> dict[str, Any]:
    return {
        "input_tokens": INPUT,
        "input_tokens_details": {"cached_tokens": CACHED},
        "output_tokens": OUTPUT,
        "output_tokens_details": {"reasoning_tokens": THINKING},
        "total_tokens": INPUT + OUTPUT,
    }


def _response(asked: Asked, status: str, output: Sequence[Any]) -> dict[str, Any]:
    return {
        "id": "resp_scripted",
        "object": "response",
        "created_at": 1_780_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage() if status == "completed" else None,
        "metadata": {},
    }


class _Writer:
    """Numbers the events and the items of one answer."""

    def __init__(self) -> None:
        self._sequence = itertools.count()
        self.output: list[dict[str, Any]] = []

    def event(self, kind: str, **members: Any) -> bytes:
        return sse({"type": kind, "sequence_number": next(self._sequence), **members}, kind)

    def item(self, opening: dict[str, Any], parts: Sequence[tuple[str, dict[str, Any]]], done: dict[str, Any]) -> Iterator[bytes]:
        place = {"output_index": len(self.output)}
        yield self.event("response.output_item.added", **place, item=opening)
        for kind, members in parts:
            yield self.event(kind, item_id=opening["id"], **place, **members)
        yield self.event("response.output_item.done", **place, item=done)
        self.output.append(done)


def _reasoning(number: int, thought: str) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    opening = {"id": f"rs_{number}", "type": "reasoning", "summary": []}
    part = {"type": "summary_text", "text": thought}
    place = {"summary_index": 0}
    parts: list[tuple[str, dict[str, Any]]] = [("response.reasoning_summary_part.added", {**place, "part": {**part, "text": ""}})]
    parts += [("response.reasoning_summary_text.delta", {**place, "delta": piece}) for piece in pieces(thought)]
    parts.append(("response.reasoning_summary_text.done", {**place, "text": thought}))
    parts.append(("response.reasoning_summary_part.done", {**place, "part": part}))
    return opening, parts, {**opening, "summary": [part], "encrypted_content": _SEALED}


def _message(number: int, text: str) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    opening = {"id": f"msg_{number}", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    place = {"content_index": 0}
    parts: list[tuple[str, dict[str, Any]]] = [("response.content_part.added", {**place, "part": {**part, "text": ""}})]
    parts += [("response.output_text.delta", {**place, "delta": piece, "logprobs": []}) for piece in pieces(text)]
    parts.append(("response.output_text.done", {**place, "text": text, "logprobs": []}))
    parts.append(("response.content_part.done", {**place, "part": part}))
    return opening, parts, {**opening, "status": "completed", "content": [part]}


def _call(call: Call) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    is_custom = call.tool.kind == "custom"
    kind, member, stem = ("custom_tool_call", "input", "custom_tool_call_input") if is_custom else ("function_call", "arguments", "")
    text = call.arguments if is_custom else json.dumps(call.arguments)
    opening = {"id": call.id.replace("call_", "fc_"), "type": kind, "status": "in_progress", "call_id": call.id, "name": call.tool.name}
    if call.tool.namespace is not None:
        opening["namespace"] = call.tool.namespace
    stem = f"response.{stem or 'function_call_arguments'}"
    parts: list[tuple[str, dict[str, Any]]] = [(f"{stem}.delta", {"delta": piece}) for piece in pieces(text)]
    parts.append((f"{stem}.done", {member: text}))
    return {**opening, member: ""}, parts, {**opening, "status": "completed", member: text}


def frames(asked: Asked, move: Move) -> Iterator[bytes]:
    writer = _Writer()
    yield writer.event("response.created", response=_response(asked, "in_progress", []))
    yield writer.event("response.in_progress", response=_response(asked, "in_progress", []))
    if move.thought:
        yield from writer.item(*_reasoning(0, move.thought))
    if move.text:
        yield from writer.item(*_message(len(writer.output), move.text))
    for call in move.calls:
        yield from writer.item(*_call(call))
    yield writer.event("response.completed", response=_response(asked, "completed", writer.output))


def whole(asked: Asked, move: Move) -> Mapping[str, Any]:
    items = [_reasoning(0, move.thought)] if move.thought else []
    items += [_message(1, move.text)] if move.text else []
    items += [_call(call) for call in move.calls]
    return _response(asked, "completed", [done for _, _, done in items])


def refusal(status: int, message: str) -> Mapping[str, Any]:
    kinds = {
        400: ("invalid_request_error", None),
        401: ("authentication_error", "invalid_api_key"),
        404: ("invalid_request_error", "model_not_found"),
        429: ("requests", "rate_limit_exceeded"),
        529: ("server_error", "server_is_overloaded"),
    }
    type_, code = kinds.get(status, ("server_error", None))
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


def overflow() -> Mapping[str, Any]:
    text = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return {"error": {"message": text, "type": "invalid_request_error", "param": "input", "code": "context_length_exceeded"}}


def broken() -> bytes:
    error = {"code": "server_is_overloaded", "message": "Our servers are currently overloaded. Please try again later."}
    failed = {**_response(Asked("", is_streamed=True), "failed", []), "error": error}
    return sse({"type": "response.failed", "sequence_number": 99, "response": failed}, "response.failed")


SPEECH = Speech("responses", read, objections, frames, whole, refusal, overflow, broken)
