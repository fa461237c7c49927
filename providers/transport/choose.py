"""Which transport serves a request: `wire`, unless the origin needs what only httpx can (HTTP/2, a forward proxy)."""

from __future__ import annotations

import dataclasses
from collections.abc import Coroutine
from typing import Any

from providers.transport.environ import EnvironmentProxies
from providers.transport.port import Answer, Transport, UpstreamRequest


class ChooseTransport:
    """See `port.Transport`. With `trust_env` a proxy named by the environment counts like one named by the origin."""

    def __init__(self, wire: Transport, httpx: Transport, *, trust_env: bool = False) -> None:
        self._wire = wire
        self._httpx = httpx
        self._environment = EnvironmentProxies() if trust_env else None

    def send(self, request: UpstreamRequest) -> Coroutine[Any, Any, Answer]:
        """Not a coroutine itself: it only says whose is to be awaited."""
        origin = request.origin
        if self._environment is not None and origin.proxy is None:
            proxy = self._environment.proxy_for(origin)
            if proxy is not None:
                origin = dataclasses.replace(origin, proxy=proxy)
                return self._httpx.send(dataclasses.replace(request, origin=origin))
        if origin.http2 or origin.proxy is not None:
            return self._httpx.send(request)
        return self._wire.send(request)

    async def aclose(self) -> None:
        await self._wire.aclose()
        await self._httpx.aclose()
