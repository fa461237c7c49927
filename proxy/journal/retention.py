"""Forgetting: exchanges older than so many days go, a bounded batch at a time, so that the writer never waits long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from proxy.journal.port import JournalStore, StoreError

_log = structlog.get_logger("donut.journal")
_DAY_S = 86_400.0


class Retention:
    """Runs as one long-lived task: `asyncio.create_task(retention.run())`, cancelled at shutdown."""

    def __init__(
        self,
        store: JournalStore,
        days: float,
        *,
        batch: int = 500,
        pause_s: float = 0.05,
        interval_s: float = 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep `days` days. Raises ValueError unless `days` and `batch` are positive."""
        if days <= 0 or batch <= 0:
            raise ValueError(f"retention needs a positive number of days and rows, not {days} and {batch}")
        self._store = store
        self._keep_s = days * _DAY_S
        self._batch = batch
        self._pause_s = pause_s
        self._interval_s = interval_s
        self._clock = clock

    async def run(self) -> None:
        """Sweep now and every `interval_s` until cancelled. A store that refuses is tried again at the next interval."""
        while True:
            try:
                deleted = await self.sweep()
            except StoreError as error:
                _log.warning("journal_retention_failed", why=str(error), again_in_s=self._interval_s)
            else:
                if deleted:
                    _log.info("journal_retention", deleted=deleted)
            await asyncio.sleep(self._interval_s)

    async def sweep(self) -> int:
        """Delete all that is too old now; how many exchanges went. Raises StoreError; earlier batches stay deleted."""
        before = self._clock() - self._keep_s
        total = 0
        while True:
            deleted = await self._store.delete_before(before, self._batch)
            total += deleted
            if deleted < self._batch:
                return total
            await asyncio.sleep(self._pause_s)
