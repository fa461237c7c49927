"""`GET /api/events`: the lifecycle events as a text/event-stream (WHATWG HTML, "Server-sent events")."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from providers.dialects import ErrorReply
from proxy.downstream import CONNECTION, Connection, Receive, Scope, Send
from proxy.events import Listener, TooManyListenersError
from proxy.site import PageError, Pages, Site, get

KEEP_ALIVE_S = 15.0
"""Between comments when nothing happens: proxies drop connections that are silent for a minute, some for thirty seconds."""

STUCK_S = 30.0
"""A client that takes nothing for so long is gone, whatever its connection says."""

HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx in front would otherwise hold events back until a buffer is full
}


class EventStream(Response):
    """Not Starlette's StreamingResponse: that one needs a second task to notice that the client left; donut's connection calls."""

    media_type = "text/event-stream"

    def __init__(self, listener: Listener) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._listener = listener

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        connection: Connection = scope[CONNECTION]
        listener = self._listener
        connection.on_lost = listener.close
        if connection.is_lost:
            listener.close()
        connection.watch_stop(lambda: listener.end("donut is shutting down"))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            # So that a client knows at once that it is connected, and after how many milliseconds to come back.
            await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
            while (piece := await listener.next(KEEP_ALIVE_S)) is not None:
                async with asyncio.timeout(STUCK_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            connection.abort()
        finally:
            connection.on_lost = None
            connection.watch_stop(None)
            listener.close()


async def events(site: Site, request: Request) -> Response:
    try:
        listener = site.events.listen(request.headers.get("last-event-id"))
    except TooManyListenersError as error:
        raise PageError(ErrorReply(503, "too_many_listeners", "Too many event streams are open already.", None, 5.0)) from error
    return EventStream(listener)


PAGES = Pages((get("/api/events", events),))
