"""What donut reads from a chat request, and the little that it changes in it."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from providers.dialects import Ask, BadRequestError
from providers.dialects.chat import DIALECT, IMAGE_TOKENS
from routing.calibration import tokens_from_bytes
from routing.facts import FailureKind
from routing.types import Capability, Usage, capability_names
from tests.local_servers import recorded

MESSAGES = [{"role": "user", "content": "Hi"}]


def read(**more: Any) -> Ask:
    data = {"model": "m", "messages": MESSAGES, **more}
    return DIALECT.read(data, len(orjson.dumps(data)))


def prepared(body: bytes, upstream_model: str = "up") -> bytes:
    data = orjson.loads(body)
    return bytes(DIALECT.prepare(body, data, DIALECT.read(data, len(body)), upstream_model))


def picture(url: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": url}]}


class TestReading:
    @pytest.mark.parametrize(
        ("more", "names"),
        [
            ({}, ()),
            ({"tools": []}, ()),
            ({"tools": [{"type": "function"}]}, ("tools",)),
            ({"response_format": {"type": "json_schema"}}, ("json",)),
            ({"response_format": {"type": "json_object"}, "tools": [1]}, ("tools", "json")),
            ({"response_format": {"type": "text"}}, ()),
            ({"response_format": "json"}, ()),
            ({"messages": [picture({"url": "data:x"})]}, ("vision",)),
        ],
    )
    def test_capabilities(self, more: dict[str, Any], names: tuple[str, ...]) -> None:
        assert capability_names(read(**more).capability_bits) == names

    def test_a_picture_is_not_counted_as_text(self) -> None:
        for url in ({"url": "data:image/png;base64," + "A" * 400_000}, "A" * 400_000):
            tokens = read(messages=[picture(url), picture(url)]).input_tokens_estimated
            assert 2 * IMAGE_TOKENS < tokens < 2 * IMAGE_TOKENS + 200

    @pytest.mark.parametrize("url", [None, 5, [], {}, {"url": None}])
    def test_odd_pictures_are_the_upstreams_to_judge(self, url: Any) -> None:
        assert read(messages=[picture(url)]).capability_bits == Capability.VISION

    def test_sizes(self) -> None:
        ask = read(max_tokens=100, n=3)
        assert (ask.output_tokens_max, ask.answers) == (100, 3)
        assert read(max_tokens=100, max_completion_tokens=50).output_tokens_max == 50
        assert ask.input_tokens_estimated == tokens_from_bytes(
            len(orjson.dumps({"model": "m", "messages": MESSAGES, "max_tokens": 100, "n": 3}))
        )

    @pytest.mark.parametrize("count", [0, -1, 1.5, "3", True, None, [], {}])
    def test_odd_counts_are_the_upstreams_to_judge(self, count: Any) -> None:
        ask = read(max_tokens=count, n=count)
        assert (ask.output_tokens_max, ask.answers) == (None, 1)

    @pytest.mark.parametrize(
        ("more", "stream", "strips"),
        [
            ({}, False, False),
            ({"stream": None}, False, False),
            ({"stream": True}, True, True),
            ({"stream": True, "stream_options": None}, True, True),
            ({"stream": True, "stream_options": {}}, True, True),
            ({"stream": True, "stream_options": {"include_usage": False}}, True, True),
            ({"stream": True, "stream_options": {"include_usage": True}}, True, False),
            ({"stream": False, "stream_options": {"include_usage": True}}, False, False),
        ],
    )
    def test_streams_and_who_wants_usage(self, more: dict[str, Any], stream: bool, strips: bool) -> None:
        ask = read(**more)
        assert (ask.stream, ask.strip_usage) == (stream, strips)

    @pytest.mark.parametrize(
        ("data", "param", "code"),
        [
            ({"messages": MESSAGES}, "model", "missing_required_parameter"),
            ({"model": None, "messages": MESSAGES}, "model", "invalid_type"),
            ({"model": 5, "messages": MESSAGES}, "model", "invalid_type"),
            ({"model": "", "messages": MESSAGES}, "model", "invalid_value"),
            ({"model": "m"}, "messages", "missing_required_parameter"),
            ({"model": "m", "messages": {}}, "messages", "invalid_type"),
            ({"model": "m", "messages": []}, "messages", "invalid_value"),
            ({"model": "m", "messages": MESSAGES, "stream": "yes"}, "stream", "invalid_type"),
            ({"model": "m", "messages": MESSAGES, "stream": 1}, "stream", "invalid_type"),
            ({"model": "m", "messages": [*MESSAGES, "Hi"]}, "messages[1]", "invalid_type"),
        ],
    )
    def test_what_is_wrong_is_named(self, data: dict[str, Any], param: str, code: str) -> None:
        with pytest.raises(BadRequestError) as caught:
            DIALECT.read(data, 10)
        assert (caught.value.param, caught.value.code) == (param, code)
        assert f"`{param}`" in str(caught.value)


class TestPreparing:
    def test_an_equal_name_and_no_stream_change_nothing(self) -> None:
        body = b' {"model" : "up", "messages":[{"role":"user"}] , "x": 1.0 }\n'
        assert prepared(body) is body

    def test_an_equal_name_beside_one_in_the_text_changes_nothing_either(self) -> None:
        body = b'{"model": "up", "messages":[{"content":"caf\\u00e9", "tool":{"model":"x"}}]}'
        assert prepared(body) == body

    def test_only_the_name_changes(self) -> None:
        body = b' {"model" : "m", "messages":[{"role":"user"}] , "x": 1.0 }\n'
        assert prepared(body) == body.replace(b'"m"', b'"up"')

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (b"", b'{"stream_options":{"include_usage":true},"model":"up","messages":[1],"stream":true}'),
            (b',"stream_options":null', b'{"model":"up","messages":[1],"stream":true,"stream_options":{"include_usage":true}}'),
            (
                b',"stream_options":{"a": 1,"include_usage":false}',
                b'{"model":"up","messages":[1],"stream":true,"stream_options":{"a":1,"include_usage":true}}',
            ),
            (
                b',"stream_options":{"include_usage": true}',
                b'{"model":"up","messages":[1],"stream":true,"stream_options":{"include_usage": true}}',
            ),
        ],
    )
    def test_a_stream_asks_for_usage(self, options: bytes, expected: bytes) -> None:
        body = b'{"model":"m","messages":[{}],"stream":true' + options + b"}"
        assert prepared(body) == expected.replace(b"[1]", b"[{}]")

    @pytest.mark.parametrize(
        "body",
        [
            b'{"model":"secret","messages":[{}],"model":"up"}',
            b'{"mod\\u0065l":"secret","messages":[{}],"model":"up"}',
            b'{"model":"secret","messages":[{}],"\\u006Dodel":"up"}',
        ],
    )
    def test_a_second_name_is_not_smuggled_past_the_one_that_is_right_already(self, body: bytes) -> None:
        members = json.loads(prepared(body), object_pairs_hook=lambda pairs: pairs)
        assert {value for key, value in members if key == "model"} == {"up"}

    @pytest.mark.parametrize("key", ["Model", "MODEL", "modeL"])
    @pytest.mark.parametrize("is_first", [False, True])
    def test_nor_one_in_capitals(self, key: str, is_first: bool) -> None:
        data: dict[str, Any] = {"model": "m", "messages": MESSAGES}
        data = {key: "secret", **data} if is_first else {**data, key: "secret"}
        with pytest.raises(BadRequestError, match=f"`{key}`"):
            DIALECT.read(data, 10)


class TestAnswers:
    def test_a_recorded_one(self) -> None:
        facts = DIALECT.read_answer(recorded("llama-server", "chat")[1].body)
        assert facts.failure is None
        assert facts.usage is not None
        assert facts.output_tokens_estimated > 0

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b'{"choices":'])
    def test_what_is_none(self, body: bytes) -> None:
        failure = DIALECT.read_answer(body).failure
        assert failure is not None
        assert failure.kind is FailureKind.PROTOCOL

    def test_an_error_inside_a_success(self) -> None:
        failure = DIALECT.read_answer(b'{"error":{"message":"Rate limited","code":429}}').failure
        assert failure is not None
        assert failure.kind is FailureKind.RATE_LIMITED

    def test_an_empty_error_is_none(self) -> None:
        assert DIALECT.read_answer(b'{"error":null,"choices":[]}').failure is None

    @pytest.mark.parametrize(
        "choices", [None, 5, [], [None], [{}], [{"message": None}], [{"message": {"content": None, "role": "assistant"}}]]
    )
    def test_without_text_there_is_nothing_to_estimate(self, choices: Any) -> None:
        assert DIALECT.read_answer(orjson.dumps({"choices": choices})).output_tokens_estimated == 0

    def test_usage(self) -> None:
        body = orjson.dumps({"choices": [{"message": {"content": "x" * 40}}], "usage": {"prompt_tokens": 3, "completion_tokens": 9}})
        facts = DIALECT.read_answer(body)
        assert (facts.usage, facts.output_tokens_estimated) == (Usage(3, output=9), 10)

    def test_a_large_one_is_read_from_its_end(self) -> None:
        facts = DIALECT.read_large_answer(b'xx"}}],"usage":{"prompt_tokens":3,"completion_tokens":9}}', 2_000_000)
        assert facts.usage == Usage(3, output=9)
        assert facts.output_tokens_estimated == 500_000
