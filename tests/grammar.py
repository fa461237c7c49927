"""What each format demands of a finished stream, as assertions: `GRAMMARS[dialect](stream)`. The SDKs' own types judge every event.

Stricter than the SDKs where a real client is: Codex needs `output_item.done`, Claude Code balanced blocks, OpenCode one end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

_MESSAGES: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
_RESPONSES: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)

Said = dict[str, Any]


def frames(stream: bytes) -> list[tuple[str, str]]:
    """(name, data) of each event; the name is empty where no `event:` line says it. One line of data each, and nothing else."""
    assert stream.endswith(b"\n\n")
    found = []
    for event in stream.decode().removesuffix("\n\n").split("\n\n"):
        name, _, data = event.rpartition("\n")
        assert data.startswith("data: ")
        assert not name or name.startswith("event: ")
        found.append((name.removeprefix("event: "), data.removeprefix("data: ")))
    return found


def _named(stream: bytes) -> list[Said]:
    found = []
    for name, data in frames(stream):
        said: Said = orjson.loads(data)
        assert name == said["type"]
        found.append(said)
    return found


def messages(stream: bytes) -> None:
    """message_start, blocks one after the other with growing index and each with its own kind of delta, message_delta, message_stop."""
    said = _named(stream)
    for each in said:
        _MESSAGES.validate_python(each, strict=True)
    kinds = [each["type"] for each in said]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert [kinds.count(kind) for kind in ("message_start", "message_delta", "message_stop")] == [1, 1, 1]
    opened: Said | None = None
    index = -1
    deltas = {
        "text": {"text_delta", "citations_delta"},
        "thinking": {"thinking_delta", "signature_delta"},
        "tool_use": {"input_json_delta"},
    }
    for each in said[1:-2]:
        if each["type"] == "content_block_start":
            assert opened is None
            opened, index = each["content_block"], index + 1
        assert opened is not None
        assert each["index"] == index
        if each["type"] == "content_block_delta":
            assert each["delta"]["type"] in deltas[opened["type"]]
        opened = None if each["type"] == "content_block_stop" else opened
    assert opened is None
    usage = said[-2]["usage"]
    assert {"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"} <= usage.keys()


_DONE: Mapping[str, tuple[str, str]] = {
    "response.output_text.delta": ("response.output_text.done", "text"),
    "response.refusal.delta": ("response.refusal.done", "refusal"),
    "response.function_call_arguments.delta": ("response.function_call_arguments.done", "arguments"),
    "response.custom_tool_call_input.delta": ("response.custom_tool_call_input.done", "input"),
    "response.reasoning_summary_text.delta": ("response.reasoning_summary_text.done", "text"),
    "response.reasoning_text.delta": ("response.reasoning_text.done", "text"),
}


def responses(stream: bytes) -> None:
    """created, in_progress, items begun and ended in order, completed; numbered without a gap; what was said in pieces is said whole."""
    said = _named(stream)
    for number, each in enumerate(said):
        _RESPONSES.validate_python(each)
        assert each["sequence_number"] == number
    kinds = [each["type"] for each in said]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in ("response.completed", "response.incomplete")
    response = said[-1]["response"]
    Response.model_validate(response)
    done = [each["item"] for each in said if each["type"] == "response.output_item.done"]
    assert response["output"] == done
    for key in ("response.output_item.added", "response.output_item.done"):
        assert [each["output_index"] for each in said if each["type"] == key] == list(range(len(done)))
    added = [each["item"]["id"] for each in said if each["type"] == "response.output_item.added"]
    assert added == [item["id"] for item in done]
    assert len(set(added)) == len(added)
    _pieces_make_the_whole(said)
    assert kinds.count("response.content_part.added") == kinds.count("response.content_part.done")
    assert response["id"] == said[0]["response"]["id"]
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert "cached_tokens" in usage["input_tokens_details"]
    assert "reasoning_tokens" in usage["output_tokens_details"]


def _pieces_make_the_whole(said: list[Said]) -> None:
    pieces: dict[tuple[object, ...], str] = {}
    for each in said:
        where = (each.get("item_id"), each.get("content_index"), each.get("summary_index"))
        if each["type"] in _DONE:
            done = _DONE[each["type"]][0]
            pieces[done, where] = pieces.get((done, where), "") + each["delta"]
        for done, member in _DONE.values():
            if each["type"] == done:
                assert pieces.pop((done, where), "") == each[member]
    assert not pieces, "pieces without their whole"


def chat(stream: bytes) -> None:
    """One id and model throughout, the role first, calls opened once and in order, one reason, then usage without choices, then [DONE]."""
    events = frames(stream)
    assert all(not name for name, _ in events)
    assert events[-1][1] == "[DONE]"
    said: list[Said] = [orjson.loads(data) for _, data in events[:-1]]
    for each in said:
        ChatCompletionChunk.model_validate(each, strict=True)
    assert len({(each["id"], each["model"], each["created"]) for each in said}) == 1
    choices = [choice for each in said for choice in each["choices"]]
    assert choices[0]["delta"]["role"] == "assistant"
    assert [choice["finish_reason"] is not None for choice in choices] == [False] * (len(choices) - 1) + [True]
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls") or ()]
    assert all("function" in call for call in calls), "the openai SDK's accumulator fails on a call without it"
    opened = [call["index"] for call in calls if call.get("id") is not None]
    assert opened == list(range(len(opened)))
    assert all(call["function"]["name"] for call in calls if call.get("id") is not None)
    assert all("name" not in call["function"] for call in calls if call.get("id") is None)
    assert {call["index"] for call in calls} == set(opened)
    assert said[-1]["choices"] == []
    usage = said[-1]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def gemini(stream: bytes) -> None:
    """Chunks with parts, the last one with the reason, each with the model's role. No comments and no names: Gemini CLI breaks on them."""
    events = frames(stream)
    assert all(not name for name, _ in events)
    said: list[Said] = [orjson.loads(data) for _, data in events]
    candidates = [candidate for each in said for candidate in each.get("candidates", ())]
    assert ["finishReason" in candidate for candidate in candidates] == [False] * (len(candidates) - 1) + [True]
    for candidate in candidates:
        content = candidate.get("content", {"role": "model", "parts": []})
        assert content["role"] == "model"
        for part in content.get("parts", ()):
            assert part.keys() & {"text", "functionCall", "thoughtSignature", "executableCode", "codeExecutionResult", "inlineData"}
            if "functionCall" in part:
                assert isinstance(part["functionCall"]["args"], dict)
    usage = said[-1].get("usageMetadata", {})  # left out where the upstream did not say it
    assert usage.get("totalTokenCount", 0) == sum(
        usage.get(name, 0) for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    )


GRAMMARS: Mapping[str, Callable[[bytes], None]] = {"chat": chat, "responses": responses, "messages": messages, "gemini": gemini}
