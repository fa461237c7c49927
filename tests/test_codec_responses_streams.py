"""Answers in OpenAI's Responses format: recorded streams against golden files, any split, any order, and the SDK's own types as judge.

The recordings under `recordings/responses` have the shape of what OpenAI, llama-server and lesser servers send, in our words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from providers.codecs import Frame
from providers.codecs.conversation import Conversation
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
from providers.codecs.responses import CODEC
from routing.facts import Failure, FailureKind
from routing.types import Usage
from tests.recorded import named_payloads, requests_of, streams_of
from tests.translating import FRAME, decoded, encoded, merged

STREAMS = streams_of("responses")
EVERY_STREAM = pytest.mark.parametrize("name", STREAMS)
SDK_EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


def payloads(stream: bytes) -> list[dict[str, Any]]:
    """The events' data, numbered."""
    found = named_payloads(stream)
    assert [each["sequence_number"] for each in found] == list(range(len(found)))
    return found


def judged(stream: bytes) -> Response:
    """What a client makes of a finished stream, as the SDK's type. Every event is valid, every item and part is balanced and said whole."""
    said = payloads(stream)
    kinds = [each["type"] for each in said]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in ("response.completed", "response.incomplete")
    for each in said:
        SDK_EVENT.validate_json(orjson.dumps(each), strict=True)
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=omit)
    for each in said:
        if kinds[-1] == "response.completed":
            state.handle_event(SDK_EVENT.validate_python(each))
    response = Response.model_validate_json(orjson.dumps(said[-1]["response"]), strict=True)
    assert gathered(said) == said[-1]["response"]["output"]
    return response


