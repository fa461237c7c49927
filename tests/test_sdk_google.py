"""Google's own SDK (google-genai) as a client: through a whole donut to upstreams of every dialect, and what it makes of refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.far_ends import ASIDE, CACHED, CALLS, OUTPUT, REASONING, RESULTS, SUMMARY, THOUGHT, UNCACHED
from tests.serving import Donut
from tests.streams import cutting
from tests.test_codec_event_stream import ANSWER
from tests.test_translation_sdk import EVERY_UPSTREAM, QUESTION, SCHEMA, STREAMED_OR_NOT, served
from tests.test_translation_serving import config
from tests.translating import CODECS, encoded
from tests.upstreams import Handler, ScriptedUpstream, answer, saying

genai: Any = pytest.importorskip("google.genai", reason="google-genai is not installed (it is in the extra `test`)")
types, errors = genai.types, genai.errors

ASKED = types.GenerateContentConfig(
    tools=[types.Tool(function_declarations=[{"name": "read_file", "description": "Reads.", "parameters_json_schema": SCHEMA}])],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=4096),
)


@asynccontextmanager
async def client_of(donut: Donut) -> AsyncIterator[Any]:
    options = types.HttpOptions(base_url=donut.url, timeout=10_000, retry_options=types.HttpRetryOptions(attempts=1))
    with genai.Client(api_key="k", http_options=options) as client:
        async with client.aio as aio:
            yield aio


async def said(client: Any, contents: list[Any], *, is_streamed: bool) -> tuple[Any, list[Any]]:
    """(the last response, the parts of them all)."""
    asked: dict[str, Any] = {"model": "test-model", "contents": contents, "config": ASKED}
    if not is_streamed:
        response = await client.models.generate_content(**asked)
        return response, list(response.candidates[0].content.parts)
    parts: list[Any] = []
    async for response in await client.models.generate_content_stream(**asked):
        parts += response.candidates[0].content.parts
    return response, parts


@EVERY_UPSTREAM
@STREAMED_OR_NOT
async def test_a_task_with_two_calls(dialect: str, is_streamed: bool, tmp_path: Path) -> None:
    async with served(dialect, tmp_path) as (donut, far_end), client_of(donut) as client:
        contents: list[Any] = [types.UserContent(QUESTION)]
        first, parts = await said(client, contents, is_streamed=is_streamed)
        assert "".join(part.text for part in parts if part.thought) == THOUGHT
        assert "".join(part.text or "" for part in parts if not part.thought) == ASIDE
        calls = [part.function_call for part in parts if part.function_call]
        assert [(call.id, call.name, call.args) for call in calls] == [(id_, name, orjson.loads(text)) for id_, name, text in CALLS]
        assert first.candidates[0].finish_reason is types.FinishReason.STOP
        usage = first.usage_metadata
        assert (usage.prompt_token_count, usage.cached_content_token_count) == (UNCACHED + CACHED, CACHED)
        assert (usage.candidates_token_count, usage.thoughts_token_count) == (OUTPUT - REASONING, REASONING)
        contents += [types.ModelContent(parts), types.UserContent([answered(call) for call in calls])]
        _, parts = await said(client, contents, is_streamed=is_streamed)
        assert far_end.results == RESULTS
        assert "".join(part.text or "" for part in parts) == SUMMARY


def answered(call: Any) -> Any:
    return types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": RESULTS[call.id]}))


@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
async def test_counting(dialect: str, tmp_path: Path) -> None:
    """An estimate: of these none counts in Google's way."""
    async with served(dialect, tmp_path) as (donut, _), client_of(donut) as client:
        counted = await client.models.count_tokens(model="test-model", contents=QUESTION * 10)
        assert counted.total_tokens > 10


REFUSALS: dict[str, tuple[Handler, int, str]] = {
    "rate limit": (saying(answer(b'{"error":{"message":"Too many."}}', status=b"429 No")), 429, "RESOURCE_EXHAUSTED"),
    "overload": (saying(answer(b'{"error":{"message":"Too many."}}', status=b"529 No")), 503, "UNAVAILABLE"),
    "key": (saying(answer(b'{"error":{"message":"Too many."}}', status=b"401 No")), 502, "INTERNAL"),
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("dialect", CODECS)
async def test_refusals_are_the_sdks_own_errors(name: str, dialect: str, tmp_path: Path) -> None:
    handler, status, word = REFUSALS[name]
    async with ScriptedUpstream(handler) as far, Donut(config((far.port, dialect)), tmp_path) as donut, client_of(donut) as client:
        with pytest.raises(errors.ClientError if status < 500 else errors.ServerError) as caught:
            await client.models.generate_content(model="test-model", contents="Hi")
        assert (caught.value.code, caught.value.status) == (status, word)
        assert "Too many." in caught.value.message


@pytest.mark.parametrize("dialect", CODECS)
async def test_a_stream_that_breaks_off_raises(dialect: str, tmp_path: Path) -> None:
    begun = encoded(CODECS[dialect], ANSWER[:3])
    async with (
        ScriptedUpstream(cutting(begun)) as far,
        Donut(config((far.port, dialect)), tmp_path) as donut,
        client_of(donut) as client,
    ):
        heard = ""
        with pytest.raises(errors.APIError) as caught:  # noqa: PT012 - the error comes after the text
            async for response in await client.models.generate_content_stream(model="test-model", contents="Hi"):
                heard += response.text or ""
        assert heard == "Two it is."
        assert caught.value.code == 502
