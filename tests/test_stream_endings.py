"""A stream that can not go on ends in frames that fit what went out before: the answer's own id, the next number, the array's bracket."""

from __future__ import annotations

from itertools import product

import orjson
import pytest

from providers import sse
from providers.codecs.events import Event, Failed
from providers.codecs.translate import TranslatingScanner
from providers.dialects import Ask, Dialect, ErrorReply, StreamScanner, chat, gemini, messages, responses
from providers.dialects.gemini import GeminiAsk
from tests.test_codec_event_stream import ANSWER
from tests.translating import CODECS, FRAME, decoded, encoded, gist

DIALECTS: dict[str, Dialect] = {each.DIALECT.name: each.DIALECT for each in (chat, responses, messages, gemini)}
BROKE_OFF = ErrorReply(502, "provider_disconnected", "It broke off.")
EVERY_DIALECT = pytest.mark.parametrize("name", DIALECTS)


def begun(name: str) -> bytes:
    return encoded(CODECS[name], ANSWER[:3])


def ended(scanner: StreamScanner, stream: bytes) -> bytes:
    return scanner.feed(stream) + scanner.end_with(BROKE_OFF)


def error_in(name: str, stream: bytes) -> tuple[str, list[str]]:
    """(the text before the error, what the errors say)."""
    events: list[Event] = decoded(CODECS[name], [stream])
    return gist(events).text, [event.failure.message for event in events if isinstance(event, Failed)]


@EVERY_DIALECT
def test_in_the_middle_of_an_event(name: str) -> None:
    """Half an event is never let out: the error stands behind the last whole one."""
    stream = begun(name)
    for held in (b"", b'data: {"half', b"event: x\ndata: "):
        out = ended(DIALECTS[name].new_scanner(Ask("m", stream=True)), stream + held)
        assert out.startswith(stream)
        assert error_in(name, out) == ("Two it is.", ["It broke off."])


@EVERY_DIALECT
def test_of_a_stream_that_never_began(name: str) -> None:
    scanner = DIALECTS[name].new_scanner(Ask("m", stream=True))
    assert scanner.end_with(BROKE_OFF) == DIALECTS[name].error_events(BROKE_OFF)


@pytest.mark.parametrize("at", [1, 5])
def test_responses_go_on_counting_under_their_own_id(at: int) -> None:
    passed = sse.events(begun("responses"))[:at]
    scanner = DIALECTS["responses"].new_scanner(Ask("m", stream=True))
    said = [orjson.loads(event.split(b"data: ")[1]) for event in sse.events(ended(scanner, b"".join(passed)))]
    assert [event["sequence_number"] for event in said] == list(range(at + 2))
    assert [event["type"] for event in said[at:]] == ["error", "response.failed"]
    assert said[-1]["response"]["id"] == said[0]["response"]["id"]


def test_a_number_in_a_text_is_none_of_the_streams() -> None:
    scanner = DIALECTS["responses"].new_scanner(Ask("m", stream=True))
    scanner.feed(begun("responses"))
    scanner.feed(b'data: {"type":"response.output_text.delta","sequence_number":7,"delta":"\\"sequence_number\\":99"}\n\n')
    assert b'"sequence_number":8,' in scanner.end_with(BROKE_OFF)


@pytest.mark.parametrize("stream", [b"", begun("gemini")], ids=["empty", "begun"])
def test_an_array_is_closed(stream: bytes) -> None:
    ask = GeminiAsk("m", stream=True)
    ask.is_array = True
    array = orjson.loads(ended(DIALECTS["gemini"].new_scanner(ask), stream))
    assert [chunk["error"]["message"] for chunk in array if "error" in chunk] == ["It broke off."]
    assert len(array) == 1 + len(sse.events(stream))


@pytest.mark.parametrize(("upstream", "downstream"), [pair for pair in product(CODECS, CODECS) if pair[0] != pair[1]])
def test_a_translated_stream_goes_on_where_it_stopped(upstream: str, downstream: str) -> None:
    end_events = DIALECTS[downstream].end_events
    scanner = TranslatingScanner(CODECS[upstream].new_decoder(), CODECS[downstream].new_encoder(FRAME), end_events)
    out = ended(scanner, begun(upstream))
    assert error_in(downstream, out) == ("Two it is.", ["It broke off."])
    assert out.endswith(end_events)
    assert out.count(b"It broke off.") == (2 if downstream == "responses" else 1)
