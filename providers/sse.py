"""Server-sent events, sans-IO and byte-faithful: where one event ends, and what its data is. https://html.spec.whatwg.org/#server-sent-events

Lines end in LF, CRLF or CR. Bytes that leave a splitter are the bytes that went in; only the cuts between them differ.
"""

from __future__ import annotations

import re
from itertools import pairwise

MAX_EVENT_BYTES = 1024 * 1024
"""An unfinished event beyond this is let through unread: memory per stream stays bounded whatever the upstream sends."""

EVENT_ENDS = (b"\n\n", b"\r\n\r\n")
"""How a piece ends that ends with an event, but for the few servers that end lines in CR."""

_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n|\n\r(?!\n)|\r\r\n")
_LINE = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_BEFORE_FIRST = _BOM + b" \r\n"
_FIRST_WORDS = (b"data:", b"event:", b":", b"id:", b"retry:")
SNIFF_BYTES = 4096
"""How much white space may come before it has to be clear what an answer is."""


def last_boundary(data: bytes) -> int:
    """The index behind the last blank line of `data`; 0 when no event ends in it."""
    end = data.rfind(b"\n\n") + 2
    if b"\r" in data:
        end = max(end if end > 1 else 0, data.rfind(b"\n\r\n") + 3 if b"\n\r\n" in data else 0)
        # A lone CR ends a line too, but a CR at the very end may be half of a CRLF: wait for the next byte.
        end = max(end, data.rfind(b"\r\r", 0, len(data) - 1) + 2 if b"\r\r" in data[:-1] else 0)
    return end if end > 1 else 0


def events(data: bytes) -> list[bytes]:
    """Cut complete events apart; each piece keeps its closing blank line, so joining them gives `data` back."""
    if b"\r" not in data:
        pieces = data.split(b"\n\n")
        rest = pieces.pop()
        found = [piece + b"\n\n" for piece in pieces]
        return [*found, rest] if rest else found
    cuts = [0, *(match.end() for match in _BOUNDARY.finditer(data))]
    if cuts[-1] < len(data):
        cuts.append(len(data))
    return [data[start:end] for start, end in pairwise(cuts)]


def event_end(data: bytes, start: int) -> int:
    """The index behind the event that begins at `start`: its closing blank line, or all of `data` where that is missing."""
    end = data.find(b"\n\n", start) + 2
    if end > 1 and data.find(b"\r", start, end) < 0:
        return end
    match = _BOUNDARY.search(data, start)
    return match.end() if match is not None else len(data)


def payload(event: bytes) -> bytes | None:
    """The event's data lines joined by LF; None for a comment or an event without data."""
    if event.startswith(b"data: ") and event.endswith(b"\n\n") and event.count(b"\n") == 2 and b"\r" not in event:
        return event[6:-2]  # one line and its blank line: what nearly every upstream sends
    # A byte order mark may stand before a stream's first event.
    lines = [line[5:].removeprefix(b" ") for line in _LINE.split(event.removeprefix(_BOM)) if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def looks_like_sse(data: bytes) -> bool:
    """Does a body that begins with `data` look like an event stream? Some backends send one without a content type."""
    return data.lstrip(_BEFORE_FIRST)[:6].startswith(_FIRST_WORDS)


def may_become_sse(data: bytes) -> bool:
    """Is `data` too little to tell? A few bytes, or only white space, as some upstreams send it while they think."""
    start = data.lstrip(_BEFORE_FIRST)
    return len(data) <= SNIFF_BYTES and any(word.startswith(start) for word in _FIRST_WORDS)