def gathered(said: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items by their `done` events; what their deltas say is the same."""
    items: dict[int, dict[str, Any]] = {}
    texts: dict[tuple[int, int], str] = {}
    for each in said:
        index = each.get("output_index", -1)
        match each["type"].removeprefix("response."):
            case "output_item.added":
                assert index == len(items)
                items[index] = {}
            case "output_item.done":
                items[index] = each["item"]
            case kind if kind.endswith(".delta"):
                assert each["delta"]
                at = (index, each.get("content_index", each.get("summary_index", 0)))
                texts[at] = texts.get(at, "") + each["delta"]
    for (index, part), text in texts.items():
        item = items[index]
        parts = item.get("content") or item.get("summary")
        whole = parts[part].get("text", parts[part].get("refusal")) if parts else item.get("arguments", item.get("input"))
        assert text == whole
    return list(items.values())


class TestRecordings:
    @EVERY_STREAM
    def test_there_and_back(self, name: str) -> None:
        events = in_order(decoded(CODEC, [STREAMS[name]]))
        assert named(decoded(CODEC, [encoded(CODEC, events)])) == named(events)

    @pytest.mark.parametrize("name", [name for name in STREAMS if name != "failed"])
    def test_the_sdk_takes_what_is_made_of_them(self, name: str) -> None:
        events = decoded(CODEC, [STREAMS[name]])
        response = judged(encoded(CODEC, events))
        whole = CODEC.encode_answer(events, FRAME)
        assert Response.model_validate_json(orjson.dumps(whole), strict=True) == response
        assert (response.model, response.id) == ("the-name-asked-for", "resp_answer1")

    @pytest.mark.parametrize("name", [name for name in STREAMS if name != "failed"])
    def test_a_whole_answer_says_what_its_stream_said(self, name: str) -> None:
        events = in_order(decoded(CODEC, [STREAMS[name]]))
        assert named(merged(CODEC.decode_answer(CODEC.encode_answer(events, FRAME)))) == named(events)

    @EVERY_STREAM
    def test_cut_anywhere_before_its_end_it_is_not_finished(self, name: str) -> None:
        stream = STREAMS[name]
        end = max(stream.rfind(mark) for mark in (b'"status":"completed"', b'"status":"incomplete"', b'"status": "completed"'))
        last_line = stream.rfind(b"data:", 0, end) if end > 0 else len(stream)
        assert not any(isinstance(event, Finished) for event in decoded(CODEC, [stream[:last_line]]))

    def test_the_figures_count_nothing_twice(self) -> None:
        (usage,) = [event.usage for event in decoded(CODEC, [STREAMS["text"]]) if isinstance(event, UsageSeen)]
        assert usage == Usage(input_uncached=8, cache_read=100, cache_write=12, output=40, reasoning=24)
        response = judged(encoded(CODEC, decoded(CODEC, [STREAMS["text"]])))
        assert response.usage is not None
        assert response.usage.model_dump(exclude_none=True) == {
            "input_tokens": 120,
            "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 12},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 24},
            "total_tokens": 160,
        }


def named(events: Iterable[Event]) -> list[Event]:
    """Without the names that donut changes, and its mark in place of a seal that was not there."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, Started):
            found.append(event._replace(upstream_id="", model=""))
        elif isinstance(event, BlockStarted):
            # Plain reasoning travels as a summary, which is the one place that every client gives back.
            raw = {**event.raw, "id": ""} if event.raw is not None else None
            vendor = "" if event.kind is BlockKind.REASONING else event.vendor
            found.append(event._replace(item_id=None, raw=raw, is_summary=False, vendor=vendor))
        elif isinstance(event, UsageSeen):
            found.append(event._replace(service_tier=None))
        elif isinstance(event, Failed):
            found.append(event._replace(failure=Failure(event.failure.kind, event.failure.message)))
        elif not (isinstance(event, Sealed) and event.seal == "donut..."):
            found.append(event)
    return found


def in_order(events: Sequence[Event]) -> list[Event]:
    """One block after the other, in the order of their beginnings, numbered anew."""
    numbers = [event.block for event in events if isinstance(event, BlockStarted)]
    blocks = [[event._replace(block=new) for event in events if getattr(event, "block", None) == old] for new, old in enumerate(numbers)]  # type: ignore[call-arg]
    first = [event for event in events if isinstance(event, Started)]
    last = [event for event in events if isinstance(event, UsageSeen | Finished | Failed)]
    return merged([*first, *(event for block in blocks for event in block), *last])


# Any answer

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@st.composite
def blocks(draw: st.DrawFn, number: int) -> list[Event]:
    kind = draw(st.sampled_from([BlockKind.TEXT, BlockKind.REFUSAL, BlockKind.REASONING, BlockKind.TOOL_CALL]))
    texts = [Delta(number, text) for text in draw(st.lists(TEXTS, min_size=1, max_size=4))]
    if kind is BlockKind.TOOL_CALL:
        call_kind, namespace = draw(st.sampled_from(["function", "custom"])), draw(st.none() | NAMES)
        started = BlockStarted(number, kind, f"call_{number}", draw(NAMES), call_kind, namespace)
        return [started, *texts, BlockEnded(number)]
    if kind is BlockKind.REASONING:
        return [BlockStarted(number, kind), *texts, Sealed(number, "openai", draw(NAMES)), BlockEnded(number)]
    return [BlockStarted(number, kind), *texts, BlockEnded(number)]


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Any answer whose blocks overlap as they like."""
    rows = [draw(blocks(number)) for number in range(draw(st.integers(0, 4)))]
    middle: list[Event] = []
    opened = 0
    while any(rows):
        ready = [row for index, row in enumerate(rows) if row and index <= opened]
        row = draw(st.sampled_from(ready))
        event = row.pop(0)
        opened += isinstance(event, BlockStarted)
        middle.append(event)
    counts = st.integers(0, 10**6)
    usage = Usage(draw(counts), draw(counts), draw(counts), output := draw(counts), draw(st.integers(0, output)))
    reason = draw(st.sampled_from([FinishReason.LENGTH, FinishReason.STOP, FinishReason.CONTENT_FILTER]))
    if reason is FinishReason.STOP and any(isinstance(event, BlockStarted) and event.kind is BlockKind.TOOL_CALL for event in middle):
        reason = FinishReason.TOOL_CALLS
    said: list[Event] = [UsageSeen(usage)] if usage.input or usage.output else []
    return [Started("up", "m"), *middle, *said, Finished(reason)]


@settings(max_examples=150, deadline=None)
@given(events=answers(), data=st.data())
def test_any_answer_survives(events: list[Event], data: st.DataObject) -> None:
    stream = encoded(CODEC, events)
    judged(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    assert named(decoded(CODEC, pieces)) == named(in_order(events))
    whole = CODEC.encode_answer(events, FRAME)
    assert named(merged(CODEC.decode_answer(whole))) == named(in_order(events))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=30) | st.builds(lambda data: b"data: " + orjson.dumps(data) + b"\n\n", st.dictionaries(
    st.sampled_from(["type", "item", "response", "delta", "output_index", "item_id", "error", "content_index"]),
    st.sampled_from(["response.output_item.added", "response.output_item.done", "response.output_text.delta", "response.completed", "error",
                     "response.function_call_arguments.delta", "response.reasoning_text.delta", "response.failed", "x", 0, None, [], {},
                     {"type": "message", "id": "x", "content": [{"type": "output_text", "text": "t"}, 5]}, {"type": "function_call"},
                     {"type": "reasoning", "summary": 4, "id": "x"}, {"output": [{"type": "reasoning"}, 3], "usage": [], "status": 3}]),
)), max_size=8))  # fmt: skip
def test_nothing_that_comes_raises(pieces: list[bytes]) -> None:
    decoder = CODEC.new_decoder()
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.finish()
    ends = [event for event in events if isinstance(event, Finished | Failed)]
    assert len(ends) <= 1
    assert not ends or events[-1] is ends[0]
    begun = [event.block for event in events if isinstance(event, BlockStarted)]
    assert begun == list(range(len(begun)))


# What an encoder makes of what other formats say


def test_log_probabilities_stand_beside_their_text() -> None:
    entries = ({"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -2.0}]},)
    events: list[Event] = [
        Started(),
        BlockStarted(0, BlockKind.TEXT),
        Delta(0, "Hi"),
        LogProbs(0, entries),
        BlockEnded(0),
        Finished(FinishReason.STOP),
    ]
    encoder = CODEC.new_encoder(FRAME)
    stream = encoder.encode(events)
    judged(stream)
    delta = next(each for each in payloads(stream) if each["type"] == "response.output_text.delta")
    assert delta["logprobs"] == [{**entries[0], "top_logprobs": [{"token": "Ho", "logprob": -2.0, "bytes": [72, 111], "top_logprobs": []}]}]
    (decoded_entries,) = [event.items for event in decoded(CODEC, [stream]) if isinstance(event, LogProbs)]
    assert decoded_entries == tuple(delta["logprobs"])


def test_citations_of_others_become_annotations() -> None:
    cited = {
        "type": "web_search_result_location",
        "url": "https://example.com",
        "title": "Example",
        "cited_text": "round",
        "encrypted_index": "x",
    }
    nested = {"type": "url_citation", "url_citation": {"url": "https://b.example", "title": "B", "start_index": 0, "end_index": 4}}
    events: list[Event] = [
        Started(), BlockStarted(0, BlockKind.TEXT), Annotated(0, "anthropic", (cited, {"type": "char_location"})),
        Delta(0, "They are round."),
        Annotated(0, "openai", (nested,)), BlockEnded(0), Finished(FinishReason.STOP),
    ]  # fmt: skip
    response = judged(encoded(CODEC, events))
    annotations = response.output[0].model_dump()["content"][0]["annotations"]
    assert [(each["url"], each["start_index"], each["end_index"]) for each in annotations] == [
        ("https://example.com", 0, 15),
        ("https://b.example", 0, 4),
    ]


def test_neighbouring_texts_are_parts_of_one_message() -> None:
    events: list[Event] = [Started()]
    for number, kind in enumerate([BlockKind.TEXT, BlockKind.TEXT, BlockKind.REFUSAL, BlockKind.REASONING, BlockKind.TEXT]):
        events += [BlockStarted(number, kind), Delta(number, f"{number}"), BlockEnded(number)]
    response = judged(encoded(CODEC, [*events, Finished(FinishReason.STOP)]))
    assert [item.type for item in response.output] == ["message", "reasoning", "message"]
    assert response.output_text == "014"


def test_a_call_without_arguments_has_an_empty_object() -> None:
    events: list[Event] = [Started(), BlockStarted(0, BlockKind.TOOL_CALL, None, "now"), BlockEnded(0), Finished(FinishReason.TOOL_CALLS)]
    (call,) = judged(encoded(CODEC, events)).output
    assert call.model_dump()["arguments"] == "{}"
    assert call.model_dump()["call_id"] == "call_answer1_0"


def test_a_server_tool_of_another_vendor_leaves_no_gap() -> None:
    events: list[Event] = [
        Started(), BlockStarted(0, BlockKind.OPAQUE, vendor="anthropic", raw={"type": "server_tool_use"}), BlockEnded(0),
        BlockStarted(1, BlockKind.TEXT), Delta(1, "Hi"), BlockEnded(1), Finished(FinishReason.PAUSE),
    ]  # fmt: skip
    assert judged(encoded(CODEC, events)).output_text == "Hi"


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        (FinishReason.STOP, "completed", None),
        (FinishReason.TOOL_CALLS, "completed", None),
        (FinishReason.LENGTH, "incomplete", "max_output_tokens"),
        (FinishReason.CONTEXT_FULL, "incomplete", "max_output_tokens"),
        (FinishReason.CONTENT_FILTER, "incomplete", "content_filter"),
        (FinishReason.REFUSAL, "incomplete", "content_filter"),
    ],
)
def test_how_an_answer_ended(reason: FinishReason, status: str, details: str | None) -> None:
    response = judged(encoded(CODEC, [Started(), BlockStarted(0, BlockKind.TEXT), Delta(0, "Hi"), Finished(reason)]))
    assert response.status == response.output[0].model_dump()["status"] == status
    assert (response.incomplete_details.reason if response.incomplete_details else None) == details


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FailureKind.OVERLOADED, "server_error"),
        (FailureKind.CUT, "server_error"),
        (FailureKind.RATE_LIMITED, "rate_limit_exceeded"),
        (FailureKind.CONTEXT_TOO_LONG, "context_length_exceeded"),
        (FailureKind.BAD_REQUEST, "invalid_prompt"),
        (FailureKind.NOT_FOUND, "model_not_found"),
    ],
)
def test_a_failure_is_told_in_words_that_codex_knows(kind: FailureKind, code: str) -> None:
    begun: list[Event] = [Started(), BlockStarted(0, BlockKind.TEXT), Delta(0, "Hi")]
    for events in ([], begun):
        said = payloads(encoded(CODEC, [*events, Failed(Failure(kind, "Too much.")), Finished(FinishReason.STOP)]))
        assert [each["type"] for each in said[-2:]] == ["error", "response.failed"]
        assert said[0]["type"] == "response.created"
        assert said[-1]["response"]["error"]["code"] == said[-2]["code"] == code
        assert said[-1]["response"]["id"] == said[0]["response"]["id"]
        assert not any(each["type"].endswith("done") for each in said)
    (failed,) = [event for event in decoded(CODEC, [encoded(CODEC, [Failed(Failure(kind, "Too much."))])]) if isinstance(event, Failed)]
    assert failed.failure.policy.try_elsewhere == Failure(kind, "").policy.try_elsewhere


def test_an_answer_repeats_its_request() -> None:
    request = requests_of("responses")["codex"]
    frame = Frame("the-name-asked-for", "answer1", 1_800_000_000, conversation=CODEC.parse(request))
    response = judged(encoded(CODEC, [Started(), Finished(FinishReason.STOP)], frame))
    assert [tool.type for tool in response.tools] == ["function", "custom", "tool_search", "web_search"]
    assert (response.prompt_cache_key, response.parallel_tool_calls) == ("01a1-thread", True)
    assert response.reasoning is not None
    assert response.reasoning.effort == "medium"
    assert isinstance(frame.conversation, Conversation)
