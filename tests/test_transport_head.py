"""The request head: exact bytes, and nothing a caller passes can change the framing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.transport.head import host_line, request_head
from providers.transport.port import Headers, Origin, UpstreamRequest

ORIGIN = Origin("http", "up.example", 8000)


def head(method: bytes = b"POST", target: bytes = b"/v1/x?y=z", headers: Headers | None = None, body: bytes = b"{}") -> bytes:
    return request_head(UpstreamRequest(ORIGIN, method, target, headers or [], body), host_line(ORIGIN))


def test_head_exactly() -> None:
    assert head(headers=[(b"accept", b"*/*"), (b"x", b"")]) == (
        b"POST /v1/x?y=z HTTP/1.1\r\nhost: up.example:8000\r\naccept: */*\r\nx: \r\ncontent-length: 2\r\n\r\n"
    )
    assert head(b"GET", b"/", body=b"") == b"GET / HTTP/1.1\r\nhost: up.example:8000\r\n\r\n"
    assert head(b"POST", b"/", body=b"").endswith(b"content-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (Origin("https", "a.example", 443), b"a.example"),
        (Origin("http", "::1", 80), b"[::1]"),
        (Origin("http", "::1", 81), b"[::1]:81"),
        (Origin("https", "bücher.example", 8443), b"xn--bcher-kva.example:8443"),
    ],
)
def test_host(origin: Origin, host: bytes) -> None:
    assert host_line(origin) == b" HTTP/1.1\r\nhost: " + host + b"\r\n"


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (b"/a\r\nx: y", []),
        (b"/a b", []),
        (b"/", [(b"a", b"b\r\nc: d")]),
        (b"/", [(b"a", b"b\nc")]),
        (b"/", [(b"a", b"b\rc")]),
        (b"/", [(b"a", b"b\0c")]),
        (b"/", [(b"a\r\nb", b"c")]),
        (b"/", [(b"a: b", b"c")]),
        (b"/", [(b"host", b"elsewhere")]),
        (b"/", [(b"content-length", b"1")]),
        (b"/", [(b"transfer-encoding", b"chunked")]),
        (b"/", [(b"connection", b"upgrade")]),
    ],
)
def test_smuggling_is_a_bug_of_the_caller(target: bytes, headers: Headers) -> None:
    with pytest.raises(ValueError, match=r"break|separates|transport alone"):
        head(target=target, headers=headers)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=20)), max_size=6), st.binary(max_size=20))
def test_any_bytes_make_the_lines_they_should_or_raise(headers: Headers, target: bytes) -> None:
    try:
        made = head(target=target, headers=headers)
    except ValueError:
        return
    assert made.count(b"\r\n") == made.count(b"\n") == made.count(b"\r") == len(headers) + 4
    assert made.endswith(b"\r\n\r\n")
    assert made.count(b"\r\n\r\n") == 1
