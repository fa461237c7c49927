"""The port between an exchange and the network: one request out, one answer in. `wire.py`, `via_httpx.py` and `sim/` implement it.

Rules that every implementation keeps:
- Nothing is followed, retried or decoded that the caller did not ask for. Redirects come back as they are.
- Every network failure leaves as `TransportError` with a `FailureKind`; no foreign exception gets out.
- `Answer.close()` is synchronous and idempotent: it may run in a `finally` while the task is being cancelled. An answer that was
  not read to its end closes its connection; a connection is never given back dirty.
- Back-pressure: an implementation reads at most about 64 KiB ahead of `read()`.
- Cancelling the awaiting task at any point leaks nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from providers.pieces import Body
from routing.facts import FailureKind

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, in the order of the wire."""


class SteadyHeaders(list[tuple[bytes, bytes]]):
    """Headers that go out again and again and never change. A transport may leave here what it makes of them."""

    __slots__ = ("made", "made_for")

    def __init__(self, headers: Headers) -> None:
        super().__init__(headers)
        self.made_for: tuple[bytes, ...] = ()
        self.made = b""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go, and under which rules: the key of a connection pool."""

    scheme: str
    host: str
    port: int
    verify: bool = True
    ca_file: str | None = None
    proxy: str | None = None
    """Forward proxy URL. Only `via_httpx` knows how; `wire` refuses."""
    http2: bool = False
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Every request looks its origin up, twice: seven members need not be hashed each time.
        object.__setattr__(self, "_hash", hash((self.scheme, self.host, self.port, self.verify, self.ca_file, self.proxy, self.http2)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def netloc(self) -> str:
        """What belongs into the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@lru_cache(maxsize=1024)
def the_same(origin: Origin) -> Origin:
    """The first origin that equals this one. Each request looks two tables up by its origin, and there finding the very same object saves
    a comparison that takes longer than the rest; a reload makes equal ones anew."""
    return origin


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. None means no limit. A ten-minute silent upstream is normal for reasoning models, so idle is generous."""

    connect_s: float = 5.0
    """Name, TCP and TLS together, and the wait for a free connection is not part of it."""
    first_byte_s: float | None = 600.0
    """From the request being written to the status line."""
    idle_s: float | None = 900.0
    """Silence between two pieces of the answer, counted only while donut wants to read."""
    total_s: float | None = None
    """From the start of the attempt; the exchange's own deadline is handed down here."""


@dataclass(slots=True)
class UpstreamRequest:
    origin: Origin
    method: bytes
    target: bytes
    """Path and query, as it goes on the request line."""
    headers: Headers
    """Without host, content-length, connection and transfer-encoding: the transport writes those."""
    body: Body
    deadlines: Deadlines = field(default_factory=Deadlines)
    replayable: bool = True
    """May this request be sent once more when a pooled connection turns out to have died while idle? Generating again costs
    tokens but changes nothing, so it is true for everything except requests that make the upstream store state."""
    hint: str = ""
    """Opaque to real transports; the simulated fleet reads its replica name here."""


@dataclass(slots=True)
class Timings:
    """Seconds spent before the request was on its way."""

    queue_s: float = 0.0
    """Waiting for a free connection under the origin's cap."""
    connect_s: float = 0.0
    reused: bool = False


AT_ONCE = Timings(reused=True)
"""Of every request for which a connection was idle. Shared: not to be changed."""


class Answer(Protocol):
    """One upstream answer, headers read, body still on the way."""

    status: int
    headers: Headers
    timings: Timings

    async def read(self) -> bytes:
        """The next piece of the body, de-chunked, never empty until the end; `b""` at the end.

        Raises TransportError: CUT when the connection ended first, STALLED when a deadline passed, PROTOCOL on bad framing.
        """
        ...

    async def pump(self, sink: Callable[[bytes], bool]) -> bool:
        """Hand every further piece to `sink` as it arrives: what `read()` in a loop does, without waking a task for each piece.

        Returns True at the end of the body, and False as soon as `sink` returns False (it has kept that piece and wants no more for
        now). `sink` is synchronous and does not raise. Raises TransportError as `read()` does.
        """
        ...

    def has_ended(self) -> bool:
        """Is it known already that the next `read()` returns `b""`? Then the last piece need not wait for it. False where only
        reading tells."""
        ...

    def close(self) -> None:
        """Give the connection back if the answer was read to its end, else close it. Synchronous, idempotent."""
        ...


class Transport(Protocol):
    async def send(self, request: UpstreamRequest) -> Answer:
        """Send, and wait for the answer's status and headers. Raises TransportError."""
        ...

    async def aclose(self) -> None:
        """Close everything that is open. For shutdown only."""
        ...


class TransportError(Exception):
    """A network failure as data: `kind` says what the exchange may do about it, `str()` says it to a person, without secrets."""

    def __init__(self, kind: FailureKind, message: str, timings: Timings | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.timings = timings or Timings()


async def pump_by_reading(answer: Answer, sink: Callable[[bytes], bool]) -> bool:
    """`Answer.pump` for an implementation that has nothing quicker than `read()`."""
    while data := await answer.read():
        if not sink(data):
            return False
    return True


def header(headers: Headers, name: bytes) -> bytes | None:
    """The first value of `name` (lower case), or None."""
    return dict(reversed(headers)).get(name)  # vendors send 20 headers and more: a loop of our own takes three times as long
