"""The transports of the process: made once, shared by everyone, closed at shutdown. A reload never closes one that is in use."""

from __future__ import annotations

import importlib

from config.sources import Source
from providers.sim.fleet import SCHEME
from providers.sim.transport import SimTransport
from providers.transport.choose import ChooseTransport
from providers.transport.port import Answer, Transport, UpstreamRequest
from providers.transport.wire import WireTransport


class Transports:
    def __init__(self) -> None:
        self._simulated = SimTransport()
        self._by_cap: dict[int, Transport] = {}

    def of(self, source: Source) -> Transport:
        """The transport for a source: the simulated fleet's, or the network's with the source's cap on connections."""
        if source.base_url.startswith(f"{SCHEME}://"):
            return self._simulated
        cap = source.reach.max_connections
        found = self._by_cap.get(cap)
        if found is None:
            found = self._by_cap[cap] = ChooseTransport(WireTransport(max_connections=cap), _WhenAsked(), trust_env=True)
        return found

    async def aclose(self) -> None:
        for transport in self._by_cap.values():
            await transport.aclose()


class _WhenAsked:
    """The second transport, loaded for the first request that needs it: few upstreams speak HTTP/2 or stand behind a proxy."""

    def __init__(self) -> None:
        self._httpx: Transport | None = None

    async def send(self, request: UpstreamRequest) -> Answer:
        if self._httpx is None:
            self._httpx = importlib.import_module("providers.transport.via_httpx").HttpxTransport()
        return await self._httpx.send(request)

    async def aclose(self) -> None:
        if self._httpx is not None:
            await self._httpx.aclose()
