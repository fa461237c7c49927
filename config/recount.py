"""Counters = what the journal says was used. At the start, when a limit is new, and when a price was corrected.

Money is counted at the prices now in force: tokens whose stored price is another one are priced anew, so that correcting a wrong price
gives back what it cost (C5 of reference/reliability-requirements.md). Where the price depends on the size of each request, those of one
moment are priced at their mean size, and where it depends on the hour, at the plain figure. Replicas that are no longer served keep what
was stored.

Exchanges go on while the journal is asked: what ends meanwhile is written down twice, here and there, and counted once. What is forgotten
are attempts that are over while their exchange is not: failed ones before the one under way, and whatever ended in this very instant.

The journal is asked for sums as coarse as the counters' own buckets, so memory does not grow with it; time does: measured 6 to 9 s per
million attempts within the longest window, in SQLite's own thread. A start waits for it: nothing may be spent that was spent already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import structlog

from proxy.gateway import Gateway
from proxy.journal.port import JournalStore, StoreError
from proxy.journal.queue import JournalQueue
from proxy.journal.records import ExchangeRecord
from proxy.journal.spent import Spent, Wanted, scopes_told
from routing.headroom.book import NOT_COUNTED
from routing.headroom.calendar import started_at
from routing.headroom.limits import Limit, Scope
from routing.headroom.meters import GRAINS
from routing.headroom.pacing import paced
from routing.headroom.people import CHORE
from routing.headroom.storing import Subject, Use, replay
from routing.headroom.types import WINDOW_S, Unit, Window
from routing.pricing import cost_usd
from routing.types import ModelReplica, Price, Usage

log = structlog.get_logger("donut.recount")

FLUSH_PATIENCE_S = 5.0
"""How long the journal may take to write what has ended. One that does not write now is tried again with the next change."""
POLL_S = 0.02
DATED = ":"
"""In a price's version: a source and its day."""
SINGLY_S = 5.0
"""The newest attempts are told one by one, to know them again. The clocks of both sides may differ by so much: a step of the wall clock."""


class Basis(NamedTuple):
    """What counters depend on, besides the journal."""

    limits: tuple[Limit, ...]
    prices: Mapping[str, Price | None]
    """Of replicas."""

    def differs_from(self, earlier: Basis) -> bool:
        """Would counting anew give other figures? A replica that is new or gone changes nothing in what was used."""
        if self.limits != earlier.limits:
            return bool(self.limits)
        if not any(limit.unit is Unit.COST for limit in self.limits):
            return False
        return any(price != earlier.prices[id_] for id_, price in self.prices.items() if id_ in earlier.prices)


def basis_of(gateway: Gateway) -> Basis:
    router = gateway.serving.router
    return Basis(router.fleet.headroom.limits.limits, {replica.id: replica.price for replica in router.catalog.replicas.values()})


class Recount:
    """Keeps the counters of one process true to its journal."""

    def __init__(self, gateway: Gateway, store: JournalStore, queue: JournalQueue) -> None:
        self._gateway = gateway
        self._store = store
        self._queue = queue
        self._basis = Basis((), {})
        self._wake = asyncio.Event()

    def look(self) -> None:
        """What is served, or its limits, may have changed."""
        if basis_of(self._gateway).differs_from(self._basis):
            self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.count()
            except StoreError as error:
                log.warning("recount_failed", why=str(error), still="what was counted so far is in force")

    async def count(self) -> None:
        """Count anew. Raises StoreError, and then nothing has changed."""
        self._wake.clear()
        self._basis = basis = basis_of(self._gateway)
        counted = [limit for limit in _all(basis.limits) if limit.window is not Window.REQUEST]
        if not counted:
            return
        meanwhile: list[ExchangeRecord] = []
        put = self._gateway.put

        def put_and_keep(record: ExchangeRecord) -> None:
            meanwhile.append(record)
            put(record)

        self._gateway.put = put_and_keep
        try:
            wall_s = self._gateway.wall()
            await self._written()
            spent = await self._spent(counted, wall_s)
        finally:
            self._gateway.put = put
        gateway = self._gateway
        book, replicas = gateway.serving.router.fleet.headroom, gateway.serving.router.catalog.replicas
        uses = [*self._uses(_not_among(spent, meanwhile), replicas), *self._uses(_ended(meanwhile), replicas)]
        replay(book, uses, gateway.now())
        log.info("limits_counted_anew", limits=len(basis.limits), sums=len(uses))

    async def _written(self) -> None:
        """Everything that has ended until now is in the journal. Raises StoreError where it does not get there."""
        target = self._settled() + self._queue.snapshot().pending
        try:
            async with asyncio.timeout(FLUSH_PATIENCE_S):
                while self._settled() < target:  # noqa: ASYNC110 - the queue tells nobody, and this happens once per edited config
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise StoreError("the journal is not written at the moment") from None

    def _settled(self) -> int:
        state = self._queue.snapshot()
        return state.written + state.dropped + state.spilled

    async def _spent(self, limits: Sequence[Limit], wall_s: float) -> list[Spent]:
        scopes = scopes_told([limit.scope for limit in limits])
        return [row for wanted in segments(limits, wall_s, scopes) for row in await self._store.spent(wanted)]

    def _uses(self, spent: Iterable[Spent], replicas: Mapping[str, ModelReplica]) -> Iterator[Use]:
        wall_s = self._gateway.wall()
        for each in spent:
            replica = replicas.get(each.replica_id)
            model = replica.logical_model_id if replica is not None else each.logical_model_id or ""
            session = each.session.removeprefix(CHORE) if each.session is not None else None
            subject = Subject(each.provider_id, each.replica_id, model, each.client, each.policy, each.harness, session)
            age_s = max(0.0, wall_s - each.ended_at)
            cost = cost_now(each, replica.price if replica is not None else None, is_served=replica is not None)
            yield Use(subject, age_s, each.usage, cost, requests=each.requests)


