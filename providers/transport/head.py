"""The bytes in front of a request's body. Pure; the one place that decides what donut itself writes into a head.

Rule: a caller's header never changes the framing. Line breaks and NUL in what we send, or a framing header from the caller, are bugs
in donut (request smuggling), so they raise ValueError and never TransportError.
"""

from __future__ import annotations

from providers.transport.port import Origin, UpstreamRequest

FRAMING_HEADERS = frozenset({b"host", b"content-length", b"connection", b"transfer-encoding", b"upgrade"})
"""Only the transport writes these."""
_METHODS_WITHOUT_BODY = frozenset({b"GET", b"HEAD", b"DELETE", b"OPTIONS"})
"""Without a body these carry no content-length; all others say `content-length: 0` (RFC 9110 §8.6)."""


def host_value(origin: Origin) -> bytes:
    """The Host header's value; a name outside ASCII goes as IDNA, which is also what the resolver asks for."""
    netloc = origin.netloc
    return netloc.encode("ascii") if netloc.isascii() else netloc.encode("idna")


def host_line(origin: Origin) -> bytes:
    """What stands between the target and the caller's headers; the same for all requests to one origin, so pools keep it."""
    return b" HTTP/1.1\r\nhost: " + host_value(origin) + b"\r\n"


def request_head(request: UpstreamRequest, host: bytes) -> bytes:
    """The complete head, empty line included. `host` is `host_line(request.origin)`. Raises ValueError on a caller's bug."""
    headers = request.headers
    check_headers(request)
    lines = len(headers) + 3
    if request.body or request.method not in _METHODS_WITHOUT_BODY:
        length = b"content-length: %d\r\n\r\n" % len(request.body)
        lines += 1
    else:
        length = b"\r\n"
    fields = b"\r\n".join([b": ".join(pair) for pair in headers])
    head = b"".join((request.method, b" ", request.target, host, fields, b"\r\n" if headers else b"", length))
    # One look at the whole head: we wrote `lines` line ends (request line, host, empty line, fields, length); any other CR, LF or
    # NUL came from outside.
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
        raise ValueError("line break or NUL in a request head")
    return head


def check_headers(request: UpstreamRequest) -> None:
    """Raise ValueError for what no caller may pass: a framing header, a target with a space, a name with a colon or a space."""
    names = dict(request.headers)
    if not FRAMING_HEADERS.isdisjoint(names):
        raise ValueError(f"the transport alone writes {sorted(FRAMING_HEADERS.intersection(names))}")
    joined = b"".join(names)
    if b" " in request.target or b":" in joined or b" " in joined:
        raise ValueError("space or colon where HTTP separates")
