"""Anthropic's Messages on their way through: what is read, the little that changes, and streams in any split."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
import pytest
from anthropic.types import ErrorResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import sse
from providers.dialects import Ask, BadRequestError, ErrorReply
from providers.dialects.messages import DIALECT, IMAGE_TOKENS, count_input, opening
from routing.calibration import tokens_from_bytes
from routing.facts import Failure, FailureKind
from routing.types import Usage, capability_names
from tests.streams import RECORDINGS

MESSAGES = [{"role": "user", "content": "Hi"}]
STREAMS = {path.stem: path.read_bytes() for path in sorted((RECORDINGS / "messages").glob("*.sse"))}
CLAUDE_CODE = orjson.loads((RECORDINGS / "messages" / "claude_code.request.json").read_bytes())
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 400_000}}


def read(**more: Any) -> Ask:
    data = {"model": "m", "max_tokens": 9, "messages": MESSAGES, **more}
    return DIALECT.read(data, len(orjson.dumps(data)))


def prepared(data: dict[str, Any], **set_on_the_way: Any) -> dict[str, Any]:
    ask = DIALECT.read(data, 10)
    for name, value in set_on_the_way.items():
        setattr(ask, name, value)
    sent: dict[str, Any] = orjson.loads(bytes(DIALECT.prepare(orjson.dumps(data), data, ask, "up")))
    return sent


def said(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


class TestReading:
    @pytest.mark.parametrize(
        ("more", "names"),
        [
            ({}, ()),
            ({"tools": [{"name": "a"}]}, ("tools",)),
            ({"messages": [{"role": "user", "content": [PICTURE]}]}, ("vision",)),
            ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [PICTURE]}]}]}, ("vision",)),
            ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, ("json",)),
            ({"output_format": {"type": "json_schema", "schema": {}}}, ("json",)),
            ({"output_config": {"effort": "high"}}, ()),
        ],
    )
    def test_capabilities(self, more: dict[str, Any], names: tuple[str, ...]) -> None:
        assert capability_names(read(**more).capability_bits) == names

    def test_pictures_and_papers_are_not_counted_as_text(self) -> None:
        tokens = read(messages=[{"role": "user", "content": [PICTURE, PDF]}]).input_tokens_estimated
        assert IMAGE_TOKENS + 5_000 < tokens < IMAGE_TOKENS + 12_000

    @pytest.mark.parametrize("source", [None, 5, [], {}, {"type": "base64", "data": None}, {"type": ["x"]}])
    def test_odd_pictures_are_the_upstreams_to_judge(self, source: Any) -> None:
        assert read(messages=[{"role": "user", "content": [{"type": "image", "source": source}, {"type": []}, 7]}]).capability_bits

    def test_sizes_and_stream(self) -> None:
        ask = read(stream=True)
        assert (ask.model, ask.stream, ask.output_tokens_max, ask.answers, ask.strip_usage) == ("m", True, 9, 1, False)
        assert ask.input_tokens_estimated == tokens_from_bytes(
            len(orjson.dumps({"model": "m", "max_tokens": 9, "messages": MESSAGES, "stream": True}))
        )
        assert read(max_tokens=None).output_tokens_max is None, "the upstream may say what it thinks of it"

    @pytest.mark.parametrize(
        ("block", "is_sealed"),
        [
            ({"type": "thinking", "thinking": "hm", "signature": "c2ln"}, True),
            ({"type": "thinking", "thinking": "hm", "signature": ""}, False),
            ({"type": "thinking", "thinking": "hm", "signature": "donut.openai..c2ln"}, False),
            ({"type": "redacted_thinking", "data": "c2ln"}, True),
            ({"type": "text", "text": "hm"}, False),
        ],
    )
    def test_sealed_reasoning(self, block: dict[str, Any], is_sealed: bool) -> None:
        assert read(messages=[*MESSAGES, said(block)]).has_sealed_reasoning is is_sealed

    @pytest.mark.parametrize(
        ("data", "param", "code"),
        [
            ({"messages": MESSAGES}, "model", "missing_required_parameter"),
            ({"model": 5, "messages": MESSAGES}, "model", "invalid_type"),
            ({"model": "m"}, "messages", "missing_required_parameter"),
            ({"model": "m", "messages": {}}, "messages", "invalid_type"),
            ({"model": "m", "messages": []}, "messages", "invalid_value"),
            ({"model": "m", "messages": [*MESSAGES, "Hi"]}, "messages[1]", "invalid_type"),
            ({"model": "m", "messages": MESSAGES, "stream": "yes"}, "stream", "invalid_type"),
        ],
    )
    def test_what_is_wrong_is_named(self, data: dict[str, Any], param: str, code: str) -> None:
        with pytest.raises(BadRequestError) as caught:
            DIALECT.read(data, 10)
        assert (caught.value.param, caught.value.code) == (param, code)

    def test_claude_code(self) -> None:
        ask = DIALECT.read(CLAUDE_CODE, 48_000)
        assert capability_names(ask.capability_bits) == ("tools", "vision")
        assert ask.has_sealed_reasoning
        excerpt = DIALECT.excerpt(CLAUDE_CODE, "claude-code", {})
        assert excerpt.endpoint == "messages"
        assert excerpt.opening == "Count the holes in donut.py and say how many there are."
        assert excerpt.human == "Go on."
        assert excerpt.system.startswith("You help in a bakery.")
        assert excerpt.tool_names == ("Bash", "Read")


class TestPreparing:
    def test_an_equal_name_changes_nothing(self) -> None:
        body = b' {"model" : "up", "messages":[{"role":"user","content":"donut. \\"donut. hole\\""}] , "x": 1.0 }\n'
        data = orjson.loads(body)
        assert DIALECT.prepare(body, data, DIALECT.read(data, len(body)), "up") is body

    def test_only_the_name_changes(self) -> None:
        body = b' {"model" : "m", "messages":[{"role":"user","content":"Hi"}] , "x": 1.0 }\n'
        data = orjson.loads(body)
        assert DIALECT.prepare(body, data, DIALECT.read(data, len(body)), "up") == body.replace(b'"m"', b'"up"')

    @pytest.mark.parametrize("drop", [False, True])
    def test_thinking_that_this_upstream_would_refuse(self, drop: bool) -> None:
        signed = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
        ours = {"type": "thinking", "thinking": "hm", "signature": "donut.openai..c2ln"}
        text = {"type": "text", "text": "so"}
        data = {"model": "m", "messages": [*MESSAGES, said(ours), *MESSAGES, said(signed, ours, text)], "temperature": 1.0}
        sent = prepared(data, drop_sealed=drop)
        assert sent == {**data, "model": "up", "messages": [*MESSAGES, *MESSAGES, said(text) if drop else said(signed, text)]}

    @pytest.mark.parametrize(("kind", "expected"), [("enabled", {"type": "disabled"}), ("adaptive", {"type": "adaptive"})])
    def test_a_tool_loop_cannot_go_on_thinking_without_its_beginning(self, kind: str, expected: dict[str, Any]) -> None:
        call = {"type": "tool_use", "id": "t", "name": "a", "input": {}}
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]}
        ours = {"type": "thinking", "thinking": "hm", "signature": "donut..."}
        assert (
            prepared({"model": "m", "messages": [*MESSAGES, said(ours, call), result], "thinking": {"type": kind}})["thinking"] == expected
        )

    def test_what_a_policy_wishes(self) -> None:
        wishes = {"output_tokens": 50, "temperature": 0.2}
        data: dict[str, Any] = {"model": "m", "messages": MESSAGES}
        assert prepared(data, defaults=wishes) == {**data, "model": "up", "max_tokens": 50, "temperature": 0.2}
        assert prepared({**data, "max_tokens": 9, "temperature": 0.9}, defaults=wishes) == {
            **data,
            "model": "up",
            "max_tokens": 9,
            "temperature": 0.9,
        }
        thinking = {**data, "max_tokens": 9, "thinking": {"type": "adaptive"}}
        assert prepared(thinking, defaults=wishes) == {**thinking, "model": "up"}


class Seen(NamedTuple):
    out: bytes
    usage: Usage | None
    is_finished: bool
    has_content: bool
    failure: Failure | None
    content_events: int


def scan(pieces: Iterable[bytes]) -> Seen:
    scanner = DIALECT.new_scanner(Ask("m", True))
    out = []
    for piece in pieces:
        out.append(piece if scanner.passes(piece) else scanner.feed(piece))
        if scanner.failure is not None:
            break  # as the relay does
    out.append(scanner.finish())
    return Seen(b"".join(out), scanner.usage, scanner.is_finished, scanner.has_content, scanner.failure, scanner.content_events)


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted({min(index, len(data)) for index in at}), len(data)]
    return [piece for start, end in pairwise(edges) if (piece := data[start:end])]


class TestScanning:
    @pytest.mark.parametrize("name", STREAMS)
    def test_cut_at_every_byte(self, name: str) -> None:
        stream = STREAMS[name]
        whole = scan([stream])
        assert whole.out == stream
        for at in range(1, len(stream)):
            assert scan([stream[:at], stream[at:]]) == whole
        assert scan(stream[at : at + 1] for at in range(len(stream))) == whole
        assert scan(sse.events(stream)) == whole

    @pytest.mark.parametrize("name", [name for name in STREAMS if name != "overloaded"])
    def test_what_is_known_in_the_end(self, name: str) -> None:
        seen = scan([STREAMS[name]])
        assert (seen.is_finished, seen.has_content, seen.failure) == (True, True, None)
        assert seen.content_events == STREAMS[name].count(b'"content_block_delta"')

    def test_usage(self) -> None:
        assert scan([STREAMS["llama_server"]]).usage == Usage(input_uncached=1, cache_read=25, output=4)
        assert scan([STREAMS["thinking"]]).usage == Usage(12, 4000, 300, 40, 31)

    @pytest.mark.parametrize("name", STREAMS)
    def test_nothing_is_content_before_the_first_words(self, name: str) -> None:
        stream = STREAMS[name]
        first = min(at for mark in (b'"content_block_delta"', b'"tool_use"', b'"server_tool_use"') if (at := stream.find(mark)) >= 0)
        scanner = DIALECT.new_scanner(Ask("m", True))
        scanner.feed(stream[:first])
        assert not scanner.has_content

    def test_an_error_behind_content(self) -> None:
        seen = scan([STREAMS["overloaded"] + STREAMS["text"]])
        assert seen.out == STREAMS["overloaded"]
        assert seen.failure is not None
        assert seen.failure.kind is FailureKind.OVERLOADED
        assert not seen.is_finished

    def test_a_stop_reason_is_an_end(self) -> None:
        assert scan([STREAMS["text"].partition(b"event: message_stop")[0]]).is_finished
        assert not scan([STREAMS["text"].partition(b"event: message_delta")[0]]).is_finished


LINES = st.sampled_from(
    [*(piece for stream in STREAMS.values() for piece in sse.events(stream)), b": ping\n\n", b"data: [DONE]\n\n", b"data: {\n\n",
     b'data: {"type":["x"]}\n\n', b'data: {"type":"content_block_start","content_block":{"type":[]}}\n\n', b"data: 5\r\n\r\n"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(LINES, max_size=8), at=st.lists(st.integers(0, 2000), max_size=6), drop=st.sampled_from([0, 0, 1, 2, 9]))
def test_any_split_of_any_stream(pieces: list[bytes], at: list[int], drop: int) -> None:
    stream = b"".join(pieces)
    stream = stream[: len(stream) - drop]
    whole = scan([stream])
    assert scan(cut(stream, at)) == whole
    assert scan(cut(stream, range(len(stream)))) == whole
    assert whole.out == stream or whole.failure is not None


class TestAnswers:
    def test_a_whole_one(self) -> None:
        content = [{"type": "text", "text": "x" * 36}, {"type": "tool_use", "id": "t", "name": "a", "input": {"a": 1}}, None]
        usage = {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 9}
        facts = DIALECT.read_answer(orjson.dumps({"type": "message", "content": content, "usage": usage}))
        assert (facts.usage, facts.output_tokens_estimated, facts.failure) == (Usage(3, 5, 0, 9), 11, None)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b'{"content":'])
    def test_what_is_none(self, body: bytes) -> None:
        failure = DIALECT.read_answer(body).failure
        assert failure is not None
        assert failure.kind is FailureKind.PROTOCOL

    def test_an_error_inside_a_success(self) -> None:
        failure = DIALECT.read_answer(b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}').failure
        assert failure == Failure(FailureKind.RATE_LIMITED, "slow down")

    def test_a_large_one_is_read_from_its_end(self) -> None:
        facts = DIALECT.read_large_answer(b'xx"}],"usage":{"input_tokens":3,"cache_creation":{"a":1},"output_tokens":9}}', 2_000_000)
        assert (facts.usage, facts.output_tokens_estimated) == (Usage(3, output=9), 500_000)
        assert DIALECT.read_large_answer(b"xx", 8).usage is None


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "type_"),
        [(400, "invalid_request_error"), (401, "authentication_error"), (403, "permission_error"), (404, "not_found_error"),
         (422, "invalid_request_error"), (429, "rate_limit_error"), (500, "api_error"), (502, "api_error"), (503, "overloaded_error"),
         (504, "timeout_error"), (529, "overloaded_error")],
    )  # fmt: skip
    def test_in_anthropics_words(self, status: int, type_: str) -> None:
        body = orjson.loads(DIALECT.error_body(ErrorReply(status, "some_code", "No.")))
        assert ErrorResponse.model_validate(body).error.type == type_
        assert body["error"]["message"] == "No."

    def test_claude_code_compacts_on_these_words(self) -> None:
        body = orjson.loads(DIALECT.error_body(ErrorReply(400, "context_length_exceeded", "Too much.")))
        assert body["error"]["message"] == "prompt is too long: Too much."

    def test_in_a_stream_nothing_follows_it(self) -> None:
        frames = DIALECT.error_events(ErrorReply(502, "provider_disconnected", "Cut."))
        assert frames.startswith(b"event: error\ndata: {")
        assert frames.count(b"\n\n") == 1
        assert DIALECT.end_events == b""


class TestConversations:
    def test_how_claude_code_begins(self) -> None:
        found = opening(CLAUDE_CODE)
        assert found.session == "9466ac87-80ce-49da-abd2-053e4606a36f"
        assert not any("cc_version" in text for text in found.system)
        assert found.tool_names == ("Bash", "Read")
        assert found.answer[-2:] == ("toolu_01A", "toolu_01B")

    def test_what_varies_makes_no_other_conversation(self) -> None:
        other = orjson.loads(orjson.dumps(CLAUDE_CODE))
        other["system"][0]["text"] = "x-anthropic-billing-header: cc_version=2.1.329.XYZ;"
        other["system"][1].pop("cache_control")
        other["messages"][3]["content"].append({"type": "text", "text": "more"})
        assert opening(other) == opening(CLAUDE_CODE)

    def test_two_first_answers_that_are_calls_only(self) -> None:
        one, two = ({"messages": [*MESSAGES, said({"type": "tool_use", "id": each, "name": "a", "input": {}})]} for each in "ab")
        assert opening(one) != opening(two)

    @pytest.mark.parametrize("data", [{}, {"messages": 5}, {"messages": [5, {"role": "assistant", "content": 5}]}, {"messages": [said(7)]}])  # type: ignore[arg-type]
    def test_odd_bodies_raise_nothing(self, data: dict[str, Any]) -> None:
        assert opening(data) is not None
        assert count_input(data) >= 1

    def test_counting(self) -> None:
        assert 3 <= count_input({"messages": MESSAGES}) <= 20
        assert count_input({"messages": [{"role": "user", "content": [PICTURE]}]}) < IMAGE_TOKENS + 100
        assert count_input({"messages": MESSAGES, "system": "x" * 4000, "tools": [{"name": "y" * 4000}]}) > 2000