def segments(limits: Sequence[Limit], wall_s: float, scopes: frozenset[Scope]) -> list[Wanted]:
    """The past, oldest first, cut where a window begins: what only long windows reach is told as coarsely as they count."""
    begins = [(_began_at(limit, wall_s), WINDOW_S[limit.window]) for limit in limits]
    singly_since = wall_s - SINGLY_S
    edges = sorted({begin for begin, _ in begins if begin < singly_since})
    found = [
        Wanted(since, until, min(length for begin, length in begins if begin <= since) / GRAINS, scopes)
        for since, until in zip(edges, [*edges[1:], singly_since], strict=True)
    ]
    return [*found, Wanted(singly_since, wall_s + SINGLY_S + FLUSH_PATIENCE_S, None, scopes)]


def cost_now(spent: Spent, price: Price | None, *, is_served: bool) -> float | None:
    """USD of `spent` at the price in force; None where it is not known."""
    count, usage = spent.attempts, spent.usage
    if usage is None or not is_served or (price is not None and spent.cost_usd is not None and _is_the_same(price, spent)):
        return spent.cost_usd
    if count == 1 or _is_linear(price):
        return cost_usd(usage, price)
    found = cost_usd(_mean(usage, count), price)
    return None if found is None else found * count


def _mean(usage: Usage, count: int) -> Usage:
    uncached, read, written, output, reasoning = (round(tokens / count) for tokens in usage[:5])
    return Usage(uncached, read, written, output, reasoning, usage.reported)


def _is_the_same(price: Price, spent: Spent) -> bool:
    """A dated version (`catalog:2026-11-20`) has the same figures for ever. `config` and `manual` are whatever the person wrote last."""
    return price.version == spent.price_version and DATED in price.version


def _is_linear(price: Price | None) -> bool:
    return price is None or (price.request is None and not price.terms.overrides)


def _all(limits: Iterable[Limit]) -> Iterator[Limit]:
    for limit in limits:
        yield limit
        soft = paced(limit)
        if soft is not None:
            yield soft


def _began_at(limit: Limit, wall_s: float) -> float:
    return started_at(limit.window, wall_s) if limit.calendar else wall_s - WINDOW_S[limit.window]


def _not_among(spent: Iterable[Spent], records: Iterable[ExchangeRecord]) -> Iterator[Spent]:
    ids = {record.id for record in records}
    return (each for each in spent if each.exchange_id not in ids)


def _ended(records: Iterable[ExchangeRecord]) -> Iterator[Spent]:
    """What the journal will say of them."""
    for record in records:
        demand = record.last_decision.evidence.demand if record.last_decision is not None else None
        policy = demand.policy if demand is not None else ((record.decision or {}).get("demand") or {}).get("policy")
        for attempt in record.attempts:
            yield Spent(
                record.id,
                attempt.provider_id,
                attempt.replica_id,
                record.logical_model_id,
                record.client_key,
                record.harness,
                policy,
                record.affinity_key,
                attempt.price_version,
                1,
                0 if attempt.failure_kind in NOT_COUNTED else 1,
                attempt.usage,
                attempt.cost_usd,
                attempt.started_at + attempt.total_s,
            )
