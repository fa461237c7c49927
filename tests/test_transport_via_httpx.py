"""The second transport over real sockets: HTTP/2, forward proxies, deadlines, and that httpx adds and keeps nothing of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from providers.transport.port import Answer, Deadlines, Headers, Origin, TransportError, UpstreamRequest
from providers.transport.via_httpx import HttpxTransport
from routing.facts import FailureKind
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer, chunked, eventually, reset, saying
from tests.upstreams_h2 import ForwardProxy, H2Line, H2Upstream


@pytest.fixture
async def httpx() -> AsyncIterator[HttpxTransport]:
    transport = HttpxTransport()
    yield transport
    await transport.aclose()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "model.test").configure_cert(context)
    return context


def to(origin: Origin, body: bytes = b"{}", deadlines: Deadlines | None = None, target: bytes = b"/v1/x?a=%2Fb") -> UpstreamRequest:
    return UpstreamRequest(origin, b"POST", target, [(b"x-mine", b"1")], body, deadlines or Deadlines())


async def body_of(got: Answer) -> bytes:
    body = b""
    while piece := await got.read():
        body += piece
    return body


async def ask(httpx: HttpxTransport, request: UpstreamRequest) -> tuple[int, Headers, bytes, bool]:
    got = await httpx.send(request)
    try:
        return got.status, got.headers, await body_of(got), got.timings.reused
    finally:
        got.close()


async def failure(httpx: HttpxTransport, request: UpstreamRequest) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await ask(httpx, request)
    return caught.value


async def test_http2_over_tls(httpx: HttpxTransport, authority: trustme.CA, ca_file: str) -> None:
    async with H2Upstream(tls=server_tls(authority)) as upstream:
        origin = Origin("https", "localhost", upstream.port, ca_file=ca_file, http2=True)
        body = b"x" * 200_000
        assert await ask(httpx, to(origin, body)) == (200, [(b"x-upper", b"Value"), (b"set-cookie", b"a=b")], b"hello h2", False)
        assert (await ask(httpx, to(origin)))[3] is True
        headers, received = upstream.requests[0]
        assert received == body
        assert headers == [
            (b":method", b"POST"),
            (b":authority", b"localhost:%d" % upstream.port),
            (b":scheme", b"https"),
            (b":path", b"/v1/x?a=%2Fb"),
            (b"x-mine", b"1"),
            (b"content-length", b"200000"),
        ]
        assert b"cookie" not in dict(upstream.requests[1][0])
        assert upstream.connections_made == 1


async def test_http2_falls_back_to_http1_when_the_upstream_has_no_other(httpx: HttpxTransport, authority: trustme.CA, ca_file: str) -> None:
    async with ScriptedUpstream(tls=server_tls(authority)) as upstream:
        origin = Origin("https", "localhost", upstream.port, ca_file=ca_file, http2=True)
        assert (await ask(httpx, to(origin)))[2] == b"ok"


async def test_http2_without_tls_is_prior_knowledge(httpx: HttpxTransport) -> None:
    async with H2Upstream() as upstream:
        assert (await ask(httpx, to(Origin("http", "127.0.0.1", upstream.port, http2=True))))[2] == b"hello h2"


async def test_an_http2_stream_that_is_closed_early_is_reset_and_the_connection_kept(httpx: HttpxTransport) -> None:
    def begin(line: H2Line, stream: int, headers: Headers, body: bytes) -> None:
        line.h2.send_headers(stream, [(b":status", b"200")])
        line.h2.send_data(stream, b"first")
        line.flush()

    async with H2Upstream(begin) as upstream:
        origin = Origin("http", "127.0.0.1", upstream.port, http2=True)
        got = await httpx.send(to(origin))
        assert await got.read() == b"first"
        got.close()
        got.close()
        with pytest.raises(TransportError, match="closed before it was read"):
            await got.read()
        other = await httpx.send(to(origin))
        assert other.timings.reused
        other.close()


async def test_an_http2_stream_that_the_upstream_resets_is_cut(httpx: HttpxTransport) -> None:
    def cut(line: H2Line, stream: int, headers: Headers, body: bytes) -> None:
        line.h2.send_headers(stream, [(b":status", b"200")])
        line.h2.send_data(stream, b"first")
        line.h2.reset_stream(stream)
        line.flush()

    async with H2Upstream(cut) as upstream:
        assert (await failure(httpx, to(Origin("http", "127.0.0.1", upstream.port, http2=True)))).kind is FailureKind.CUT


async def test_only_our_headers_and_no_cookies(httpx: HttpxTransport) -> None:
    async with ScriptedUpstream(saying(answer(headers=b"Set-Cookie: a=b\r\nLocation: /y\r\n", status=b"307 Temporary"))) as upstream:
        origin = Origin("http", "127.0.0.1", upstream.port)
        status, headers, _, _ = await ask(httpx, to(origin, target=b"/a%2fb/../c"))
        assert status == 307
        assert headers[0] == (b"set-cookie", b"a=b")
        await ask(httpx, to(origin))
        head = b"POST /a%%2fb/../c HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nx-mine: 1\r\ncontent-length: 2\r\n\r\n" % upstream.port
        assert upstream.requests[0].head.lower() == head.lower()
        assert len(upstream.requests) == 2
        assert upstream.requests[1].header(b"cookie") is None
        with pytest.raises(ValueError, match="line break"):
            await httpx.send(UpstreamRequest(origin, b"GET", b"/", [(b"a", b"b\r\nc: d")], b""))


async def test_raw_bytes_and_reuse(httpx: HttpxTransport) -> None:
    async with ScriptedUpstream(saying(chunked(b"\x1f\x8bnot", b"unzipped", headers=b"content-encoding: gzip\r\n"))) as upstream:
        origin = Origin("http", "127.0.0.1", upstream.port)
        assert (await ask(httpx, to(origin)))[2:] == (b"\x1f\x8bnotunzipped", False)
        assert (await ask(httpx, to(origin)))[2:] == (b"\x1f\x8bnotunzipped", True)


async def test_through_a_forward_proxy(httpx: HttpxTransport, authority: trustme.CA, ca_file: str) -> None:
    async with ForwardProxy() as proxy, ScriptedUpstream() as plain, H2Upstream(tls=server_tls(authority)) as secure:
        url = f"http://user:secret@127.0.0.1:{proxy.port}"
        got = await ask(httpx, to(Origin("http", "model.test", plain.port, proxy=url)))
        assert got[2] == b"ok"
        assert plain.requests[0].header(b"host") == b"model.test:%d" % plain.port
        got = await ask(httpx, to(Origin("https", "model.test", secure.port, ca_file=ca_file, proxy=url, http2=True)))
        assert got[2] == b"hello h2"
        assert proxy.lines == [
            b"POST http://model.test:%d/v1/x?a=%%2Fb HTTP/1.1" % plain.port,
            b"CONNECT model.test:%d HTTP/1.1" % secure.port,
        ]
        assert all(b"proxy-authorization: basic" in head.lower() for head in proxy.heads)


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://user:secret@127.0.0.1:1", "socks5://user:secret@127.0.0.1:1", "http://user:secret@127.0.0.1:1"]
)
async def test_a_proxy_that_cannot_be_used_is_an_error_without_its_password(httpx: HttpxTransport, url: str) -> None:
    error = await failure(httpx, to(Origin("http", "model.test", 80, proxy=url)))
    assert error.kind is FailureKind.CONNECT
    assert "secret" not in str(error)


async def test_the_environments_proxy_only_when_asked(monkeypatch: pytest.MonkeyPatch, httpx: HttpxTransport) -> None:
    async with ForwardProxy() as proxy, ScriptedUpstream() as upstream:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert (await ask(httpx, to(Origin("http", "127.0.0.1", upstream.port))))[2] == b"ok"
        assert proxy.lines == []
        trusting = HttpxTransport(trust_env=True)
        assert (await ask(trusting, to(Origin("http", "model.test", upstream.port))))[2] == b"ok"
        assert len(proxy.lines) == 1
        await trusting.aclose()


async def test_connect_failures(httpx: HttpxTransport, authority: trustme.CA) -> None:
    error = await failure(httpx, to(Origin("http", "127.0.0.1", 1)))
    assert (error.kind, str(error)) == (FailureKind.CONNECT, "127.0.0.1:1: connection refused")
    error = await failure(httpx, to(Origin("http", "no-such-name.invalid", 80)))
    assert (error.kind, "no-such-name.invalid:80: name not found" in str(error)) == (FailureKind.CONNECT, True)
    async with H2Upstream(tls=server_tls(authority)) as upstream:
        error = await failure(httpx, to(Origin("https", "localhost", upstream.port, http2=True)))
        assert (error.kind, "certificate verify failed" in str(error)) == (FailureKind.CONNECT, True)
        assert (await ask(httpx, to(Origin("https", "localhost", upstream.port, http2=True, verify=False))))[2] == b"hello h2"


async def rst(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    reset(writer)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (saying(answer(b"hello")[:-1], close=True), FailureKind.CUT),
        (saying(chunked(b"hello")[:-2], close=True), FailureKind.CUT),
        (saying(close=True), FailureKind.CUT),
        (rst, FailureKind.CUT),
        (saying(b"this is not HTTP\r\n\r\n"), FailureKind.PROTOCOL),
        (saying(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), FailureKind.PROTOCOL),
        (saying(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"), FailureKind.PROTOCOL),
    ],
    ids=["length", "chunk", "silent fin", "rst", "garbage", "bad chunk", "101"],
)
async def test_broken_answers(httpx: HttpxTransport, handler: Handler, kind: FailureKind) -> None:
    async with ScriptedUpstream(handler) as upstream:
        assert (await failure(httpx, to(Origin("http", "127.0.0.1", upstream.port)))).kind is kind
        await eventually(lambda: upstream.connections_open == 0)


@pytest.mark.parametrize(
    ("says", "deadlines", "name"),
    [
        (b"", Deadlines(first_byte_s=0.1), "first byte"),
        (b"", Deadlines(total_s=0.1), "total"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", Deadlines(idle_s=0.1), "idle"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", Deadlines(total_s=0.1), "total"),
    ],
)
async def test_deadlines(httpx: HttpxTransport, says: bytes, deadlines: Deadlines, name: str) -> None:
    async with ScriptedUpstream(saying(says, 30.0)) as upstream:
        error = await failure(httpx, to(Origin("http", "127.0.0.1", upstream.port), deadlines=deadlines))
        assert error.kind is FailureKind.STALLED
        assert str(error) == f"http://127.0.0.1:{upstream.port} passed the {name} deadline of 0.1 s"
        await eventually(lambda: upstream.connections_open == 0)


async def test_the_connect_deadline_covers_tls(httpx: HttpxTransport) -> None:
    async with ScriptedUpstream() as upstream:
        error = await failure(httpx, to(Origin("https", "127.0.0.1", upstream.port), deadlines=Deadlines(connect_s=0.1)))
        assert (error.kind, "the connect deadline of 0.1 s" in str(error)) == (FailureKind.STALLED, True)
        await eventually(lambda: upstream.connections_open == 0)


async def test_cancelling_in_the_handshake_closes_the_connection(httpx: HttpxTransport) -> None:
    async with ScriptedUpstream() as upstream:
        asking = asyncio.create_task(ask(httpx, to(Origin("https", "127.0.0.1", upstream.port))))
        await eventually(lambda: upstream.connections_open == 1)
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await eventually(lambda: upstream.connections_open == 0)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"], ids=["head", "read"])
async def test_cancelling_closes_the_connection(httpx: HttpxTransport, says: bytes) -> None:
    async with ScriptedUpstream(saying(says, 30.0)) as upstream:
        asking = asyncio.create_task(ask(httpx, to(Origin("http", "127.0.0.1", upstream.port))))
        await eventually(lambda: len(upstream.requests) == 1)
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await eventually(lambda: upstream.connections_open == 0)


async def test_a_slow_reader_pauses_the_upstream(httpx: HttpxTransport) -> None:
    sent, total = 0, 32 * 1024 * 1024

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        while sent < total:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with ScriptedUpstream(handle) as upstream:
        got = await httpx.send(to(Origin("http", "127.0.0.1", upstream.port)))
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < total
        got.close()
        await eventually(lambda: upstream.connections_open == 0)


async def test_after_aclose_nothing_starts(httpx: HttpxTransport) -> None:
    await httpx.aclose()
    error = await failure(httpx, to(Origin("http", "127.0.0.1", 1)))
    assert (error.kind, "shutting down" in str(error)) == (FailureKind.CONNECT, True)
