"""What the head of a request says, and what follows from it alone: whether it may pass, where it goes, how it steers.

A client says the same in one request after the other over its connection. So the connection keeps what was read of the last one, and
whoever repeats it is not read again: 7 % of the CPU of a 2 KB request. `content-length` is the one header that may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.dialects import Dialect
from providers.transport.port import Headers, SteadyHeaders
from proxy.asker import Asker
from proxy.headers import to_upstream
from proxy.serving import Serving, Upstream
from proxy.steering import read_steering

REQUEST_ID_LENGTH = 128
LENGTH = b"content-length"

Line = tuple[str, str, bytes]
"""Of a request's first line: method, path and query string."""


class Caller:
    """One head of a request for a dialect, let in under one `Serving`."""

    __slots__ = (
        "_after_length",
        "_before_length",
        "_line",
        "asker",
        "by_name",
        "content_encoding",
        "dialect",
        "headers",
        "in_path",
        "key",
        "request_id",
        "serving",
        "to_upstream",
    )

    def __init__(
        self, line: Line, headers: Headers, serving: Serving, dialect: Dialect, *, in_path: Mapping[str, Any] | None, key: str | None
    ) -> None:
        """`in_path` are members of the request that the path says in place of the body (`Dialect.match`); `key` is the name of the
        client's key."""
        self._line = line
        at = next((at for at, (name, _) in enumerate(headers) if name == LENGTH), len(headers))
        self._before_length, self._after_length = headers[:at], headers[at + 1 :]
        self.headers = self._before_length + self._after_length
        """Without `content-length`."""
        self.by_name: Mapping[bytes, bytes] = dict(self.headers)
        """The same, for looking one up."""
        self.content_encoding = self.by_name.get(b"content-encoding")
        self.serving = serving
        self.dialect = dialect
        self.in_path = in_path
        self.key = key
        self.request_id = request_id_in(self.by_name)
        self.asker: Asker | None = None
        """What this head says of the demands made under it, once somebody has called `read_asker`."""
        self.to_upstream: dict[str, Headers] = {}
        """Replica id → what its upstream is sent, as far as `cross_to` has made it."""

    def says(self, line: Line, headers: Headers, serving: Serving) -> bool:
        """Is this the same head again, and would another look at it find the same?"""
        at = len(self._before_length)
        return (
            headers[:at] == self._before_length
            and headers[at + 1 :] == self._after_length
            and (len(headers) == at or headers[at][0] == LENGTH)
            and line == self._line
            and serving is self.serving
        )

    def length_in(self, headers: Headers) -> bytes | None:
        """The `content-length` in a head that says the same."""
        at = len(self._before_length)
        return headers[at][1] if at < len(headers) else None

    def read_asker(self) -> Asker:
        """Raises BadRequestError on a steering header that says nothing donut knows."""
        asker = self.asker = Asker(self.dialect, self.by_name, self.key, read_steering(self.headers), self.serving)
        return asker

    def cross_to(self, upstream: Upstream) -> Headers:
        """What `upstream`, one of `serving`'s, is sent: its own headers, and those of the client that may cross."""
        crossing = to_upstream(self.headers, upstream.kind.forward_headers, upstream.kind.default_headers)
        headers = self.to_upstream[upstream.replica.id] = SteadyHeaders([*upstream.headers, *crossing])
        return headers


def request_id_in(headers: Mapping[bytes, bytes]) -> str | None:
    """The client's own id where it is harmless; None when donut's decision id has to do."""
    given = headers.get(b"x-request-id")
    if given and len(given) <= REQUEST_ID_LENGTH and given.isascii() and (text := given.decode("ascii")).isprintable():
        return text
    return None
