"""Answers in Anthropic's format: recorded streams against golden files, any split, any order, and the SDK's own types as judge.

The recordings under `recordings/messages` have the shape of what Anthropic and llama-server send, in our words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from providers import sse
from providers.codecs.events import (
    Annotated,
    BlockEnded,
    BlockKind,
    BlockStarted,
    Delta,
    Event,
    Failed,
    Finished,
    FinishReason,
    LogProbs,
    Sealed,
    Started,
    UsageSeen,
)
from providers.codecs.messages import CODEC
from routing.facts import Failure, FailureKind
from routing.types import Usage
from tests.recorded import named_payloads, streams_of
from tests.translating import FRAME, cut, decoded, encoded, merged

STREAMS = streams_of("messages")
EVERY_STREAM = pytest.mark.parametrize("name", STREAMS)
SDK_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def judged(stream: bytes) -> Message:
    """What a client makes of a finished stream, as the SDK's type. Every event is valid, every block balanced, nothing behind the end."""
    said = named_payloads(stream)
    assert [each["type"] for each in said[-2:]] == ["message_delta", "message_stop"]
    assert [each["type"] for each in said].count("message_start") == 1
    open_block = None
    for each in said:
        SDK_EVENT.validate_python(each, strict=True)
        if each["type"] == "content_block_start":
            assert open_block is None
            open_block = each["index"]
        elif each["type"].startswith("content_block"):
            assert each["index"] == open_block
            open_block = None if each["type"] == "content_block_stop" else open_block
    assert [each["index"] for each in said if each["type"] == "content_block_start"] == list(
        range(sum(each["type"] == "content_block_start" for each in said))
    )
    return Message.model_validate(accumulated(said), strict=True)


