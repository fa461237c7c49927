"""The openai and anthropic SDKs, and a plain Gemini client, through a whole donut to upstreams of every dialect: a task with two tool calls
at once and its end. What the SDKs accumulate in the end must be equal, whoever answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message, MessageParam, ToolParam
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.responses import FunctionToolParam, Response
from pydantic import BaseModel

from tests.far_ends import ASIDE, CACHED, CALLS, KINDS, OUTPUT, REASONING, RESULTS, SUMMARY, THOUGHT, UNCACHED, FarEnd, config_of
from tests.serving import Donut
from tests.streams import payloads
from tests.upstreams import ScriptedUpstream

EVERY_UPSTREAM = pytest.mark.parametrize("dialect", KINDS)
STREAMED_OR_NOT = pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "whole"])
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"path": {"type": "string"}},
    "required": ["path"],
    "additionalProperties": False,
}
QUESTION = "What do a.txt and b.txt say?"


class Summary(BaseModel):
    files: int
    words: list[str]


@asynccontextmanager
async def served(dialect: str, folder: Path) -> AsyncIterator[tuple[Donut, FarEnd]]:
    far_end = FarEnd(dialect)
    async with ScriptedUpstream(far_end) as upstream, Donut(config_of(dialect, upstream.port), folder) as donut:
        yield donut, far_end


def without(value: Any, *names: str) -> Any:
    """Without members that each answer has of its own, or that only one vendor can have; empty ones count as none."""
    if isinstance(value, list):
        return [without(each, *names) for each in value]
    if isinstance(value, dict):
        return {key: without(each, *names) for key, each in value.items() if key not in names and each not in (None, [], {})}
    return value


def arguments(text: str) -> Any:
    return orjson.loads(text)


# Chat

CHAT_TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "read_file", "description": "Reads.", "parameters": SCHEMA, "strict": True},
}


async def chat_answer(client: AsyncOpenAI, messages: list[ChatCompletionMessageParam], *, is_streamed: bool) -> Any:
    asked: dict[str, Any] = {"model": "test-model", "messages": messages, "tools": [CHAT_TOOL], "reasoning_effort": "high"}
    if not is_streamed:
        return await client.chat.completions.create(**asked)
    async with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        return await stream.get_final_completion()


@EVERY_UPSTREAM
@STREAMED_OR_NOT
async def test_chat(dialect: str, is_streamed: bool, tmp_path: Path) -> None:
    async with served(dialect, tmp_path) as (donut, far_end):
        async with AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="k", timeout=10, max_retries=0) as client:
            messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": QUESTION}]
            first = await chat_answer(client, messages, is_streamed=is_streamed)
            (choice,) = first.choices
            said = choice.message.model_dump(exclude_none=True, exclude_unset=True)
            assert choice.finish_reason == "tool_calls"
            assert without(said, "reasoning_details", "parsed", "parsed_arguments", "index", "arguments", "extra_content", "refusal") == {
                "role": "assistant",
                "content": ASIDE,
                "reasoning_content": THOUGHT,
                "tool_calls": [{"id": id_, "type": "function", "function": {"name": name}} for id_, name, _ in CALLS],
            }
            assert [arguments(call.function.arguments) for call in choice.message.tool_calls] == [arguments(text) for *_, text in CALLS]
            assert first.object == "chat.completion"
            assert first.model == ("up-model" if dialect == "chat" else "test-model"), "equal dialects: the upstream's own bytes"
            usage = first.usage
            assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (
                UNCACHED + CACHED,
                OUTPUT,
                UNCACHED + CACHED + OUTPUT,
            )
            assert usage.prompt_tokens_details.cached_tokens == CACHED
            assert usage.completion_tokens_details.reasoning_tokens == REASONING
            results = [{"role": "tool", "tool_call_id": id_, "content": text} for id_, text in RESULTS.items()]
            second = await chat_answer(client, [*messages, said, *results], is_streamed=is_streamed)  # type: ignore[list-item]
        assert far_end.results == RESULTS
        assert far_end.has_its_seal, "only the vendor itself can read it, and it must get it back"
        assert (second.choices[0].message.content, second.choices[0].finish_reason) == (SUMMARY, "stop")
        assert not second.choices[0].message.tool_calls


@EVERY_UPSTREAM
async def test_chat_parse(dialect: str, tmp_path: Path) -> None:
    async with served(dialect, tmp_path) as (donut, far_end):
        async with AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="k", timeout=10, max_retries=0) as client:
            messages = chat_asked_and_answered()
            parsed = await client.chat.completions.parse(model="test-model", messages=messages, response_format=Summary)
        assert parsed.choices[0].message.parsed == Summary(files=2, words=["one", "two"])
        assert '"words"' in orjson.dumps(far_end.seen[-1]).decode(), "the schema reached the upstream"


def chat_asked_and_answered() -> list[ChatCompletionMessageParam]:
    calls: Any = [{"id": id_, "type": "function", "function": {"name": name, "arguments": text}} for id_, name, text in CALLS]
    results: Any = [{"role": "tool", "tool_call_id": id_, "content": text} for id_, text in RESULTS.items()]
    return [{"role": "user", "content": QUESTION}, {"role": "assistant", "tool_calls": calls}, *results]


# Responses

FUNCTION: FunctionToolParam = {"type": "function", "name": "read_file", "description": "Reads.", "parameters": SCHEMA, "strict": True}


async def response(client: AsyncOpenAI, given: Any, *, is_streamed: bool) -> Response:
    asked: dict[str, Any] = {
        "model": "test-model",
        "input": given,
        "instructions": "Be brief.",
        "tools": [FUNCTION],
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    if not is_streamed:
        found: Response = await client.responses.create(**asked)
        return found
    async with client.responses.stream(**asked) as stream:
        return await stream.get_final_response()


@EVERY_UPSTREAM
@STREAMED_OR_NOT
async def test_responses(dialect: str, is_streamed: bool, tmp_path: Path) -> None:
    async with served(dialect, tmp_path) as (donut, far_end):
        async with AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="k", timeout=10, max_retries=0) as client:
            given: list[Any] = [{"role": "user", "content": QUESTION}]
            first = await response(client, given, is_streamed=is_streamed)
            output = first.model_dump(exclude_none=True)["output"]
            # Gemini seals its calls: the seal travels in a reasoning item of its own.
            shown = [item for item in output if item["type"] != "reasoning" or item["summary"]]
            assert without(
                shown, "id", "encrypted_content", "logprobs", "annotations", "arguments", "parsed_arguments", "parsed", "status"
            ) == [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ASIDE}]},
                *({"type": "function_call", "call_id": id_, "name": name} for id_, name, _ in CALLS),
            ]
            assert [arguments(item.arguments) for item in first.output if item.type == "function_call"] == [
                arguments(text) for *_, text in CALLS
            ]
            assert (first.status, first.object) == ("completed", "response")
            usage = first.usage
            assert usage is not None
            assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (UNCACHED + CACHED, OUTPUT, UNCACHED + CACHED + OUTPUT)
            assert usage.input_tokens_details.cached_tokens == CACHED
            assert usage.output_tokens_details.reasoning_tokens == REASONING
            given += [without(item, "parsed_arguments", "parsed", "status") for item in output]
            given += [{"type": "function_call_output", "call_id": id_, "output": text} for id_, text in RESULTS.items()]
            second = await response(client, given, is_streamed=is_streamed)
        assert far_end.results == RESULTS
        assert far_end.has_its_seal, "only the vendor itself can read it, and it must get it back"
        assert second.output_text == SUMMARY


@EVERY_UPSTREAM
async def test_responses_parse(dialect: str, tmp_path: Path) -> None:
    async with served(dialect, tmp_path) as (donut, far_end):
        async with AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="k", timeout=10, max_retries=0) as client:
            calls: list[Any] = [{"type": "function_call", "call_id": id_, "name": name, "arguments": text} for id_, name, text in CALLS]
            results: list[Any] = [{"type": "function_call_output", "call_id": id_, "output": text} for id_, text in RESULTS.items()]
            given: Any = [{"role": "user", "content": QUESTION}, *calls, *results]
            parsed = await client.responses.parse(model="test-model", input=given, text_format=Summary, store=False)
        assert parsed.output_parsed == Summary(files=2, words=["one", "two"])
        assert '"words"' in orjson.dumps(far_end.seen[-1]).decode()


# Messages

TOOL: ToolParam = {"name": "read_file", "description": "Reads.", "input_schema": SCHEMA}


async def message(client: AsyncAnthropic, messages: list[MessageParam], *, is_streamed: bool) -> Message:
    asked: dict[str, Any] = {
        "model": "test-model",
        "max_tokens": 9000,
        "system": "Be brief.",
        "messages": messages,
        "tools": [TOOL],
        "thinking": {"type": "enabled", "budget_tokens": 4096},
    }
    if not is_streamed:
        found: Message = await client.messages.create(**asked)
        return found
    async with client.messages.stream(**asked) as stream:
        return await stream.get_final_message()


@EVERY_UPSTREAM
@STREAMED_OR_NOT
async def test_messages(dialect: str, is_streamed: bool, tmp_path: Path) -> None:
    async with served(dialect, tmp_path) as (donut, far_end):
        async with AsyncAnthropic(base_url=donut.url, api_key="k", timeout=10, max_retries=0) as client:
            messages: list[MessageParam] = [{"role": "user", "content": QUESTION}]
            first = await message(client, messages, is_streamed=is_streamed)
            content: Any = first.model_dump(exclude_none=True, exclude_unset=True)["content"]
            assert [without(block, "signature") for block in content if block.get("thinking") != ""] == [
                {"type": "thinking", "thinking": THOUGHT},
                {"type": "text", "text": ASIDE},
                *({"type": "tool_use", "id": id_, "name": name, "input": arguments(text)} for id_, name, text in CALLS),
            ]
            assert all(block["signature"] for block in content if block["type"] == "thinking"), "clients drop thinking without one"
            assert (first.stop_reason, first.role) == ("tool_use", "assistant")
            usage = first.usage
            assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (UNCACHED, CACHED, OUTPUT)
            assert not usage.cache_creation_input_tokens
            results: Any = [{"type": "tool_result", "tool_use_id": id_, "content": text} for id_, text in RESULTS.items()]
            told: list[MessageParam] = [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
            second = await message(client, [*messages, *told], is_streamed=is_streamed)
        assert far_end.results == RESULTS
        assert far_end.has_its_seal, "only the vendor itself can read it, and it must get it back"
        assert [block.text for block in second.content if block.type == "text"] == [SUMMARY]
        assert second.stop_reason == "end_turn"


# Gemini


@EVERY_UPSTREAM
@STREAMED_OR_NOT
async def test_gemini(dialect: str, is_streamed: bool, tmp_path: Path) -> None:
    async with served(dialect, tmp_path) as (donut, far_end):
        contents: list[Any] = [{"role": "user", "parts": [{"text": QUESTION}]}]
        parts, reason, usage = await generated(donut, contents, is_streamed=is_streamed)
        assert reason == "STOP"
        assert "".join(part["text"] for part in parts if part.get("thought")) == THOUGHT
        assert "".join(part.get("text", "") for part in parts if not part.get("thought")) == ASIDE
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        assert [(call["id"], call["name"], call["args"]) for call in calls] == [(id_, name, arguments(text)) for id_, name, text in CALLS]
        assert (usage["promptTokenCount"], usage["cachedContentTokenCount"]) == (UNCACHED + CACHED, CACHED)
        assert (usage["candidatesTokenCount"], usage["thoughtsTokenCount"]) == (OUTPUT - REASONING, REASONING)
        results = [{"functionResponse": {"id": id_, "name": "read_file", "response": {"output": text}}} for id_, text in RESULTS.items()]
        contents += [{"role": "model", "parts": parts}, {"role": "user", "parts": results}]
        parts, reason, _ = await generated(donut, contents, is_streamed=is_streamed)
        assert far_end.results == RESULTS
        assert far_end.has_its_seal, "only the vendor itself can read it, and it must get it back"
        assert "".join(part.get("text", "") for part in parts) == SUMMARY


async def generated(donut: Donut, contents: list[Any], *, is_streamed: bool) -> tuple[list[Any], str, dict[str, Any]]:
    """(parts, finish reason, usage) of one answer."""
    body = {
        "contents": contents,
        "tools": [{"functionDeclarations": [{"name": "read_file", "description": "Reads.", "parametersJsonSchema": SCHEMA}]}],
        "generationConfig": {"maxOutputTokens": 9000, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 4096}},
    }
    method = "streamGenerateContent?alt=sse" if is_streamed else "generateContent"
    got = await donut.client.post(f"/v1beta/models/test-model:{method}", json=body)
    assert got.status_code == 200, got.text
    said = payloads(got.content) if is_streamed else [got.json()]
    candidates = [each["candidates"][0] for each in said if each.get("candidates")]
    parts = [part for candidate in candidates for part in candidate.get("content", {}).get("parts", ())]
    return parts, candidates[-1]["finishReason"], said[-1]["usageMetadata"]
