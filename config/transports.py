"""The transports of the process: made once, shared by everyone, closed at shutdown. A reload never closes one that is in use."""

from __future__ import annotations

from config.sources import Source
from providers.sim.fleet import SCHEME
from providers.sim.transport import SimTransport
from providers.transport.choose import ChooseTransport
from providers.transport.port import Transport
from providers.transport.via_httpx import HttpxTransport
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
            found = self._by_cap[cap] = ChooseTransport(WireTransport(max_connections=cap), HttpxTransport(), trust_env=True)
        return found

    async def aclose(self) -> None:
        for transport in self._by_cap.values():
            await transport.aclose()
