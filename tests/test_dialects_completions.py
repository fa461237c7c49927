"""What donut reads from a legacy completion."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.dialects import Ask, BadRequestError
from providers.dialects.completions import DIALECT
from routing.types import Usage
from tests import streams
from tests.local_servers import recorded


def read(**more: Any) -> Ask:
    data = {"model": "m", "prompt": "def f(", **more}
    return DIALECT.read(data, len(orjson.dumps(data)))


@pytest.mark.parametrize(
    ("more", "answers"),
    [
        ({}, 1),
        ({"n": 3}, 3),
        ({"prompt": ["a", "b"]}, 2),
        ({"prompt": ["a", "b"], "n": 2}, 4),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": []}, 1),
        ({"prompt": ""}, 1),
    ],
)
def test_how_many_answers_there_will_be(more: dict[str, Any], answers: int) -> None:
    assert read(**more).answers == answers


def test_streams_and_who_wants_usage() -> None:
    assert read(stream=True).strip_usage
    assert not read(stream=True, stream_options={"include_usage": True}).strip_usage
    assert not read().strip_usage


@pytest.mark.parametrize("prompt", [None, 5, {}, True])
def test_a_prompt_must_be_one(prompt: Any) -> None:
    with pytest.raises(BadRequestError, match="`prompt`") as caught:
        read(prompt=prompt)
    assert (caught.value.param, caught.value.code) == ("prompt", "invalid_type")
    with pytest.raises(BadRequestError) as caught:
        DIALECT.read({"model": "m"}, 10)
    assert caught.value.code == "missing_required_parameter"


def chunk(text: str, finish_reason: str | None = None, index: int = 0) -> bytes:
    return streams.event({"object": "text_completion", "choices": [{"index": index, "text": text, "finish_reason": finish_reason}]})


def test_a_stream() -> None:
    usage = streams.event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    scanner = DIALECT.new_scanner(read(stream=True, prompt=["a", "b"]))
    assert scanner.feed(chunk("")) == chunk("")
    assert not scanner.has_content
    assert scanner.feed(chunk("x") + chunk("y", index=1)) == chunk("x") + chunk("y", index=1)
    assert (scanner.has_content, scanner.content_events) == (True, 2)
    is_finished = []
    for end in (chunk("", "stop"), chunk("", "length", index=1)):
        scanner.feed(end)
        is_finished.append(scanner.is_finished)
    assert is_finished == [False, True]
    assert scanner.feed(usage + streams.DONE) == streams.DONE
    assert scanner.usage == Usage(3, output=2)


def test_answers() -> None:
    recording = DIALECT.read_answer(recorded("llama-server", "completions")[1].body)
    assert (recording.failure, recording.output_tokens_estimated > 0, recording.usage is not None) == (None, True, True)
    assert DIALECT.read_answer(b'{"choices":[{"text":"12345678"},{"text":null},5]}').output_tokens_estimated == 2
    assert DIALECT.read_answer(b'{"choices":5}').output_tokens_estimated == 0
