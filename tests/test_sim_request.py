"""Requests are read once; what a real upstream would refuse is refused with OpenAI's error body."""

from __future__ import annotations

import orjson
import pytest

from providers.sim.request import RequestError, last_message, read_request


def test_what_every_dialect_needs_is_read() -> None:
    body = orjson.dumps({"model": "m", "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 9, "messages": []})
    asked = read_request(body)
    assert (asked.model, asked.stream, asked.include_usage, asked.max_tokens) == ("m", True, True, 9)
    assert asked.input_tokens == len(body) // 4


def test_max_completion_tokens_is_the_newer_name_and_wins() -> None:
    assert read_request(b'{"model":"m","max_tokens":9,"max_completion_tokens":4}').max_tokens == 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"model": 1}',
        b'{"model": "m", "stream": "yes"}',
        b'{"model": "m", "max_tokens": 0}',
        b'{"model": "m", "max_tokens": "9"}',
    ],
)
def test_malformed_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        read_request(body)
    assert caught.value.status == 400
    assert orjson.loads(caught.value.body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("messages", [None, [], {}, ["hello"], [{"content": "no role"}]])
def test_malformed_messages_are_refused(messages: object) -> None:
    with pytest.raises(RequestError, match="messages"):
        last_message({"messages": messages})
