"""The scanner of `choices` streams, and usage: whatever the pieces a stream comes in, the same bytes leave and the same is known of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import sse
from providers.dialects import Ask, ErrorReply, StreamScanner, _openai, chat
from providers.dialects.chat import DIALECT
from routing.facts import Failure, FailureKind
from routing.types import Usage
from tests import streams
from tests.local_servers import recorded

LLAMA_SERVER = ("chat_stream", "chat_stream_usage", "chat_tools_required_stream")
RECORDINGS = {name: recorded("llama-server", name)[1].body for name in LLAMA_SERVER} | {
    name: streams.recording(name) for name in streams.STREAMS
}
EVERY_RECORDING = pytest.mark.parametrize("name", RECORDINGS)
BOTH_WISHES = pytest.mark.parametrize("strip", [False, True], ids=["usage-wanted", "usage-hidden"])


class Seen(NamedTuple):
    """All that is known of a stream when it is over, and what left."""

    out: bytes
    usage: Usage | None
    is_finished: bool
    has_content: bool
    failure: Failure | None
    content_events: int


def new_scanner(*, strip: bool = False, answers: int = 1) -> StreamScanner:
    ask = Ask("m", True)
    ask.strip_usage, ask.answers = strip, answers
    return DIALECT.new_scanner(ask)


def scan(pieces: Iterable[bytes], *, strip: bool = False, answers: int = 1) -> Seen:
    scanner = new_scanner(strip=strip, answers=answers)
    out = []
    for piece in pieces:
        out.append(piece if scanner.passes(piece) else scanner.feed(piece))
        if scanner.failure is not None:
            break  # as the relay does: nothing behind an error is forwarded
    out.append(scanner.finish())
    return Seen(b"".join(out), scanner.usage, scanner.is_finished, scanner.has_content, scanner.failure, scanner.content_events)


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted({min(index, len(data)) for index in at}), len(data)]
    return [piece for start, end in pairwise(edges) if (piece := data[start:end])]


def is_usage_chunk(event: bytes) -> bool:
    data = sse.payload(event)
    if data is None or not data.startswith(b"{"):
        return False
    chunk = orjson.loads(data)
    return not chunk.get("choices") and isinstance(chunk.get("usage"), dict)


class TestRecordedStreams:
    @EVERY_RECORDING
    @BOTH_WISHES
    def test_cut_at_every_byte(self, name: str, strip: bool) -> None:
        stream = RECORDINGS[name]
        whole = scan([stream], strip=strip)
        for at in range(1, len(stream)):
            assert scan([stream[:at], stream[at:]], strip=strip) == whole

    @EVERY_RECORDING
    @BOTH_WISHES
    def test_byte_by_byte_and_event_by_event(self, name: str, strip: bool) -> None:
        stream = RECORDINGS[name]
        whole = scan([stream], strip=strip)
        assert scan((stream[at : at + 1] for at in range(len(stream))), strip=strip) == whole
        assert scan(sse.events(stream), strip=strip) == whole

    @EVERY_RECORDING
    @BOTH_WISHES
    def test_only_the_usage_chunk_goes_and_only_if_nobody_wants_it(self, name: str, strip: bool) -> None:
        stream = RECORDINGS[name]
        kept = [event for event in sse.events(stream) if not (strip and is_usage_chunk(event))]
        assert scan([stream], strip=strip).out == b"".join(kept)

    @EVERY_RECORDING
    def test_what_is_known_in_the_end(self, name: str) -> None:
        seen = scan([RECORDINGS[name]])
        assert seen.is_finished
        assert seen.has_content
        assert seen.failure is None
        assert seen.content_events > 0

    def test_the_usage_of_a_real_server(self) -> None:
        assert scan([RECORDINGS["chat_stream_usage"]], strip=True).usage == Usage(input_uncached=1, cache_read=25, output=4)

    @EVERY_RECORDING
    def test_a_stream_cut_before_its_end_is_not_finished(self, name: str) -> None:
        stream = RECORDINGS[name]
        end = stream.find(b'"finish_reason":"') if b'"finish_reason":"' in stream else stream.find(b'"finish_reason": "')
        assert not scan([stream[:end]]).is_finished


# Any stream

TEXTS = st.sampled_from(
    ["Hi", "", '"usage":{"prompt_tokens":9}', "[DONE]", '"error"', "data: x\n\ndata: [DONE]\n\n", '"choices"', "é🍩\u2028"]
)
CONTENT = st.fixed_dictionaries({}, optional={"role": st.just("assistant"), "content": TEXTS | st.none(), "reasoning_content": TEXTS})
USAGES = st.none() | st.fixed_dictionaries({"prompt_tokens": st.integers(0, 99), "completion_tokens": st.integers(0, 99)})
CHUNKS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"choices": st.lists(st.fixed_dictionaries({"delta": CONTENT}, optional={"finish_reason": st.sampled_from([None, "stop", "length"])}),
                         max_size=2)},
    optional={"usage": USAGES},
) | st.sampled_from([{"error": {"message": "overloaded", "code": 503}}, {"error": None, "choices": []}, {}, [1], None, "x"])  # fmt: skip
PLAIN_LINES = st.sampled_from([": ping", "event: message", "id: 7", ":", "data: [DONE]", "data:[DONE]", "data: {", "data:"])


@st.composite
def events_of(draw: st.DrawFn, line_ends: Sequence[str]) -> bytes:
    """One event: comment, data in one line or in several, and its blank line."""
    end = draw(st.sampled_from(line_ends))
    lines = draw(st.lists(PLAIN_LINES, max_size=1))
    if draw(st.integers(0, 3)):
        text = json.dumps(draw(CHUNKS), ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])),
                          indent=draw(st.sampled_from([None, None, None, 0])))  # fmt: skip
        space = draw(st.sampled_from([" ", " ", ""]))
        lines += [f"data:{space}{line}" for line in text.split("\n")]
    lines = lines or [": nothing"]
    return "".join(line + end for line in [*lines, ""]).encode()


@st.composite
def any_streams(draw: st.DrawFn, line_ends: Sequence[str] = ("\n", "\r\n", "\r")) -> bytes:
    """Events with the line ends mixed from one event to the next; perhaps a byte order mark; perhaps no blank line at the end."""
    stream = b"".join(draw(st.lists(events_of(line_ends), max_size=8)))
    stream = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"])) + stream
    return stream[: len(stream) - draw(st.sampled_from([0, 0, 0, 1, 2, 9]))]


CUTS = st.lists(st.integers(0, 2000), max_size=8)
ANSWERS = st.sampled_from([1, 1, 2])


@settings(max_examples=400, deadline=None)
@given(any_streams(("\n",)) | any_streams(("\r\n",)) | any_streams(("\r",)), CUTS, st.booleans(), ANSWERS)
def test_any_split_of_any_stream(stream: bytes, at: list[int], strip: bool, answers: int) -> None:
    whole = scan([stream], strip=strip, answers=answers)
    assert scan(cut(stream, at), strip=strip, answers=answers) == whole
    assert scan(cut(stream, range(len(stream))), strip=strip, answers=answers) == whole


@settings(max_examples=400, deadline=None)
@given(any_streams(), CUTS, st.booleans())
def test_any_split_of_streams_with_mixed_line_ends(stream: bytes, at: list[int], strip: bool) -> None:
    assert scan(cut(stream, at), strip=strip) == scan([stream], strip=strip)


@settings(max_examples=300, deadline=None)
@given(any_streams(), CUTS)
def test_nothing_is_changed_for_a_client_that_wants_usage(stream: bytes, at: list[int]) -> None:
    seen = scan(cut(stream, at))
    if seen.failure is None:
        assert seen.out == stream
    else:  # up to the error event, which is closed where the upstream did not close it
        assert stream.startswith(seen.out) or (stream + b"\n\n" == seen.out)


@settings(max_examples=300, deadline=None)
@given(any_streams(("\n",)) | any_streams(("\r\n",)), CUTS)
def test_the_quick_path_sees_what_reading_every_event_sees(stream: bytes, at: list[int]) -> None:
    """Event by event and in one piece: the second leaves runs of plain content unparsed."""
    assert scan(sse.events(stream), strip=True) == scan([stream], strip=True) == scan(cut(stream, at), strip=True)


@settings(max_examples=300, deadline=None)
@given(any_streams(("\n",)) | any_streams(("\r\n",)), st.booleans())
def test_what_passes_need_not_be_fed(stream: bytes, strip: bool) -> None:
    fed, looked_at = new_scanner(strip=strip), new_scanner(strip=strip)
    for piece in sse.events(stream):
        passes = looked_at.passes(piece)
        out = fed.feed(piece)
        assert (piece if passes else looked_at.feed(piece)) == out
        assert not passes or (out == piece and fed.failure is None)
        if fed.failure is not None:
            break
        for name in ("usage", "is_finished", "has_content", "content_events"):
            assert getattr(looked_at, name) == getattr(fed, name)


@settings(max_examples=300, deadline=None)
@given(events_of(("\n",)))
def test_what_says_something_at_a_glance_says_something(event: bytes) -> None:
    if chat._SAYS.search(event) is not None:
        reads_it = _openai.ChoiceScanner(Ask("m", True), chat._is_content)
        reads_it.feed(event)
        assert reads_it.has_content or reads_it.failure is not None


@settings(max_examples=200, deadline=None)
@given(any_streams(), CUTS)
def test_what_is_held_back_is_never_a_whole_event(stream: bytes, at: list[int]) -> None:
    """Held bytes delay the client, so they are at most one event (and one whose last CR may be half of a CRLF)."""
    scanner = new_scanner()
    fed = gone = 0
    for piece in cut(stream, at):
        gone += len(scanner.feed(piece))
        fed += len(piece)
        if scanner.failure is not None:
            break
        held = stream[gone:fed]
        assert len(sse.events(held)) <= 2


class TestTheUsageChunk:
    USAGE = streams.event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
    CONTENT = streams.chunk(content="Hi")

    @pytest.mark.parametrize("first", [b"", CONTENT], ids=["before-content", "after-content"])
    def test_it_goes(self, first: bytes) -> None:
        seen = scan([first + self.USAGE + streams.DONE], strip=True)
        assert seen.out == first + streams.DONE
        assert seen.usage == Usage(3, output=2)

    def test_it_stays_for_who_asked(self) -> None:
        assert scan([self.CONTENT + self.USAGE], strip=False).out == self.CONTENT + self.USAGE

    def test_it_goes_in_a_piece_with_half_of_another_event(self) -> None:
        seen = scan([self.CONTENT, self.CONTENT + self.USAGE + b"data: [DO", b"NE]\n\n"], strip=True)
        assert seen.out == self.CONTENT * 2 + streams.DONE

    def test_it_goes_without_its_closing_blank_line(self) -> None:
        assert scan([self.CONTENT + self.USAGE.rstrip()], strip=True).out == self.CONTENT

    @pytest.mark.parametrize("usage", [{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, {}, {"prompt_tokens": None}])
    def test_it_goes_even_when_it_says_nothing(self, usage: dict[str, Any]) -> None:
        """A client that did not ask for it may not survive an event without choices."""
        empty = streams.event({"choices": [], "usage": usage})
        seen = scan([self.CONTENT, empty, streams.DONE], strip=True)
        assert seen.out == self.CONTENT + streams.DONE
        assert seen.usage is None

    def test_usage_beside_the_last_choice_is_read_and_stays(self) -> None:
        chunk = streams.event({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
        seen = scan([self.CONTENT, chunk], strip=True)
        assert (seen.out, seen.usage) == (self.CONTENT + chunk, Usage(3, output=2))

    def test_a_chunk_without_choices_and_usage_stays(self) -> None:
        filters = streams.event({"choices": [], "prompt_filter_results": [], "usage": None})
        assert scan([filters, self.CONTENT, filters], strip=True).out == filters + self.CONTENT + filters


class TestTheEnd:
    @pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]\r\n\r\n", b"data: [DONE]", b"data: [DONE]\n"])
    def test_done(self, end: bytes) -> None:
        assert scan([streams.chunk(content="a"), end]).is_finished

    def test_as_many_answers_as_were_asked_for(self) -> None:
        def end(index: int) -> bytes:
            return streams.event({"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]})

        assert not scan([end(0)], answers=2).is_finished
        assert not scan([end(0), end(0)], answers=2).is_finished
        assert scan([end(0), end(1)], answers=2).is_finished

    def test_the_word_in_the_text_is_no_end(self) -> None:
        assert not scan([streams.chunk(content="[DONE]"), streams.chunk(content="data: [DONE]\n\n")]).is_finished

    @pytest.mark.parametrize("written", ['"finish_reason":"stop"', '"finish_reason": "stop"'])
    def test_however_the_reason_is_spaced(self, written: str) -> None:
        event = b'data: {"choices": [{"delta": {}, ' + written.encode() + b"}]}\n\n"
        assert scan([streams.chunk(content="a"), event]).is_finished


class TestAnErrorInside:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            ({"message": "Rate limited", "code": 429}, FailureKind.RATE_LIMITED),
            ({"message": "slow down", "code": 503}, FailureKind.OVERLOADED),
            ({"message": "x", "code": "rate_limit_exceeded"}, FailureKind.RATE_LIMITED),
            ({"message": "x", "code": "context_length_exceeded"}, FailureKind.CONTEXT_TOO_LONG),
            ({"message": "x", "type": "overloaded_error"}, FailureKind.OVERLOADED),
            ("it broke", FailureKind.OVERLOADED),
        ],
    )
    @pytest.mark.parametrize("first", [b"", streams.chunk(content="a")], ids=["before-content", "after-content"])
    def test_kinds(self, first: bytes, error: Any, kind: FailureKind) -> None:
        event = streams.event({"error": error})
        seen = scan([first + event])
        assert seen.failure is not None
        assert (seen.failure.kind, seen.out) == (kind, first + event)
        assert seen.failure.message

    def test_openrouters_last_chunk(self) -> None:
        chunk = {"error": {"code": 502, "message": "gone"}, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}
        seen = scan([streams.chunk(content="a"), streams.event(chunk)])
        assert seen.failure is not None
        assert seen.failure.kind is FailureKind.OVERLOADED


class TestGiantEvents:
    def test_they_pass_through_whole_and_are_not_hoarded(self) -> None:
        piece = b"x" * 100_000
        scanner = new_scanner()
        fed = gone = 0
        for data in [b"data: ", *[piece] * 50, b"\n\n"]:
            fed += len(data)
            gone += len(scanner.feed(data))
            assert fed - gone <= sse.MAX_EVENT_BYTES
        assert gone + len(scanner.finish()) == fed

    def test_what_follows_one_is_read_again(self) -> None:
        giant = [b"data: " + b"x" * (sse.MAX_EVENT_BYTES + 1), b'y"}\n\n']
        usage = streams.event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
        seen = scan([streams.chunk(content="a"), *giant, usage, streams.DONE], strip=True)
        assert seen.out == streams.chunk(content="a") + b"".join(giant) + streams.DONE
        assert (seen.usage, seen.is_finished) == (Usage(3, output=2), True)

    def test_a_large_event_in_one_piece_is_an_event(self) -> None:
        event = streams.chunk(content="x" * (2 * sse.MAX_EVENT_BYTES))
        seen = scan([event, streams.DONE])
        assert (seen.out, seen.has_content, seen.is_finished) == (event + streams.DONE, True, True)


# Usage

COUNTS: st.SearchStrategy[Any] = (
    st.integers(0, 10**9) | st.integers() | st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.just([])
)
DETAILS = COUNTS | st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens", "reasoning_tokens"]), COUNTS)
MEMBERS = {
    "prompt_tokens": COUNTS,
    "completion_tokens": COUNTS,
    "total_tokens": COUNTS,
    "prompt_tokens_details": DETAILS,
    "completion_tokens_details": DETAILS,
    "prompt_cache_hit_tokens": COUNTS,
    "prompt_cache_miss_tokens": COUNTS,
    "cache_creation_input_tokens": COUNTS,
}


@settings(max_examples=400)
@given(st.fixed_dictionaries({}, optional=MEMBERS) | COUNTS)
def test_usage_adds_up_whatever_is_reported(reported: Any) -> None:
    usage = _openai.read_usage(reported)
    if usage is None:
        return
    assert all(count >= 0 for count in usage[:5])
    prompt = reported.get("prompt_tokens")
    is_count = isinstance(prompt, int) and not isinstance(prompt, bool) and prompt > 0
    assert usage.input == usage.input_uncached + usage.cache_read + usage.cache_write == (prompt if is_count else 0)
    assert usage.reasoning <= usage.output
    assert usage.reported


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.booleans())
def test_the_total_changes_nothing(prompt: int, cached: int, output: int, with_total: bool) -> None:
    """Some servers leave `total_tokens` out."""
    plain = {"prompt_tokens": prompt, "completion_tokens": output, "prompt_tokens_details": {"cached_tokens": cached}}
    reported = plain | ({"total_tokens": prompt + output} if with_total else {})
    cached = min(prompt, cached)
    assert _openai.read_usage(reported) == (Usage(prompt - cached, cached, output=output) if prompt or output else None)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, Usage(10, output=5)),
        ({"prompt_tokens": 10, "total_tokens": 10}, Usage(10)),
        (
            {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
             "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
             "completion_tokens_details": {"reasoning_tokens": 30}},
            Usage(36, 64, 0, 50, 30),
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150, "prompt_cache_hit_tokens": 64,
             "prompt_cache_miss_tokens": 36},
            Usage(36, 64, 0, 50),
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150, "prompt_cache_hit_tokens": 64,
             "prompt_tokens_details": {"cached_tokens": 64}},
            Usage(36, 64, 0, 50),
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105,
             "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}},
            Usage(10, 60, 30, 5),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 99}}, Usage(0, 10)),
        ({"prompt_tokens": -4, "completion_tokens": 5}, Usage(0, output=5)),
        ({"prompt_tokens": True, "completion_tokens": "5"}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({}, None),
        (None, None),
        ([10, 5], None),
    ],
)  # fmt: skip
def test_usage_by_example(reported: Any, usage: Usage | None) -> None:
    assert _openai.read_usage(reported) == usage


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_usage_at_the_end_of_a_large_answer(separators: tuple[str, str]) -> None:
    body = json.dumps(
        {
            "data": [0.1] * 2000,
            "usage": {"prompt_tokens": 7, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 2}},
            "id": "x",
        },
        separators=separators,
    ).encode()
    assert _openai.usage_in_tail(body[-400:]) == Usage(5, 2)
    assert _openai.usage_in_tail(body[:400]) is None


@given(st.binary(max_size=200) | st.sampled_from([b'"usage":{"prompt_tokens":}', b'"usage":{{}}', b'"usage": {"a":{"b":{}}}']))
def test_any_tail_is_read(tail: bytes) -> None:
    found = _openai.usage_in_tail(tail)
    assert found is None or found.input >= 0


# Errors to clients


@pytest.mark.parametrize(
    ("status", "type_"),
    [
        (400, "invalid_request_error"), (401, "authentication_error"), (403, "permission_error"), (404, "invalid_request_error"),
        (413, "invalid_request_error"), (429, "rate_limit_error"), (500, "server_error"), (502, "server_error"), (504, "server_error"),
    ],
)  # fmt: skip
def test_error_bodies(status: int, type_: str) -> None:
    error = orjson.loads(_openai.error_body(ErrorReply(status, "some_code", "Why.", "model")))
    assert error == {"error": {"message": "Why.", "type": type_, "param": "model", "code": "some_code"}}


def test_error_events_are_one_event_and_the_end() -> None:
    seen = streams.payloads(_openai.error_events(ErrorReply(502, "provider_disconnected", "line\nbreak")))
    assert seen[0]["error"]["message"] == "line\nbreak"
    assert seen[1:] == ["[DONE]"]
