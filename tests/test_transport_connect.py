"""Connecting over real sockets: TLS with and without trust, address family fallback, causes in words, the connect deadline."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
import uvloop

from providers.transport.connect import ConnectDeadline, cause_in_words
from providers.transport.pool import PoolCounts
from providers.transport.port import Deadlines, Origin, TransportError, UpstreamRequest
from providers.transport.tls import TlsContexts
from providers.transport.wire import WireTransport
from routing.facts import FailureKind
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, eventually, saying

# The newer way to choose a loop is a hook in conftest.py, which would rename every async test of the project.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:pytest.PytestDeprecationWarning")


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    return uvloop.EventLoopPolicy() if request.param == "uvloop" else asyncio.DefaultEventLoopPolicy()


@pytest.fixture
async def wire() -> AsyncIterator[WireTransport]:
    transport = WireTransport()
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


def server_tls(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def ask(wire: WireTransport, origin: Origin, deadlines: Deadlines | None = None) -> tuple[bytes, bool]:
    got = await wire.send(UpstreamRequest(origin, b"GET", b"/", [], b"", deadlines or Deadlines()))
    try:
        body = b""
        while piece := await got.read():
            body += piece
        return body, got.timings.reused
    finally:
        got.close()


async def failure(wire: WireTransport, origin: Origin, deadlines: Deadlines | None = None) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await ask(wire, origin, deadlines)
    assert origin not in wire.snapshot(), "a failed connect takes no slot"
    return caught.value


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_tls_with_its_own_authority_and_a_pooled_second_request(wire: WireTransport, authority: trustme.CA, ca_file: str) -> None:
    body = b"x" * 1_000_000
    alpn: list[str | None] = []

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        alpn.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.write(answer(body))

    async with ScriptedUpstream(handle, tls=server_tls(authority)) as upstream:
        origin = Origin("https", "localhost", upstream.port, ca_file=ca_file)
        assert await ask(wire, origin) == (body, False)
        assert await ask(wire, origin) == (body, True)
        assert alpn == ["http/1.1", "http/1.1"]
        assert upstream.connections_made == 1


async def test_tls_without_trust(wire: WireTransport, authority: trustme.CA, ca_file: str) -> None:
    async with ScriptedUpstream(tls=server_tls(authority)) as upstream:
        error = await failure(wire, Origin("https", "localhost", upstream.port))
        assert error.kind is FailureKind.CONNECT
        assert str(error).startswith(f"localhost:{upstream.port}: certificate verify failed (")
        error = await failure(wire, Origin("https", "127.0.0.1", upstream.port, ca_file=ca_file))
        assert "certificate verify failed" in str(error), "the certificate is for another name"
        assert await ask(wire, Origin("https", "127.0.0.1", upstream.port, verify=False)) == (b"ok", False)
        error = await failure(wire, Origin("https", "localhost", upstream.port, ca_file="/nowhere/ca.pem"))
        assert (error.kind, "CA file /nowhere/ca.pem cannot be used" in str(error)) == (FailureKind.CONNECT, True)


async def test_tls_over_a_connection_cut_in_the_middle(wire: WireTransport, authority: trustme.CA, ca_file: str) -> None:
    async with ScriptedUpstream(saying(answer(b"hello")[:-1], close=True), tls=server_tls(authority)) as upstream:
        error = await failure(wire, Origin("https", "localhost", upstream.port, ca_file=ca_file))
        assert error.kind is FailureKind.CUT


async def test_tls_idle_connections_that_end_leave_the_pool(wire: WireTransport, authority: trustme.CA, ca_file: str) -> None:
    async with ScriptedUpstream(tls=server_tls(authority)) as upstream:
        origin = Origin("https", "localhost", upstream.port, ca_file=ca_file)
        await ask(wire, origin)
        upstream.close_connections()
        await eventually(lambda: not wire.snapshot())
        assert await ask(wire, origin) == (b"ok", False)


async def test_a_server_that_speaks_no_tls(wire: WireTransport) -> None:
    async with ScriptedUpstream(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as upstream:
        error = await failure(wire, Origin("https", "127.0.0.1", upstream.port))
    assert error.kind is FailureKind.CONNECT
    assert "TLS handshake failed (" in str(error)


async def test_localhost_falls_back_to_the_family_that_listens(wire: WireTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedUpstream(host="127.0.0.1") as upstream:
        assert await ask(wire, Origin("http", "localhost", upstream.port)) == (b"ok", False)
        # Whatever this machine's hosts file says: the first address is IPv6 and nobody is there.
        loop = asyncio.get_running_loop()

        async def both(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(socket.AF_INET6, *kind, ("::1", port, 0, 0)), (socket.AF_INET, *kind, ("127.0.0.1", port))]

        class Resolver:
            """The running loop, with a name service of our own: the far end here is the resolver."""

            def __getattr__(self, name: str) -> object:
                return both if name == "getaddrinfo" else getattr(loop, name)

        monkeypatch.setattr("providers.transport.connect.asyncio.get_running_loop", Resolver)
        origin = Origin("http", "both.test", upstream.port)
        assert await ask(wire, origin) == (b"ok", False)
        monkeypatch.undo()


async def test_causes_in_words(wire: WireTransport) -> None:
    port = free_port()
    error = await failure(wire, Origin("http", "127.0.0.1", port))
    assert (error.kind, str(error)) == (FailureKind.CONNECT, f"127.0.0.1:{port}: connection refused")
    error = await failure(wire, Origin("http", "localhost", port))
    assert (error.kind, str(error)) == (FailureKind.CONNECT, f"localhost:{port}: connection refused")
    for name in ("no-such-name.invalid", "a" * 70 + ".test", "double..dot"):
        error = await failure(wire, Origin("http", name, 80))
        assert error.kind is FailureKind.CONNECT
        assert f"{name}:80: name not found" in str(error)


@pytest.mark.parametrize(
    ("deadlines", "words"),
    [(Deadlines(connect_s=0.1), "the connect deadline of 0.1 s"), (Deadlines(total_s=0.1), "the total deadline of 0.1 s")],
)
async def test_the_deadline_covers_the_handshake(wire: WireTransport, deadlines: Deadlines, words: str) -> None:
    """A server that accepts and then says nothing: TCP is up at once, TLS never."""
    async with ScriptedUpstream() as upstream:
        error = await failure(wire, Origin("https", "127.0.0.1", upstream.port), deadlines)
        assert (error.kind, str(error)) == (FailureKind.STALLED, f"127.0.0.1:{upstream.port}: not connected within {words}")
        assert error.timings.connect_s >= 0.09
        await eventually(lambda: upstream.connections_open == 0)


async def test_cancelling_while_connecting_frees_the_slot_and_closes(wire: WireTransport) -> None:
    async with ScriptedUpstream() as upstream:
        origin = Origin("https", "127.0.0.1", upstream.port)
        asking = asyncio.create_task(ask(wire, origin))
        await eventually(lambda: upstream.connections_open == 1)
        assert wire.snapshot()[origin] == PoolCounts(idle=0, active=1, waiting=0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert wire.snapshot() == {}
        await eventually(lambda: upstream.connections_open == 0)


def test_contexts_are_made_once_per_rule(ca_file: str) -> None:
    contexts = TlsContexts()
    strict = contexts.get(Origin("https", "a", 1))
    assert contexts.get(Origin("https", "b", 2)) is strict
    assert strict.verify_mode is ssl.CERT_REQUIRED
    assert strict.check_hostname
    assert len(strict.get_ca_certs()) > 50
    assert len(contexts.get(Origin("https", "a", 1, ca_file=ca_file)).get_ca_certs()) == 1, "a CA file replaces, it does not add"
    assert contexts.get(Origin("https", "a", 1, verify=False)).verify_mode is ssl.CERT_NONE


def test_the_first_deadline_speaks() -> None:
    assert ConnectDeadline.of(Deadlines(connect_s=5), started_at=10, now=12) == ConnectDeadline(17, "connect", 5)
    assert ConnectDeadline.of(Deadlines(connect_s=5, total_s=6), started_at=10, now=12) == ConnectDeadline(16, "total", 6)
    assert ConnectDeadline.of(Deadlines(connect_s=5, total_s=60), started_at=10, now=12) == ConnectDeadline(17, "connect", 5)


def test_odd_errors_still_have_words() -> None:
    assert cause_in_words(ConnectionAbortedError("TLS took too long")) == "connection closed during the TLS handshake"
    assert cause_in_words(RuntimeError()) == "RuntimeError"
    assert cause_in_words(OSError(113, "x")) == "host unreachable"
