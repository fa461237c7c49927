"""donut's place in uvicorn: the HTTP protocol class that tells an exchange at once when its client is gone, and how the server runs.

uvicorn tells an application of a disconnect only through `receive()`, which would need a waiting task per request.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy.downstream import CONNECTION

BACKLOG = 4096
"""Connections the kernel may hold for us: a thousand clients may come at the same moment."""


class DonutProtocol(HttpToolsProtocol):
    """One client connection. Implements `proxy.downstream.Connection` for the exchange that runs on it."""

    _on_lost: Callable[[], None] | None = None
    _is_lost = False

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[CONNECTION] = self

    def on_message_complete(self) -> None:
        super().on_message_complete()
        # uvicorn pauses reading above 64 KiB of body and resumes on the next receive(), which never comes once the body is whole.
        # A paused socket would hide that the client left.
        # Pipelined requests stay held back: they are waiting for their turn, not for a body.
        if not self.pipeline:
            self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._is_lost = True
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()

    def watch(self, on_lost: Callable[[], None] | None) -> None:
        if on_lost is not None and self._is_lost:
            on_lost()
        else:
            self._on_lost = on_lost

    def write_piece(self, data: bytes) -> bool:
        """What uvicorn's `send` does for a piece, without its dict and its coroutine: a third of a streamed piece's cost."""
        cycle = self.cycle
        if self.flow.write_paused or cycle.disconnected or not cycle.chunked_encoding:
            return False
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    def close_after_response(self) -> None:
        self.cycle.keep_alive = False

    def abort(self) -> None:
        self.cycle.disconnected = True  # uvicorn then expects no more of this answer
        self.transport.abort()


def raise_open_files_limit() -> int:
    """Lift the soft limit of open files to the hard one: two sockets per stream, and 1,024 is a common default. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def server_for(app: Any, *, keep_alive_s: int, drain_s: int) -> uvicorn.Server:
    """A uvicorn server for `app`, with everything that donut does itself switched off. Its sockets are given to `run`."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=DonutProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,  # X-Forwarded-* of anyone must not change who the client is
            backlog=BACKLOG,
            timeout_keep_alive=keep_alive_s,
            timeout_graceful_shutdown=drain_s,
        )
    )
