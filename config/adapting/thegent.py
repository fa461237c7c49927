"""thegent's shared files: its queue is counted as a hint of load, and what donut did is appended to the harvest."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.adapter_settings import ThegentSettings, path_of
from config.adapting import Host, Worker, Workers
from providers.adapters._jsonl import Lines, Tail, append
from providers.adapters.thegent import Costs, Queue, Tally, harvest_line, read_harvest, read_queue
from proxy.journal.port import StoreError
from proxy.journal.records import ExchangeRecord, Status
from routing.types import ModelTier

QUEUE, HARVEST = "prompt_queue.jsonl", "routing_harvest.jsonl"
QUEUE_READS = 4
"""Pieces of 16 MiB: what lies behind is not counted."""
OWN_KEPT = 1000
LAST_LOCK_S = 0.2
COSTS_S = 1800.0
"""How often the journal is asked for the month's costs."""

CATEGORIES: Mapping[str, str] = {
    ModelTier.MICRO: "fast",
    ModelTier.SMALL: "normal",
    ModelTier.MID: "complex",
    ModelTier.FRONTIER: "high_complex",
}


class ThegentWorker(Worker):
    def __init__(self, settings: ThegentSettings, host: Host) -> None:
        super().__init__("thegent")
        self._settings = settings
        self._host = host
        folder = path_of(settings.folder)
        self._queue_path, self._harvest_path = folder / QUEUE, folder / HARVEST
        self._queue = Queue()
        self._tally = Tally()
        self._costs = Costs()
        self._costs_at: float | None = None
        self._harvests = 0
        self._own = deque[float](maxlen=OWN_KEPT)
        self._tail = Tail(self._harvest_path, from_end=True)
        self._others = Tally()
        """What other routers harvested since this one began."""

    def finished(self, records: Sequence[ExchangeRecord]) -> None:
        for record in records:
            take(self._tally, record)

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look_for_ever())
                tasks.create_task(self._harvest_for_ever())
        finally:
            self._append_last()

    async def _look_for_ever(self) -> None:
        while True:
            try:
                self._queue = await asyncio.to_thread(count_queue, self._queue_path, self._host.gateway.wall())
                self._take_others(await asyncio.to_thread(self._tail.read))
            except OSError as error:
                self.trouble(f"{self._queue_path.parent}: {error.strerror}")
            await asyncio.sleep(self._settings.queue_seconds)

    def _take_others(self, new: Lines) -> None:
        for harvest in read_harvest(new.values):
            if harvest.at_s not in self._own:
                self._others = joined(self._others, harvest.tally)

    async def _harvest_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.harvest_seconds)
            if not self._tally.total_requests:
                continue
            tally, self._tally = self._tally, Tally()
            try:
                self._costs = await self._spent(tally.total_cost_usd)
                await asyncio.to_thread(append, self._harvest_path, [self._line(tally)])
                self._harvests += 1
                self.well()
            except (OSError, StoreError) as error:
                self.trouble(f"{self._harvest_path}: {error}")
                self._tally = joined(tally, self._tally)

    def _append_last(self) -> None:
        """Synchronous, and soon given up: donut is stopping."""
        if not self._tally.total_requests:
            return
        try:
            append(self._harvest_path, [self._line(self._tally)], LAST_LOCK_S)
        except OSError as error:
            self.trouble(f"{self._harvest_path}: {error}")

    def _line(self, tally: Tally) -> dict[str, Any]:
        """To the millisecond, as it will be read again: that tells it from another router's."""
        at_s = round(self._host.gateway.wall(), 3)
        self._own.append(at_s)
        return harvest_line(tally, self._costs, at_s)

    async def _spent(self, lately_usd: float) -> Costs:
        """USD since the first of the month and since midnight, UTC, as far as prices are known. Between two looks at the journal what this
        process spent lately is added: a month is long."""
        now = self._host.gateway.wall()
        if self._costs_at is not None and now - self._costs_at < COSTS_S:
            return Costs(self._costs.mtd_total + lately_usd, self._costs.daily_total + lately_usd)
        self._costs_at = now
        midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        days = await self._host.journal.usage(midnight.replace(day=1).timestamp(), now, "day")
        today = midnight.date().isoformat()
        known = {str(row["key"]): row["cost_usd"] or 0.0 for row in days}
        return Costs(sum(known.values()), known.get(today, 0.0))

    def status(self) -> dict[str, Any]:
        others = self._others
        told = {"requests": others.total_requests, "tokens": others.total_tokens, "cost_usd": others.total_cost_usd}
        own = {"harvests": self._harvests, "requests_to_harvest": self._tally.total_requests}
        return {"queue": self._queue._asdict(), **own, "other_routers": told}


def count_queue(path: Path, now_s: float) -> Queue:
    """The queue as it is now; the file is rewritten when a claim changes, so it is always read from its start. Raises OSError."""
    tail = Tail(path)
    total = Queue()
    for _ in range(QUEUE_READS):
        lines = tail.read()
        if not lines.values and not lines.skipped:
            break
        # Piece by piece: prompts are long, and none has to be kept for the next one to be counted.
        found = read_queue(lines.values, now_s)
        preferred = Counter(total.preferred) + Counter(found.preferred)
        unreadable = total.unreadable + found.unreadable + lines.skipped
        total = Queue(total.waiting + found.waiting, total.claimed + found.claimed, dict(preferred), unreadable)
    return total


def take(tally: Tally, record: ExchangeRecord) -> None:
    """Count one finished exchange. One that donut itself refused was no request to a model."""
    if not record.attempts:
        return
    tally.total_requests += 1
    tally.requests_by_model[record.logical_model_id or record.requested_model] += 1
    tally.requests_by_provider[record.provider_id or record.attempts[-1].provider_id] += 1
    tally.requests_by_category[CATEGORIES.get(record.tier or "", "normal")] += 1
    tally.errors += record.status not in (Status.OK, Status.CLIENT_GONE)
    tally.fallback_count += len(record.attempts) > 1
    for attempt in record.attempts:
        tally.total_cost_usd += attempt.cost_usd or 0.0
        if attempt.usage is not None:
            tally.total_tokens += attempt.usage.input + attempt.usage.output


def joined(one: Tally, other: Tally) -> Tally:
    return Tally(
        one.total_requests + other.total_requests,
        one.requests_by_model + other.requests_by_model,
        one.requests_by_provider + other.requests_by_provider,
        one.requests_by_category + other.requests_by_category,
        one.total_cost_usd + other.total_cost_usd,
        one.total_tokens + other.total_tokens,
        one.errors + other.errors,
        one.fallback_count + other.fallback_count,
    )


WORKERS = Workers(lambda settings, host: [] if settings.thegent is None else [ThegentWorker(settings.thegent, host)])
