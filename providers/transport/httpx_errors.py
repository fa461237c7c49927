"""httpx's failures as ours: the one place that knows its exceptions."""

from __future__ import annotations

import anyio
import httpx
from h2.exceptions import H2Error
from hpack.exceptions import HPACKError

from providers.transport.connect import cause_in_words
from providers.transport.port import Origin, Timings, TransportError
from routing.facts import FailureKind

FOREIGN = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    H2Error,
    HPACKError,
    anyio.ClosedResourceError,
    anyio.BrokenResourceError,
    OSError,
)
"""Everything that httpx is documented to raise, and what is known to slip through it. TimeoutError is an OSError."""

_CONNECT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.InvalidURL)
_CUT = (httpx.NetworkError, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError)
_CUT_WORDS = ("peer closed connection", "Server disconnected", "<StreamReset", "<ConnectionTerminated")
"""How h11 and h2, through httpx.RemoteProtocolError, say that the other side ended early rather than spoke nonsense."""


def translate(error: Exception, origin: Origin, timings: Timings) -> TransportError:
    """The TransportError for one of FOREIGN."""
    if isinstance(error, _CONNECT):
        return TransportError(FailureKind.CONNECT, f"{origin.host}:{origin.port}: {_cause(error)}", timings)
    words = str(error)
    if isinstance(error, _CUT) or words.startswith(_CUT_WORDS):
        return TransportError(FailureKind.CUT, f"{origin} closed the connection before the end of the answer ({words})", timings)
    return TransportError(FailureKind.PROTOCOL, f"{origin} sent a malformed answer: {words or type(error).__name__}", timings)


def _cause(error: BaseException) -> str:
    """The words of the operating system's or TLS's own error below httpx's, where there is one: it says more."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, BaseExceptionGroup):
            below = below.exceptions[0]
        if isinstance(below, OSError) and below.errno is not None:
            return cause_in_words(below)
        below = below.__cause__ or below.__context__
    return str(error) or type(error).__name__