def accumulated(said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a client has in the end."""
    message: dict[str, Any] = said[0]["message"]
    arguments = ""
    for each in said[1:]:
        match each["type"]:
            case "content_block_start":
                message["content"].append(each["content_block"])
                arguments = ""
            case "content_block_delta":
                block, delta = message["content"][-1], each["delta"]
                match delta["type"]:
                    case "citations_delta":
                        block["citations"] = [*(block.get("citations") or []), delta["citation"]]
                    case "input_json_delta":
                        arguments += delta["partial_json"]
                    case kind:
                        block[kind.removesuffix("_delta")] += delta[kind.removesuffix("_delta")]
            case "content_block_stop" if arguments:
                message["content"][-1]["input"] = orjson.loads(arguments)
            case "message_delta":
                message |= each["delta"]
                message["usage"] |= each["usage"]
    return message


class TestRecordings:
    @EVERY_STREAM
    def test_there_and_back(self, name: str) -> None:
        events = decoded(CODEC, [STREAMS[name]])
        again = decoded(CODEC, [encoded(CODEC, events)])
        if isinstance(events[-1], Failed):
            assert again[-1] == events[-1]._replace(code=again[-1].code if isinstance(again[-1], Failed) else "")
            events, again = events[:-1], again[:-1]
        assert named(again) == named(events)

    @pytest.mark.parametrize("name", [name for name in STREAMS if name != "overloaded"])
    def test_the_sdk_takes_what_is_made_of_them(self, name: str) -> None:
        events = decoded(CODEC, [STREAMS[name]])
        message = judged(encoded(CODEC, events))
        whole = CODEC.encode_answer(events, FRAME)
        assert Message.model_validate(whole, strict=True).model_dump() | {"usage": None} == message.model_dump() | {"usage": None}
        assert (message.model, message.id) == ("the-name-asked-for", "msg_answer1")

    @EVERY_STREAM
    def test_a_whole_answer_says_what_its_stream_said(self, name: str) -> None:
        events = decoded(CODEC, [STREAMS[name]])
        if isinstance(events[-1], Failed):
            return
        whole = merged(CODEC.decode_answer(CODEC.encode_answer(events, FRAME)))
        assert without_usage(named(whole)) == without_usage(named(compact(citations_last(events))))

    @EVERY_STREAM
    def test_cut_anywhere_before_its_end_it_is_not_finished(self, name: str) -> None:
        stream = STREAMS[name]
        end = stream.find(b'"stop_reason":"')
        assert not any(isinstance(event, Finished) for event in decoded(CODEC, [stream[:end]]))

    def test_the_output_alone_in_the_end_counts_nothing_twice(self) -> None:
        usages = [event.usage for event in decoded(CODEC, [STREAMS["llama_server"]]) if isinstance(event, UsageSeen)]
        assert usages == [Usage(input_uncached=1, cache_read=25, output=4)]

    def test_nothing_of_the_cache_is_counted_twice(self) -> None:
        (usage,) = [event.usage for event in decoded(CODEC, [STREAMS["thinking"]]) if isinstance(event, UsageSeen)]
        assert usage == Usage(input_uncached=12, cache_read=4000, cache_write=300, output=40, reasoning=31)
        assert judged(encoded(CODEC, decoded(CODEC, [STREAMS["thinking"]]))).usage.model_dump(exclude_none=True) == {
            "input_tokens": 12,
            "cache_read_input_tokens": 4000,
            "cache_creation_input_tokens": 300,
            "output_tokens": 40,
        } | {"output_tokens_details": {"thinking_tokens": 31}}


def named(events: Iterable[Event]) -> list[Event]:
    """Without the names that donut changes."""
    return [event._replace(upstream_id="", model="", usage=None) if isinstance(event, Started) else event for event in events]


def compact(events: Iterable[Event]) -> list[Event]:
    """Arguments without the blanks that a model wrote between them: in a whole answer they are no text any more."""
    return [
        event._replace(text=orjson.dumps(orjson.loads(event.text)).decode()) if isinstance(event, Delta) and event.text[0] == "{" else event
        for event in events
    ]


def citations_last(events: Iterable[Event]) -> list[Event]:
    """Citations behind their text: a whole answer does not say which came first."""
    found = list(events)
    for index, event in enumerate(found[:-1]):
        if isinstance(event, Annotated):
            found[index : index + 2] = [found[index + 1], event]
    return found


def without_usage(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, UsageSeen)]


class TestDecoding:
    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            (b"data: {\n\n", FailureKind.PROTOCOL),
            (b"data: [1]\n\n", FailureKind.PROTOCOL),
            (b'data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n', FailureKind.OVERLOADED),
            (b'data: {"type":"error","error":{"type":"rate_limit_error","message":"x"}}\n\n', FailureKind.RATE_LIMITED),
            (b'data: {"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}\n\n',
             FailureKind.CONTEXT_TOO_LONG),
            (b'data: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n', FailureKind.OVERLOADED),
            (b'data: {"type":"error"}\n\n', FailureKind.OVERLOADED),
            (b'data: {"error":{"message":"out of memory","code":500}}\n\n', FailureKind.OVERLOADED),
        ],
    )  # fmt: skip
    def test_errors(self, data: bytes, kind: FailureKind) -> None:
        (failed,) = decoded(CODEC, [data, STREAMS["text"]])
        assert isinstance(failed, Failed)
        assert failed.failure.kind is kind
        assert failed.failure.message

    def test_what_is_unknown_is_passed_over(self) -> None:
        odd = b': a comment\n\nevent: tomorrow\ndata: {"type":"tomorrow"}\n\ndata: {"type":["x"]}\n\ndata: {}\n\ndata: [DONE]\n\n'
        assert decoded(CODEC, [odd + STREAMS["text"]]) == decoded(CODEC, [STREAMS["text"]])

    def test_an_endless_event_ends_the_stream(self) -> None:
        (failed,) = decoded(CODEC, [b"data: " + b"x" * (sse.MAX_EVENT_BYTES + 1)])
        assert isinstance(failed, Failed)

    def test_a_reason_is_an_end_even_where_message_stop_is_forgotten(self) -> None:
        stream = STREAMS["text"].partition(b"event: message_stop")[0]
        assert decoded(CODEC, [stream])[-1] == Finished(FinishReason.STOP)

    def test_without_a_reason_message_stop_ends_nothing(self) -> None:
        assert decoded(CODEC, [b'data: {"type":"message_stop"}\n\n']) == []

    @pytest.mark.parametrize("answer", [{}, {"content": 5}, {"content": [None, {"type": 3}, {}]}, {"type": "error", "error": "x"}])
    def test_odd_answers_raise_nothing(self, answer: dict[str, Any]) -> None:
        assert isinstance(CODEC.decode_answer(answer), list)


CALL = BlockStarted(1, BlockKind.TOOL_CALL, "call_1", "read_file")


class TestEncoding:
    def test_blocks_that_overlap_come_one_after_the_other(self) -> None:
        events: list[Event] = [
            Started(),
            CALL._replace(block=0),
            CALL._replace(id="call_2"),
            Delta(1, '{"b"'),
            Delta(0, '{"a"'),
            Delta(1, ":2}"),
            BlockEnded(1),
            Delta(0, ":1}"),
            BlockEnded(0),
            Finished(FinishReason.TOOL_CALLS),
        ]
        content = judged(encoded(CODEC, events)).content
        assert [(block.id, block.input) for block in content if block.type == "tool_use"] == [("call_1", {"a": 1}), ("call_2", {"b": 2})]

    def test_what_was_left_open_is_ended(self) -> None:
        events: list[Event] = [CALL._replace(block=0), Delta(0, "{}"), CALL, Delta(1, "{}"), Finished(FinishReason.STOP)]
        message = judged(encoded(CODEC, events))
        assert [block.type for block in message.content] == ["tool_use", "tool_use"]
        assert message.stop_reason == "tool_use", "clients run no tool behind end_turn"

    def test_a_call_without_an_id_gets_one(self) -> None:
        (call,) = judged(encoded(CODEC, [CALL._replace(id=None), BlockEnded(1), Finished(FinishReason.TOOL_CALLS)])).content
        assert call.type == "tool_use"
        assert call.id == "toolu_answer1_1"
        assert call.input == {}

    @pytest.mark.parametrize(
        ("finished", "reason"),
        [
            (Finished(FinishReason.STOP), "end_turn"),
            (Finished(FinishReason.STOP, "END"), "stop_sequence"),
            (Finished(FinishReason.TOOL_CALLS), "end_turn"),
            (Finished(FinishReason.LENGTH), "max_tokens"),
            (Finished(FinishReason.CONTENT_FILTER), "refusal"),
            (Finished(FinishReason.REFUSAL), "refusal"),
            (Finished(FinishReason.PAUSE), "pause_turn"),
            (Finished(FinishReason.CONTEXT_FULL), "model_context_window_exceeded"),
        ],
    )
    def test_reasons(self, finished: Finished, reason: str) -> None:
        message = judged(encoded(CODEC, [Started(), finished]))
        assert (message.stop_reason, message.stop_sequence) == (reason, finished.stop_sequence)

    def test_others_reasoning_carries_a_seal_that_comes_back(self) -> None:
        events: list[Event] = [
            Started(),
            BlockStarted(0, BlockKind.REASONING, item_id="rs_1"),
            Delta(0, "hm"),
            Sealed(0, "openai", "Z2VoZWlt"),
            BlockEnded(0),
            BlockStarted(1, BlockKind.REASONING),
            Delta(1, "plain"),
            BlockEnded(1),
            Finished(FinishReason.STOP),
        ]
        for content in (judged(encoded(CODEC, events)).model_dump()["content"], CODEC.encode_answer(events, FRAME)["content"]):
            conversation = CODEC.parse({"model": "m", "messages": [{"role": "assistant", "content": content}]})
            sealed, plain = conversation.turns[0].parts
            assert sealed == ("hm", "openai", "Z2VoZWlt", "rs_1", False, False)
            assert plain == ("plain", "", None, None, False, False)
            assert CODEC.encode(conversation, "claude-opus-5")["messages"] == [], "Anthropic would refuse both"

    @pytest.mark.parametrize("arguments", ["", " ", '{"a": ', "[1]", '"x"'])
    def test_arguments_that_are_no_object(self, arguments: str) -> None:
        events: list[Event] = [CALL, *([Delta(1, arguments)] if arguments else []), BlockEnded(1), Finished(FinishReason.TOOL_CALLS)]
        (block,) = CODEC.encode_answer(events, FRAME)["content"]
        assert block["input"] == ({"arguments": arguments} if arguments.strip() else {})

    def test_what_the_format_cannot_show_leaves_no_trace(self) -> None:
        events: list[Event] = [
            BlockStarted(0, BlockKind.OPAQUE, vendor="openai", raw={"type": "web_search_call"}),
            BlockEnded(0),
            BlockStarted(1, BlockKind.REFUSAL),
            LogProbs(1, ({"token": "a"},)),
            Annotated(1, "openai", ({"type": "url_citation"},)),
            Delta(1, "no"),
            BlockEnded(1),
            Finished(FinishReason.REFUSAL),
        ]
        for content in (judged(encoded(CODEC, events)).content, Message.model_validate(CODEC.encode_answer(events, FRAME)).content):
            (block,) = content
            assert block.type == "text"
            assert block.text == "no"

    def test_a_failure_is_one_error_event_and_the_last(self) -> None:
        failed = Failed(Failure(FailureKind.OVERLOADED, "too many donuts"))
        encoder = CODEC.new_encoder(FRAME)
        out = encoder.encode([Started(), failed, Finished(FinishReason.STOP)]) + encoder.encode([Finished(FinishReason.STOP)])
        assert [each["type"] for each in named_payloads(out)] == ["message_start", "error"]
        assert named_payloads(out)[1]["error"] == {"type": "overloaded_error", "message": "too many donuts", "code": "provider_overloaded"}
        assert CODEC.encode_answer([failed], FRAME)["type"] == "error"


# Any answer

TEXTS = st.text(min_size=1, max_size=6) | st.sampled_from(["\n\n", 'data: {"type":"error"}\n\n', '"message_stop"', "é🍩\u2028"])


@st.composite
def blocks(draw: st.DrawFn, block: int) -> list[Event]:
    """One block whole: what Anthropic's format can say of it."""
    kind = draw(st.sampled_from([BlockKind.TEXT, BlockKind.REASONING, BlockKind.TOOL_CALL]))
    deltas: list[Event] = [Delta(block, text) for text in draw(st.lists(TEXTS, max_size=3))]
    if kind is BlockKind.TOOL_CALL:
        return [BlockStarted(block, kind, f"toolu_{block}", draw(st.sampled_from(["a", "b"]))), *deltas, BlockEnded(block)]
    if kind is BlockKind.TEXT:
        return [BlockStarted(block, kind), *deltas, BlockEnded(block)]
    seal = Sealed(block, "anthropic", draw(st.sampled_from(["c2VhbA==", "bW9yZQ=="])))
    return [BlockStarted(block, kind, vendor="anthropic"), *deltas, seal, BlockEnded(block)]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[list[Event]], list[Event]]:
    """(the blocks, one order of their events in which several may be open at once)."""
    whole = [draw(blocks(number)) for number in range(draw(st.integers(0, 4)))]
    queues = [list(each) for each in whole]
    mixed: list[Event] = []
    begun = 0
    while any(queues):
        candidates = [number for number, queue in enumerate(queues) if queue and number <= begun]
        number = draw(st.sampled_from(candidates))
        begun = max(begun, number + 1)
        mixed.append(queues[number].pop(0))
    return whole, mixed


