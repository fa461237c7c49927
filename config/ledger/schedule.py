"""The feeds that config lists, each at its own pace with a tenth of chance in it, so that a hundred donuts do not ask at one moment."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import random
from collections.abc import Callable

import httpx
import structlog

from config.ledger.refreshing import Asking, Outcome, last_state, refresh
from config.ledger.store import claimed
from providers.feeds import Feed

log = structlog.get_logger("donut.ledger")

JITTER = 0.1
FIRST_WAIT_S = 5.0
"""After a start, before the first feed is asked: requests come first."""
AFTER_FAILURE_S = 15 * 60.0
"""A feed that failed is asked again after this or its own interval, whichever is shorter."""


class Schedule:
    """Keeps the enabled feeds fresh for as long as `run` runs; `changed` is called after each refresh that brought something new."""

    def __init__(self, asking: Asking, changed: Callable[[], None], chance: random.Random | None = None) -> None:
        self._asking = asking
        self._changed = changed
        self._chance = chance or random.Random()  # noqa: S311 - spreads load, hides nothing

    def due(self) -> list[Feed]:
        """The feeds that config lists and has not switched off."""
        listed = self._asking.settings
        return [feed for name, feed in self._asking.feeds.items() if name in listed and listed[name].enabled]

    async def run(self) -> None:
        feeds = self.due()
        if not feeds:
            return
        async with httpx.AsyncClient() as client, asyncio.TaskGroup() as tasks:
            for feed in feeds:
                tasks.create_task(self._keep_fresh(feed, client), name=f"feed-{feed.name}")

    async def _keep_fresh(self, feed: Feed, client: httpx.AsyncClient) -> None:
        await asyncio.sleep(self._first_wait_s(feed))
        while True:
            outcome = await self._ask(feed, client)
            if outcome is None:
                await asyncio.sleep(self._first_wait_s(feed))
                continue
            for warning in outcome.warnings[:20]:
                log.warning("ledger_quarantined", feed=feed.name, what=warning)
            if outcome.failed or outcome.skipped:
                log.warning("ledger_feed_failed", feed=feed.name, why=outcome.words)
            else:
                log.info("ledger_refreshed", feed=feed.name, figures=outcome.figures)
                self._changed()
            interval_s = self._asking.interval_s(feed)
            await asyncio.sleep(self._with_chance(min(interval_s, AFTER_FAILURE_S) if outcome.failed else interval_s))

    async def _ask(self, feed: Feed, client: httpx.AsyncClient) -> Outcome | None:
        """None: another process asks it, or just has."""
        try:
            with claimed(self._asking.folder, feed.name) as is_ours:
                if not is_ours or self._age_s(feed) < self._asking.interval_s(feed) / 2:
                    return None
                return await refresh(self._asking, feed, client)
        except OSError as error:
            return Outcome(feed.name, str(error), failed=True)

    def _first_wait_s(self, feed: Feed) -> float:
        """What is left of the interval since it was last asked."""
        return self._with_chance(max(FIRST_WAIT_S, self._asking.interval_s(feed) - self._age_s(feed)))

    def _age_s(self, feed: Feed) -> float:
        """Since the feed was last heard of, by anybody; endless when it never was."""
        last = last_state(self._asking.folder, feed.name).fetched_at
        try:
            return self._asking.wall() - dt.datetime.fromisoformat(last).timestamp()
        except ValueError:
            return math.inf

    def _with_chance(self, seconds: float) -> float:
        return seconds * (1 + JITTER * (2 * self._chance.random() - 1))
