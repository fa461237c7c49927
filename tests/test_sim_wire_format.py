"""Embeddings, and the order of stream events; that clients accept the bodies is tested with the SDK in test_sim_transport.py."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import orjson
import pytest

from providers.sim.reply import Reply, ToolCall
from providers.sim.request import Asked, RequestError, read_request
from providers.sim.wire_format import DIMENSIONS, DIMENSIONS_LIMIT, chat_events, completion_events, embeddings_body, unit_vector


def asked(**fields: Any) -> Asked:
    return read_request(orjson.dumps({"model": "sim-embed", **fields}))


def payloads(events: Any) -> list[Any]:
    lines = [data.removeprefix(b"data: ").strip() for _, data in events]
    assert lines.pop() == b"[DONE]"
    return [orjson.loads(line) for line in lines]


def test_vectors_have_length_one_and_the_same_text_the_same_vector() -> None:
    for dimensions in (1, 2, 64, DIMENSIONS):
        vector = unit_vector("the quick brown fox", dimensions)
        assert len(vector) == dimensions
        assert math.isclose(sum(value * value for value in vector), 1.0)
    assert unit_vector("a b", 64) == unit_vector("b a", 64) != unit_vector("a c", 64)
    assert unit_vector(" ", 8) == unit_vector(" ", 8)


def test_texts_that_share_words_lie_closer() -> None:
    def likeness(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(unit_vector(one, 256), unit_vector(other, 256), strict=True))

    question = "how do I reset my password"
    assert likeness(question, "reset the password how") > likeness(question, "bake bread with rye flour")


def test_base64_is_the_same_vector_in_little_endian_floats() -> None:
    fields = {"input": ["hello world"], "dimensions": 16}
    plain = orjson.loads(embeddings_body(asked(**fields), 8_192))["data"][0]["embedding"]
    packed = orjson.loads(embeddings_body(asked(**fields, encoding_format="base64"), 8_192))["data"][0]["embedding"]
    assert struct.unpack("<16f", base64.b64decode(packed)) == pytest.approx(plain)


@pytest.mark.parametrize(("given", "count"), [("one", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)])
def test_every_shape_of_input_is_embedded(given: Any, count: int) -> None:
    body = orjson.loads(embeddings_body(asked(input=given), 8_192))
    assert [item["index"] for item in body["data"]] == list(range(count))
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] >= count


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"input": ""},
        {"input": []},
        {"input": ["", "x"]},
        {"input": [{"no": "text"}]},
        {"input": "x", "dimensions": 0},
        {"input": "x", "dimensions": DIMENSIONS_LIMIT + 1},
        {"input": "x", "encoding_format": "int8"},
        {"input": ["x", "y" * 4 * 8_193]},
    ],
)
def test_bad_embedding_requests_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        embeddings_body(asked(**fields), 8_192)


def test_the_window_holds_for_each_input_not_for_all_of_them() -> None:
    assert len(orjson.loads(embeddings_body(asked(input=["x" * 4 * 8_000] * 4), 8_192))["data"]) == 4


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_chat_stream_is_role_then_content_then_finish_then_usage_if_asked(include_usage: bool) -> None:
    request = asked(stream=True, stream_options={"include_usage": include_usage})
    chunks = payloads(chat_events(request, Reply(("Hel", "lo"), "stop")))
    if include_usage:
        last = chunks.pop()
        assert last["choices"] == []
        assert last["usage"] == {"prompt_tokens": request.input_tokens, "completion_tokens": 2, "total_tokens": request.input_tokens + 2}
    assert not any("usage" in chunk for chunk in chunks)
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]


def test_a_streamed_tool_call_opens_with_its_name_and_sends_its_arguments_in_pieces() -> None:
    opening, *pieces, finish = payloads(chat_events(asked(stream=True), Reply(('{"a"', ":1}"), "tool_calls", ToolCall("call_1", "f"))))
    call = opening["choices"][0]["delta"]["tool_calls"][0]
    assert (call["id"], call["function"]["name"]) == ("call_1", "f")
    assert "".join(chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] for chunk in pieces) == '{"a":1}'
    assert finish["choices"][0]["finish_reason"] == "tool_calls"


def test_a_stream_is_paced_by_the_tokens_said_before_each_event() -> None:
    said = [tokens for tokens, _ in completion_events(asked(stream=True), Reply(("a", "b", "c"), "stop"))]
    assert said == [0, 1, 2, 3, 3]
