"""Live measurements: now and then the journal is asked how everybody did, and the ledger takes it over as its own source.

Per replica, per logical model, and per model and kind of call (`code|claude-sonnet-5.5`). Costs requests nothing: the journal answers in
its own thread.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from config.ledger.shelf import Shelf
from config.ledger.store import Kept, write
from proxy.journal.port import JournalStore, StoreError
from routing.ledger.live import SPANS, Did, Span, live_readings
from routing.ledger.readings import LIVE
from routing.ledger.sheet import Sheet, sheets_of

log = structlog.get_logger("donut.ledger")

FIRST_S, INTERVAL_S = 60.0, 900.0
"""Medians of a day do not move in a quarter of an hour, and the question may take the journal half a second."""
GROUPINGS = ("replica", "model", "kind")


class Living:
    def __init__(self, store: JournalStore, shelf: Shelf, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._shelf = shelf
        self._folder = folder
        self._wall = wall

    async def run(self) -> None:
        """For ever. A journal that can not answer is asked again next time."""
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.measure()
            except (StoreError, OSError) as error:
                log.warning("ledger_not_measured", why=str(error))
            await asyncio.sleep(INTERVAL_S)

    async def measure(self) -> list[Sheet]:
        """Ask, take over, keep. Nothing happens where nothing was measured. Raises StoreError or OSError."""
        now_s = self._wall()
        windows = [(span.weight, await self._window(span, now_s)) for span in SPANS]
        at = dt.datetime.fromtimestamp(now_s, dt.UTC).isoformat(timespec="seconds")
        sheets = sheets_of(live_readings(windows, at))
        if sheets:
            self._shelf.measured(sheets)
            await asyncio.to_thread(write, self._folder, Kept(LIVE, sheets, at))
        return sheets

    async def _window(self, span: Span, now_s: float) -> Mapping[str, Did]:
        since, until = now_s - span.from_s, now_s - span.until_s
        found: dict[str, Did] = {}
        for by in GROUPINGS:
            cached = await self._cached(since, until, by)
            for row in await self._store.performance(since, until, by):
                key = row["key"]
                if isinstance(key, str) and key:
                    found[key] = _did(row, cached.get(key))
        return found

    async def _cached(self, since: float, until: float, by: str) -> Mapping[str, float]:
        """Subject → share of its prompts' tokens that a cache had."""
        if by not in ("replica", "model"):
            return {}
        rows = await self._store.usage(since, until, by)
        return {row["key"]: row["reported_cache_read"] / row["reported_input"] for row in rows if row["key"] and row["reported_input"]}


def _did(row: Mapping[str, Any], cache_hit_share: float | None) -> Did:
    """Of one row of `JournalStore.performance`."""
    return Did(
        row["attempts"] - row["client_gone"],
        row["success_rate"],
        _seconds(row["ttft_ms_p50"]),
        _seconds(row["ttft_ms_p95"]),
        _seconds(row["total_ms_p50"]),
        row["output_tokens_per_s"],
        None if cache_hit_share is None else min(1.0, cache_hit_share),
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
