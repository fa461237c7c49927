"""From an origin to an open connection: name, TCP with address family fallback, TLS, under one deadline.

Counterpart: `wire.py`, which owns the pool's slot while this runs. Every failure leaves as TransportError: CONNECT with host, port and
the cause in words, or STALLED when a deadline passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import aiohappyeyeballs

from providers.transport.port import Deadlines, Origin, TransportError
from routing.facts import FailureKind

P = TypeVar("P", bound=asyncio.Protocol)

HAPPY_EYEBALLS_DELAY_S = 0.25
"""RFC 8305 §5: how long one address may try alone before the next one joins the race."""
_NEVER_S = 24 * 3600.0

_CAUSES = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EHOSTUNREACH: "host unreachable",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "TCP connect timed out",
    errno.EMFILE: "too many open files in this process",
    errno.ENFILE: "too many open files on this machine",
    errno.EADDRNOTAVAIL: "no local port or address free",
}


@dataclass(frozen=True, slots=True)
class ConnectDeadline:
    """Until when we must be connected, and what to call it when we are not."""

    at: float
    """Loop time."""
    name: str
    limit_s: float

    @classmethod
    def of(cls, deadlines: Deadlines, started_at: float, now: float) -> ConnectDeadline:
        """The connect deadline from `now` on, or the total one from `started_at` on (both loop time), whichever is first."""
        total_s = deadlines.total_s
        if total_s is not None and started_at + total_s < now + deadlines.connect_s:
            return cls(started_at + total_s, "total", total_s)
        return cls(now + deadlines.connect_s, "connect", deadlines.connect_s)


async def open_connection(make_protocol: Callable[[], P], origin: Origin, tls: ssl.SSLContext | None, deadline: ConnectDeadline) -> P:
    """Connect and return the protocol, `connection_made` already called. Cancelling closes what was opened so far."""
    try:
        async with asyncio.timeout_at(deadline.at) as timeout:
            return await _open(make_protocol, origin, tls)
    # RuntimeError: uvloop raises it for sockets that died between two of its own calls (aiohappyeyeballs says the same).
    except (OSError, RuntimeError, UnicodeError) as error:
        where = f"{origin.host}:{origin.port}"
        if timeout.expired():
            words = f"{where}: not connected within the {deadline.name} deadline of {deadline.limit_s:g} s"
            raise TransportError(FailureKind.STALLED, words) from error
        raise TransportError(FailureKind.CONNECT, f"{where}: {cause_in_words(error)}") from error


async def _open(make_protocol: Callable[[], P], origin: Origin, tls: ssl.SSLContext | None) -> P:
    loop = asyncio.get_running_loop()
    addresses = await _resolve(loop, origin.host, origin.port)
    sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY_S, interleave=1)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except OSError:
        sock.close()  # reset between connect and here
        raise
    if tls is None:
        _, protocol = await loop.create_connection(make_protocol, sock=sock)
    else:
        # Our deadline speaks, not the loop's own handshake limit, so that one is out of reach.
        _, protocol = await loop.create_connection(
            make_protocol, sock=sock, ssl=tls, server_hostname=origin.host, ssl_handshake_timeout=_NEVER_S
        )
    return protocol


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> Sequence[aiohappyeyeballs.AddrInfoType]:
    """Addresses of `host`; a literal address costs no thread."""
    with contextlib.suppress(socket.gaierror):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def cause_in_words(error: BaseException) -> str:
    """What a person should read about a failed connect; without secrets, one line."""
    words = str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        words = f"name not found ({error.strerror})"
    elif isinstance(error, UnicodeError):
        words = "name not found (not a valid host name)"
    elif isinstance(error, ssl.SSLCertVerificationError):
        words = f"certificate verify failed ({error.verify_message})"
    elif isinstance(error, ssl.SSLError):
        words = f"TLS handshake failed ({error.reason or error})"
    elif isinstance(error, ConnectionError) and error.errno is None:
        words = "connection closed during the TLS handshake"
    elif isinstance(error, OSError):
        words = _CAUSES.get(error.errno or 0, words)
    return words
