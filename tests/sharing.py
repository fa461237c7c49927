"""A worker of a donut that shares its counts: the production router and `SharedState` over a real Redis, without the HTTP around them.

As a program (`python -m tests.sharing URL REQUESTS LEASE_S`) it is such a worker in a process of its own: it makes so many requests at once
as soon as a line comes on its standard input, says how many were admitted, and holds them until the next line.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from types import TracebackType

import structlog

from proxy.shared.redis_link import RedisLink
from proxy.shared.state import LEASE_S, SharedState
from routing.facts import AttemptFinished, HealthReset
from routing.headroom.limits import Limit, Limits, Scope
from routing.headroom.storing import Use, replay
from routing.headroom.types import Unit, Window
from routing.router import Router
from routing.types import Dispatch, Price, Refusal, Usage
from tests.playbook import catalog_of, demand_for, replica, router_for

FITS = 37
REACHED_S = 2.0
"""After this it is not going to be reached."""


def budget(requests: float = FITS, window: Window = Window.HOUR, unit: Unit = Unit.REQUESTS, scope: Scope = Scope.ALL) -> Limits:
    return Limits((Limit(scope, "*", unit, window, requests, "budgets[0]"),))


class Worker:
    """`async with Worker(url, limits) as worker`: reached the store, or given up on it."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def __init__(
        self,
        url: str,
        limits: Limits | None = None,
        *,
        earlier: tuple[Use, ...] = (),
        lease_s: float = LEASE_S,
        usd: float = 1.0,
        answer_s: float = 5.0,
    ) -> None:
        """`usd`: what a million tokens cost. `answer_s`: how long Redis may take; long, because the machine may be busy otherwise."""
        catalog = catalog_of(replica("a/m", price=Price(input=usd, output=usd)))
        self.router: Router = router_for(catalog, limits=limits or budget())
        self.book = self.router.fleet.headroom
        self.book.epoch.set(self.now(), self.wall())
        replay(self.book, earlier, self.now())
        self.name = secrets.token_hex(6)
        self.link = RedisLink(url, least_s=answer_s, most_s=answer_s)
        self.shared = SharedState(self.link, self.name, lambda: self.router, self, lease_s)
        self.slowest_s = 0.0

    async def __aenter__(self) -> Worker:
        self._task = asyncio.create_task(self.shared.run())
        until = self.now() + REACHED_S
        while self.shared.is_lost and self.now() < until:
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def ask(self, tokens: int = 100) -> Dispatch | None:
        """One request: whom it may be sent to, or None when it is refused."""
        demand = demand_for(input_tokens_estimated=tokens, output_tokens_estimated=0)

        def decide() -> Dispatch | Refusal:
            return self.router.decide(demand, self.now())

        decision = decide()
        if isinstance(decision, Refusal):
            return None
        began = self.now()
        admitted = await self.shared.admitted(decision, decide)
        self.slowest_s = max(self.slowest_s, self.now() - began)
        return admitted if isinstance(admitted, Dispatch) else None

    async def ask_at_once(self, count: int, tokens: int = 100) -> list[Dispatch]:
        return [found for found in await asyncio.gather(*(self.ask(tokens) for _ in range(count))) if found is not None]

    def taken(self) -> int:
        """Used and held of the first limit by everybody, as far as this worker knows."""
        counter = next(iter(self.book.counters.values()))
        return counter.taken(self.now())

    def finish(self, dispatch: Dispatch, tokens: int = 100) -> None:
        self.router.observe(AttemptFinished(dispatch.reservation, Usage(input_uncached=tokens)), self.now())

    def reset(self, replica_id: str) -> None:
        self.router.observe(HealthReset(replica_id), self.now())


async def _main(url: str, count: int, lease_s: float) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    loop = asyncio.get_running_loop()
    async with Worker(url, lease_s=lease_s) as worker:
        print("ready", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        print(len(await worker.ask_at_once(count)), flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
