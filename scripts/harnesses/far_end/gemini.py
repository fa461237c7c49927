"""The far end speaks Gemini. https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.harnesses.far_end.script import Asked, Move, Tool, pieces
from scripts.harnesses.far_end.speech import CACHED, INPUT, OUTPUT, THINKING, Speech, sse

_SIGNATURE = "c2NyaXB0ZWQ="
_answers = itertools.count(1)
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def _parts(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [part for content in body.get("contents") or () for part in content.get("parts") or ()]


def read(body: Mapping[str, Any], target: str) -> Asked:
    declared = [function for tool in body.get("tools") or () for function in tool.get("functionDeclarations") or ()]
    settings = body.get("generationConfig") or {}
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names = calling.get("allowedFunctionNames") or []
    return Asked(
        model=target.partition("?")[0].rpartition("/")[2].partition(":")[0],
        is_streamed=":streamGenerateContent" in target,
        tools=[Tool(function["name"], function.get("parametersJsonSchema") or function.get("parameters") or {}) for function in declared],
        results=[json.dumps(part["functionResponse"]) for part in _parts(body) if "functionResponse" in part],
        schema=settings.get("responseJsonSchema") or settings.get("responseSchema"),
        forced=names[0] if len(names) == 1 and calling.get("mode") == "ANY" else None,
        wants_thoughts=bool((settings.get("thinkingConfig") or {}).get("includeThoughts")),
    )


def objections(body: Mapping[str, Any]) -> Sequence[str]:
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        return ["contents is not specified"]
    said = [f"Please use a valid role: user, model (got {content.get('role')})" for content in contents if _is_odd_role(content)]
    said += ["a content without parts" for content in contents if not content.get("parts")]
    for before, content in zip([{}, *contents], contents, strict=False):
        answers = sum("functionResponse" in part for part in content.get("parts") or ())
        calls = sum("functionCall" in part for part in before.get("parts") or ())
        if answers != calls and (answers or calls):
            said.append(f"function response parts ({answers}) must equal the function call parts ({calls}) of the turn before")
    return said


def _is_odd_role(content: Mapping[str, Any]) -> bool:
    return content.get("role", "user") not in ("user", "model", "function")


def _new_id() -> str:
    """Every answer has its own; calls have none, so whoever needs ids makes them from this one."""
    return f"scripted{next(_answers):04}"


def _chunk(asked: Asked, answer: str, parts: Sequence[Mapping[str, Any]], finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    usage = {
        "promptTokenCount": INPUT,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": OUTPUT - THINKING,
        "thoughtsTokenCount": THINKING,
        "totalTokenCount": INPUT + OUTPUT,
    }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": asked.model, "responseId": answer}


def _calls(move: Move) -> list[dict[str, Any]]:
    """The signature comes with the first call of a turn only, as Gemini 3 has it."""
    parts: list[dict[str, Any]] = [{"functionCall": {"name": call.tool.name, "args": call.arguments}} for call in move.calls]
    if parts:
        parts[0]["thoughtSignature"] = _SIGNATURE
    return parts


def frames(asked: Asked, move: Move) -> Iterator[bytes]:
    answer = _new_id()
    if move.thought:
        yield sse(_chunk(asked, answer, [{"text": move.thought, "thought": True}]))
    for piece in pieces(move.text, 20) if move.text else ():
        yield sse(_chunk(asked, answer, [{"text": piece}]))
    for part in _calls(move):
        yield sse(_chunk(asked, answer, [part]))
    yield sse(_chunk(asked, answer, [{"text": ""}], "STOP"))


def whole(asked: Asked, move: Move) -> Mapping[str, Any]:
    parts: list[dict[str, Any]] = [{"text": move.thought, "thought": True}] if move.thought else []
    parts += [{"text": move.text}] if move.text else []
    return _chunk(asked, _new_id(), parts + _calls(move), "STOP")


def refusal(status: int, message: str) -> Mapping[str, Any]:
    return {"error": {"code": status, "message": message, "status": _STATUS.get(status, "INTERNAL")}}


def overflow() -> Mapping[str, Any]:
    return refusal(400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).")


def broken() -> bytes:
    return sse(refusal(503, "The model is overloaded. Please try again later."))


SPEECH = Speech("gemini", read, objections, frames, whole, refusal, overflow, broken)