def framed(events: Sequence[Event], usage: Usage, reason: FinishReason) -> list[Event]:
    return [Started("up", "up-model", usage._replace(output=0)), *events, UsageSeen(usage), Finished(reason)]


USAGES = st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9), st.integers(1, 9)).map(lambda counts: Usage(*counts))


@settings(max_examples=200, deadline=None)
@given(answer=answers(), usage=USAGES, at=st.lists(st.integers(0, 3000), max_size=6))
def test_any_answer_there_and_back(answer: tuple[list[list[Event]], list[Event]], usage: Usage, at: list[int]) -> None:
    whole, mixed = answer
    has_calls = any(isinstance(events[0], BlockStarted) and events[0].kind is BlockKind.TOOL_CALL for events in whole)
    reason = FinishReason.TOOL_CALLS if has_calls else FinishReason.STOP
    stream = encoded(CODEC, framed(mixed, usage, reason))
    expected = merged(framed([event for events in whole for event in events], usage, reason))
    assert named(decoded(CODEC, cut(stream, at))) == named(expected)
    assert decoded(CODEC, [stream])[-2] == UsageSeen(usage)


@settings(max_examples=100, deadline=None)
@given(answer=answers(), usage=USAGES, reason=st.sampled_from(FinishReason))
def test_any_answer_is_valid_to_the_sdk(answer: tuple[list[list[Event]], list[Event]], usage: Usage, reason: FinishReason) -> None:
    whole, mixed = answer
    mixed = [
        event._replace(text="" if block_kind(whole, event.block) is BlockKind.TOOL_CALL else event.text)
        if isinstance(event, Delta)
        else event
        for event in mixed
    ]  # the SDK parses arguments as JSON, which these are not
    message = judged(encoded(CODEC, framed(mixed, usage, reason)))
    used = message.usage
    assert used.input_tokens + (used.cache_read_input_tokens or 0) + (used.cache_creation_input_tokens or 0) == usage.input
    assert used.output_tokens == usage.output
    Message.model_validate(CODEC.encode_answer(framed(mixed, usage, reason), FRAME), strict=True)


def block_kind(whole: Sequence[Sequence[Event]], block: int) -> BlockKind:
    started = whole[block][0]
    assert isinstance(started, BlockStarted)
    return started.kind


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80) | st.sampled_from(list(STREAMS.values())), at=st.lists(st.integers(0, 3000), max_size=6))
def test_any_bytes_in_any_split(data: bytes, at: list[int]) -> None:
    assert decoded(CODEC, cut(data, at)) == decoded(CODEC, [data])
