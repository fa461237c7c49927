"""ASGI lifespan: starts and stops the long-lived parts of the process, in order and in reverse order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog

from proxy.downstream import Receive, Scope, Send

log = structlog.get_logger("donut.lifespan")


def lifespan(parts: Callable[[], AbstractAsyncContextManager[Any]]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An ASGI application that enters `parts()` at start-up and leaves it at shutdown."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan", f"donut speaks HTTP, not {scope['type']}"
        await receive()
        try:
            context = parts()
            await context.__aenter__()
        except Exception as error:  # noqa: BLE001 - the outermost edge: uvicorn wants to be told, and a person wants one line
            log.error("start_failed", why=str(error))
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await context.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})

    return run
