"""The bytes of a request's head that its client will send again, and how a connection knows them when they come.

httptools has parsed the head once, and `proxy.app` has let it in. The same bytes mean the same again, so they need no second parse:
only the digits of `content-length` may differ. What is not known to the last byte goes through the parser as ever.
"""

from __future__ import annotations

from providers.transport.port import Headers
from proxy.caller import LENGTH, Caller
from proxy.downstream import Begin

LENGTH_DIGITS = 10
"""More than any body that donut takes."""
_REFRAMING = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"trailer"})
"""With one of these a request is more than a head and `content-length` bytes."""


class RepeatedHead:
    __slots__ = ("after", "after_at_most", "after_size", "before", "before_size", "begin", "caller")

    def __init__(self, before: bytes, after: bytes, caller: Caller, begin: Begin) -> None:
        self.before = before
        """Up to the digits of `content-length`."""
        self.before_size = len(before)
        self.after = after
        """From behind them to the empty line, with it."""
        self.after_size = len(after)
        self.after_at_most = self.before_size + LENGTH_DIGITS + self.after_size
        """Where `after` ends at the latest."""
        self.caller = caller
        self.begin = begin


def repeated_head(raw: bytes, url: bytes, headers: Headers, caller: Caller, begin: Begin) -> RepeatedHead | None:
    """`raw` begins with a head; `url` and `headers` are what the parser read of it. None where the bytes do not say exactly that, or where
    they do not frame the body by one `content-length` alone on a connection that stays open."""
    end = raw.find(b"\r\n\r\n")
    first, *lines = raw[:end].split(b"\r\n")
    if end < 0 or first != b"POST %b HTTP/1.1" % url or len(lines) != len(headers):
        return None
    before, position = b"", len(first) + 2
    for line, (name, value) in zip(lines, headers, strict=True):
        said, colon, rest = line.partition(b":")
        if not colon or said.lower() != name or rest.strip(b" \t") != value.strip(b" \t"):
            return None
        if name in _REFRAMING or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
        if name == LENGTH:
            digits = value.strip(b" \t")
            if before or not digits.isdigit():
                return None
            start = position + line.index(digits)
            before, after = raw[:start], raw[start + len(digits) : end + 4]
        position += len(line) + 2
    return RepeatedHead(before, after, caller, begin) if before else None
