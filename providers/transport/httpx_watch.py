"""The port's deadlines around one httpx request. httpx has other ones (connect twice, read per read), so they are switched off."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpcore

from providers.transport.port import Deadlines, Timings


class Watch:
    """Follows one request through httpcore's `trace` extension and moves one asyncio timeout from deadline to deadline.

    Order of events: connect_tcp, start_tls (each only for a new connection), send_request_headers, send_request_body. Through a
    tunnelling proxy a CONNECT request passes in between; it belongs to connecting.
    """

    def __init__(self, deadlines: Deadlines, loop: asyncio.AbstractEventLoop) -> None:
        self.timings = Timings(reused=True)
        self._deadlines = deadlines
        self._loop = loop
        self._started_at = loop.time()
        self._connect_began_at: float | None = None
        self._is_tunnelling = False
        self._opening: httpcore.AsyncNetworkStream | None = None
        self.armed = ""
        """The deadline that comes next, in words."""
        self.timeout = asyncio.timeout_at(self._arm("total", None))

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore calls this with `connection.connect_tcp.started`, `http11.send_request_body.complete` and so on."""
        _, step, phase = event.split(".")
        if step in ("connect_tcp", "start_tls"):
            if phase == "complete":
                self._opening = info["return_value"] if step == "connect_tcp" else None
            self._connecting(phase, self._loop.time())
            return
        if step == "send_request_headers" and phase == "started":
            self._is_tunnelling = info["request"].method == b"CONNECT"
            if not self._is_tunnelling:
                self.timeout.reschedule(self._arm("total", None))
        elif step == "send_request_body" and phase == "complete" and not self._is_tunnelling:
            self.timeout.reschedule(self._arm("first byte", self._deadlines.first_byte_s))
        if not self._is_tunnelling:
            self._opening = None  # from here on httpcore closes it itself

    async def close_opening(self) -> None:
        """Close a connection whose TLS handshake was cancelled: httpcore 1.0 forgets it, and the loop would keep its socket for ever."""
        opening, self._opening = self._opening, None
        if opening is not None:
            await opening.aclose()

    def idle_timeout(self) -> asyncio.Timeout:
        """For one `read()`: silence counts only while somebody wants to read."""
        return asyncio.timeout_at(self._arm("idle", self._deadlines.idle_s))

    def _connecting(self, phase: str, now: float) -> None:
        if self._connect_began_at is None:
            self._connect_began_at = now
            self.timings.reused = False
            self.timings.queue_s = now - self._started_at
            self.timeout.reschedule(self._arm("connect", self._deadlines.connect_s))
        if phase != "started":
            self.timings.connect_s = now - self._connect_began_at

    def _arm(self, name: str, limit_s: float | None) -> float | None:
        """Loop time of the named deadline (from now) or of the total one, whichever is first; remember what to call it."""
        total_s = self._deadlines.total_s
        total_at = None if total_s is None else self._started_at + total_s
        at = None if limit_s is None else self._loop.time() + limit_s
        if at is None or (total_at is not None and total_at < at):
            name, limit_s, at = "total", total_s, total_at
        self.armed = "" if limit_s is None else f"the {name} deadline of {limit_s:g} s"
        return at
