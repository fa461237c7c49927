"""Where events end and what they say, for every way to end a line; held against the standard's own algorithm, written down plainly."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers import sse

LINE_ENDS = ("\n", "\r\n", "\r")
BOM = b"\xef\xbb\xbf"


def spec_payloads(stream: bytes) -> list[bytes | None]:
    """The data of each complete event, by the letter of the standard ("9.2.6 Interpreting an event stream"), None for one without."""
    found: list[bytes | None] = []
    data: list[bytes] = []
    is_begun = False
    *lines, unfinished = re.split(rb"\r\n|\n|\r", stream.removeprefix(BOM))
    del unfinished
    for line in lines:
        if line:
            is_begun = True
            name, _, value = line.partition(b":")
            if name == b"data":
                data.append(value.removeprefix(b" "))
        elif is_begun:
            found.append(b"\n".join(data) if data else None)
            data, is_begun = [], False
    return found


FIELDS = st.sampled_from(
    ["data: {}", "data:x", "data: ", "data:", "data:  two", "event: ping", "id: 7", ": comment", ":", "retry: 5", "datax: no", "other",
     "data: a: b", "data: \u2028é🍩"]
)  # fmt: skip


@st.composite
def streams(draw: st.DrawFn, line_ends: tuple[str, ...] = LINE_ENDS) -> bytes:
    """Whole events; every line ends in one of `line_ends`, drawn anew for each line."""
    end = st.sampled_from(line_ends)
    events = draw(st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=5))
    text = "".join("".join(field + draw(end) for field in event) + draw(end) * draw(st.integers(1, 2)) for event in events)
    return text.encode()


def said(stream: bytes) -> list[bytes]:
    return [payload for event in sse.events(stream) if (payload := sse.payload(event)) is not None]


@settings(max_examples=300)
@given(streams(), st.integers(0, 9))
def test_one_event_after_the_other_is_all_of_them(stream: bytes, less: int) -> None:
    data, ends = stream[: len(stream) - less], [0]
    while ends[-1] < len(data):
        ends.append(sse.event_end(data, ends[-1]))
    assert [data[start:end] for start, end in pairwise(ends)] == sse.events(data)


@settings(max_examples=300)
@given(st.sampled_from(LINE_ENDS).flatmap(lambda end: streams((end,))))
def test_the_same_events_as_the_standards(stream: bytes) -> None:
    assert said(stream) == [payload for payload in spec_payloads(stream) if payload is not None]
    assert b"".join(sse.events(stream)) == stream


@settings(max_examples=300)
@given(streams())
def test_mixed_line_ends_are_read_too(stream: bytes) -> None:
    """A CR from one line and an LF from the next are one line end, so the last event may be unfinished: close it for the standard."""
    assert said(stream) == [payload for payload in spec_payloads(stream + b"\n\n") if payload is not None]


@settings(max_examples=300)
@given(streams(), st.integers(0, 400))
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", 11)
@example(b"data: a\r\rdata: b\r\r", 9)
def test_no_event_is_complete_before_its_blank_line(stream: bytes, size: int) -> None:
    """What `last_boundary` lets go is whole events by the standard: the same ones as when the rest had been there."""
    seen = stream[:size]
    end = sse.last_boundary(seen)
    assert 0 <= end <= len(seen)
    complete = spec_payloads(seen[:end])
    assert complete == spec_payloads(stream)[: len(complete)]
    if end:
        assert re.search(rb"(?:\n|\r)(?:\r\n|\n|\r)\Z", seen[:end])


@settings(max_examples=200)
@given(st.sampled_from(LINE_ENDS).flatmap(lambda end: streams((end,))))
def test_a_complete_stream_is_let_go(stream: bytes) -> None:
    end = sse.last_boundary(stream)
    held = stream[end:]
    # A CR at the very end may be half of a CRLF, so the event before it waits: for the next byte, or for the end.
    assert len(spec_payloads(held)) <= (1 if stream.endswith(b"\r") else 0)


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"data:{}\n\n", b"{}"),
        (b"data:  {}\n\n", b" {}"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b"event: x\r\ndata: a\r\nid: 1\r\n\r\n", b"a"),
        (b": ping\n\n", None),
        (b"event: x\n\n", None),
        (b"\n\n", None),
        (b"", None),
        (b"data: a", b"a"),
        (b"data: a\n", b"a"),
        (b"data: {}\nid: 12\n", b"{}"),
        (b"id: 1\ndata: {}\n", b"{}"),
        (BOM + b"data: {}\n\n", b"{}"),
        (BOM + b"data: {}\r\n\r\n", b"{}"),
    ],
)
def test_payloads(event: bytes, payload: bytes | None) -> None:
    """Also of an event that the stream's end left without its blank line, and of the first one behind a byte order mark."""
    assert sse.payload(event) == payload


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"", 0),
        (b"data: a", 0),
        (b"data: a\n", 0),
        (b"data: a\n\n", 9),
        (b"data: a\n\ndata: b\n", 9),
        (b"data: a\r\n\r\n", 11),
        (b"data: a\r\n\r", 0),
        (b"data: a\r\r", 0),
        (b"data: a\r\rd", 9),
        (b"data: a\r\n\n", 10),
        (b"data: a\n\r\n", 10),
    ],
)
def test_last_boundaries(data: bytes, end: int) -> None:
    assert sse.last_boundary(data) == end


@pytest.mark.parametrize(
    ("data", "is_stream"),
    [
        (b"data: {}\n\n", True),
        (b"event: x\n", True),
        (b": ping\n\n", True),
        (b"id: 1", True),
        (b"retry: 5", True),
        (BOM + b"data: x", True),
        (b"\r\n\r\ndata: x", True),
        (b'{"data": 1}', False),
        (b'"data:"', False),
        (b"[1]", False),
        (b"<html>", False),
        (b"", False),
    ],
)
def test_what_looks_like_a_stream(data: bytes, is_stream: bool) -> None:
    assert sse.looks_like_sse(data) is is_stream
