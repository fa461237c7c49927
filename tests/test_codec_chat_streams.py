"""Answers in OpenAI's chat format: recorded streams against golden files, any split, there and back, and the SDK's own types as judge.

The recordings under `recordings/chat` have the shapes that servers of this format send (OpenAI, OpenRouter, DeepSeek, Mistral, Gemini's
endpoint, Ollama), in our words; those under `recordings/streams` are shared with the tests of the relay.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from providers import sse
from providers.codecs.chat import CODEC
from providers.codecs.events import (
    BlockEnded,
    BlockKind,
    BlockStarted,
    Delta,
    Event,
    Failed,
    Finished,
    FinishReason,
    Sealed,
    Started,
    UsageSeen,
)
from providers.codecs.tool_names import flat_name
from routing.facts import Failure, FailureKind
from routing.types import Usage
from tests.recorded import streams_of
from tests.streams import payloads
from tests.translating import FRAME, decoded, encoded, gist, merged

STREAMS = streams_of("chat")
FINISHED = [name for name in STREAMS if name != "error_inside"]
CALL = BlockStarted(0, BlockKind.TOOL_CALL, "call_1", "bake")


def calls_of(name: str) -> tuple[Any, ...]:
    return gist(decoded(CODEC, [STREAMS[name]])).calls


class TestDecoding:
    @pytest.mark.parametrize("name", FINISHED)
    def test_every_call_has_a_name_and_whole_arguments(self, name: str) -> None:
        assert all(name and isinstance(orjson.loads(arguments), dict) for _, name, arguments in calls_of(name))

    def test_calls_that_overlap_stay_apart(self) -> None:
        assert calls_of("interleaved_calls") == (("call_a", "bake", '{"dough":1}'), ("call_b", "glaze", '{"with":"sugar"}'))

    def test_a_new_id_is_a_new_call_whatever_its_index(self) -> None:
        assert [arguments for _, _, arguments in calls_of("every_index_zero")] == ['{"n":1}', '{"n":2}']

    def test_calls_without_index_or_id(self) -> None:
        assert [arguments for _, _, arguments in calls_of("no_index")] == ['{"n":1}', "{}"]
        assert [arguments for _, _, arguments in calls_of("no_id_and_object_arguments")] == ['{"n":1}', '{"n":2}']

    def test_a_complete_call_ends_when_the_next_begins(self) -> None:
        """So that a format without overlap shows the second while it comes, not when all is over."""
        events = decoded(CODEC, [STREAMS["every_index_zero"]])
        ends = [index for index, event in enumerate(events) if isinstance(event, BlockEnded)]
        second = next(index for index, event in enumerate(events) if isinstance(event, BlockStarted) and event.block == 1)
        assert ends[0] < second

    def test_nothing_of_the_cache_is_counted_twice(self) -> None:
        (usage,) = [event.usage for event in decoded(CODEC, [STREAMS["openrouter_thinking"]]) if isinstance(event, UsageSeen)]
        assert usage == Usage(input_uncached=12, cache_read=100, cache_write=8, output=14, reasoning=6)

    def test_a_stream_that_is_cut_is_not_finished(self) -> None:
        stream = STREAMS["text"]
        end = stream.find(b'"finish_reason":"stop"')
        assert not any(isinstance(event, Finished) for event in decoded(CODEC, [stream[:end]]))

    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            (b"data: {\n\n", FailureKind.PROTOCOL),
            (b"data: [1]\n\n", FailureKind.PROTOCOL),
            (b'data: {"error":{"message":"slow down","code":429}}\n\n', FailureKind.RATE_LIMITED),
            (b'data: {"error":{"message":"x","code":"context_length_exceeded"}}\n\n', FailureKind.CONTEXT_TOO_LONG),
            (b'data: {"error":"boom"}\n\n', FailureKind.OVERLOADED),
            (b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"gone","code":502}}]}\n\n',
             FailureKind.OVERLOADED),
        ],
    )  # fmt: skip
    def test_errors(self, data: bytes, kind: FailureKind) -> None:
        failed = decoded(CODEC, [data, STREAMS["text"]])[-1]
        assert isinstance(failed, Failed)
        assert failed.failure.kind is kind
        assert failed.failure.message

    def test_an_endless_event_ends_the_stream(self) -> None:
        (failed,) = decoded(CODEC, [b"data: " + b"x" * (sse.MAX_EVENT_BYTES + 1)])
        assert isinstance(failed, Failed)

    @pytest.mark.parametrize(
        "answer",
        [{}, {"choices": 5}, {"choices": [None, {"message": 3}, {}]}, {"error": "x"}, {"choices": [{"message": {"tool_calls": [3, {}]}}]}],
    )
    def test_odd_answers_raise_nothing(self, answer: dict[str, Any]) -> None:
        assert isinstance(CODEC.decode_answer(answer), list)

    def test_a_whole_answer_without_a_reason_is_an_end_all_the_same(self) -> None:
        assert CODEC.decode_answer({"choices": [{"message": {"content": "One."}}]})[-1] == Finished(FinishReason.STOP)


def judged(stream: bytes) -> list[dict[str, Any]]:
    """The chunks of a finished stream: each of them valid, the role first, one reason, and `[DONE]` at the end."""
    *said, done = payloads(stream)
    assert done == "[DONE]"
    for chunk in said:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    choices = [choice for chunk in said for choice in chunk["choices"]]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert [bool(choice["finish_reason"]) for choice in choices] == [False] * (len(choices) - 1) + [True]
    return said


class TestEncoding:
    @pytest.mark.parametrize("name", FINISHED)
    def test_there_and_back(self, name: str) -> None:
        events = decoded(CODEC, [STREAMS[name]])
        stream = encoded(CODEC, events)
        judged(stream)
        again = decoded(CODEC, [stream])
        expected = gist(events)
        assert gist(again)._replace(calls=()) == expected._replace(calls=())
        assert [call[1:] for call in gist(again).calls] == [call[1:] for call in expected.calls]
        assert [call[0] for call in gist(again).calls] == [call[0] or f"call_answer1_{n}" for n, call in enumerate(expected.calls)]
        assert seals(again) == seals(events)

    @pytest.mark.parametrize("name", FINISHED)
    def test_a_whole_answer_says_what_its_stream_said(self, name: str) -> None:
        events = decoded(CODEC, [STREAMS[name]])
        whole = CODEC.encode_answer(events, FRAME)
        completion = ChatCompletion.model_validate(whole, strict=True)
        assert (completion.model, completion.id) == ("the-name-asked-for", "chatcmpl-answer1")
        again = merged(CODEC.decode_answer(orjson.loads(orjson.dumps(whole))))
        assert gist(again)._replace(calls=()) == gist(events)._replace(calls=())
        assert seals(again) == seals(events)

    def test_usage_comes_only_to_those_who_ask(self) -> None:
        events = decoded(CODEC, [STREAMS["text"]])
        asked = judged(encoded(CODEC, events))
        assert asked[-1]["choices"] == []
        assert asked[-1]["usage"]["prompt_tokens"] == 12
        silent = judged(encoded(CODEC, events, FRAME.__class__("m", "a", 1, wants_usage=False)))
        assert not any("usage" in chunk for chunk in silent)

    def test_a_call_without_arguments_says_so_in_json(self) -> None:
        events: list[Event] = [Started(), CALL, BlockEnded(0), Finished(FinishReason.TOOL_CALLS)]
        said = judged(encoded(CODEC, events))
        deltas = [choice["delta"] for chunk in said for choice in chunk["choices"]]
        assert [call["function"]["arguments"] for delta in deltas for call in delta.get("tool_calls", ())] == ["", "{}"]
        assert CODEC.encode_answer(events, FRAME)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "{}"

    def test_what_was_left_open_is_ended(self) -> None:
        said = judged(encoded(CODEC, [CALL, Finished(FinishReason.STOP)]))
        assert said[-2]["choices"][0]["finish_reason"] == "tool_calls", "clients run no tool behind stop"

    @pytest.mark.parametrize(
        ("reason", "told"),
        [
            (FinishReason.STOP, "stop"),
            (FinishReason.LENGTH, "length"),
            (FinishReason.CONTENT_FILTER, "content_filter"),
            (FinishReason.REFUSAL, "content_filter"),
            (FinishReason.PAUSE, "stop"),
            (FinishReason.CONTEXT_FULL, "length"),
        ],
    )
    def test_reasons(self, reason: FinishReason, told: str) -> None:
        assert judged(encoded(CODEC, [Started(), Finished(reason)]))[-2]["choices"][0]["finish_reason"] == told

    def test_a_failure_is_one_error_object_and_no_end(self) -> None:
        failure = Failure(FailureKind.OVERLOADED, "too many donuts")
        stream = encoded(CODEC, [Started(), CALL, Failed(failure), Delta(0, "x"), Finished(FinishReason.STOP)])
        error = payloads(stream)[-1]["error"]
        assert (error["message"], error["type"], error["code"]) == ("too many donuts", "server_error", "provider_overloaded")

    def test_a_custom_tool_gets_its_text_back(self) -> None:
        conversation = CODEC.parse(
            {
                "messages": [{"role": "user", "content": "Hi"}],
                "tools": [{"type": "custom", "custom": {"name": flat_name("recipe", None)}}],
            }
        )
        frame = FRAME.__class__("m", "answer1", 1, conversation=conversation)
        events: list[Event] = [
            CALL._replace(name="recipe"),
            Delta(0, '{"input": "two '),
            Delta(0, 'eggs"}'),
            BlockEnded(0),
            Finished(FinishReason.TOOL_CALLS),
        ]
        (call,) = CODEC.encode_answer(events, frame)["choices"][0]["message"]["tool_calls"]
        assert call == {"id": "call_1", "type": "custom", "custom": {"name": "recipe", "input": "two eggs"}}
        streamed = [
            each
            for chunk in payloads(encoded(CODEC, events, frame))
            if isinstance(chunk, dict) and chunk["choices"]
            for each in chunk["choices"][0]["delta"].get("tool_calls", ())
        ]
        assert streamed == [{"index": 0, **call}]


def seals(events: Iterable[Event]) -> list[tuple[str, str]]:
    return [(event.vendor, event.seal) for event in events if isinstance(event, Sealed)]
