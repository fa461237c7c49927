"""Which transport serves a request: `wire`, unless the origin needs what only httpx can (HTTP/2, a forward proxy)."""

from __future__ import annotations

import dataclasses
from collections.abc import Coroutine
from typing import Any

from providers.transport.environ import EnvironmentProxies
from providers.transport.port import Answer, Origin, Transport, UpstreamRequest

ORIGINS_KEPT = 1024


class ChooseTransport:
    """See `port.Transport`. With `trust_env` a proxy named by the environment counts like one named by the origin."""

    def __init__(self, wire: Transport, httpx: Transport, *, trust_env: bool = False) -> None:
        self._wire = wire
        self._httpx = httpx
        self._environment = EnvironmentProxies() if trust_env else None
        self._straight: set[Origin] = set()
        """Those known to be `wire`'s: the environment was read once, so the answer stays the same."""

    def send(self, request: UpstreamRequest) -> Coroutine[Any, Any, Answer]:
        """Not a coroutine itself: it only says whose is to be awaited."""
        if request.origin in self._straight:
            return self._wire.send(request)
        origin = request.origin
        if self._environment is not None and origin.proxy is None:
            proxy = self._environment.proxy_for(origin)
            if proxy is not None:
                origin = dataclasses.replace(origin, proxy=proxy)
                return self._httpx.send(dataclasses.replace(request, origin=origin))
        if origin.http2 or origin.proxy is not None:
            return self._httpx.send(request)
        if len(self._straight) >= ORIGINS_KEPT:
            self._straight.clear()
        self._straight.add(origin)
        return self._wire.send(request)

    async def aclose(self) -> None:
        await self._wire.aclose()
        await self._httpx.aclose()
