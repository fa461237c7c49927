"""What the stream decoders of all dialects share: where one event ends, what is too large or no JSON, and that the cuts say nothing."""

from __future__ import annotations

from itertools import product

import orjson
import pytest

from providers import sse
from providers.codecs.events import BlockEnded, BlockKind, BlockStarted, Delta, Event, Failed, Finished, FinishReason, Started, UsageSeen
from routing.facts import FailureKind
from routing.types import Usage
from tests.translating import CODECS, cut, decoded, encoded, gist, reason_of

EVERY_CODEC = pytest.mark.parametrize("name", CODECS)
ANSWER: list[Event] = [
    Started("up-1", "up-model"),
    BlockStarted(0, BlockKind.TEXT),
    Delta(0, "Two it is."),
    BlockEnded(0),
    UsageSeen(Usage(input_uncached=20, output=7)),
    Finished(FinishReason.STOP),
]
HUGE = b": " + b"x" * sse.MAX_EVENT_BYTES + b"\n\n"
WRONG = {"no JSON": b"data: {oops\n\n", "no object": b"data: [1,2]\n\n", "huge": HUGE}


def begun(name: str) -> bytes:
    """A stream that breaks off behind its text."""
    return encoded(CODECS[name], ANSWER[:3])


def failures(events: list[Event]) -> list[FailureKind]:
    return [event.failure.kind for event in events if isinstance(event, Failed)]


@pytest.mark.parametrize(("name", "wrong"), list(product(CODECS, WRONG)))
def test_what_came_before_something_wrong_is_told_in_any_split(name: str, wrong: str) -> None:
    before, after = begun(name), encoded(CODECS[name], ANSWER)
    stream = before + WRONG[wrong] + after
    whole = decoded(CODECS[name], [stream])
    assert gist(whole).text == "Two it is."
    assert failures(whole) == [FailureKind.PROTOCOL]
    assert reason_of(whole) is None, "what comes behind is no more of this answer"
    size = len(WRONG[wrong])
    for at in (1, len(before) - 1, len(before), len(before) + 9, len(before) + size - 1, len(before) + size, len(stream) - 1):
        assert decoded(CODECS[name], cut(stream, [at])) == whole, at
    assert decoded(CODECS[name], cut(stream, range(0, len(stream), 65536))) == whole


@EVERY_CODEC
def test_an_event_as_large_as_may_be(name: str) -> None:
    fits = HUGE[3:]
    stream = begun(name) + fits
    assert len(fits) == sse.MAX_EVENT_BYTES + 1
    assert failures(decoded(CODECS[name], [begun(name) + fits[1:]])) == []
    assert failures(decoded(CODECS[name], [stream])) == failures(decoded(CODECS[name], cut(stream, [len(stream) - 1]))) != []


@pytest.mark.parametrize(("name", "wrong"), list(product(CODECS, WRONG)))
def test_behind_the_end_nothing_is_wrong(name: str, wrong: str) -> None:
    whole = decoded(CODECS[name], [encoded(CODECS[name], ANSWER) + b"data: [DONE]\n\n" + WRONG[wrong]])
    assert failures(whole) == []
    assert reason_of(whole) is FinishReason.STOP


@EVERY_CODEC
def test_an_error_in_a_list_of_one(name: str) -> None:
    """So Google wraps its errors, and relays hand them on under any format."""
    error = {"error": {"code": 503, "message": "The oven is full.", "status": "UNAVAILABLE"}}
    (failed,) = decoded(CODECS[name], [b"data: " + orjson.dumps([error]) + b"\n\n"])
    assert isinstance(failed, Failed)
    assert failed.failure.kind is FailureKind.OVERLOADED
    assert failed.failure.message == "The oven is full."


@EVERY_CODEC
def test_an_end_without_its_blank_line(name: str) -> None:
    stream = encoded(CODECS[name], ANSWER)
    assert decoded(CODECS[name], [stream[:-2]]) == decoded(CODECS[name], [stream])
