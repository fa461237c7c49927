"""Tells that a limit's threshold was passed: a log line, an event at `/api/events`, and the budget's webhook.

Each threshold once per window, whatever is reloaded or restarted meanwhile. Runs behind the journal's queue and in a task of its own: no
request ever waits for somebody's webhook. A webhook's URL is a secret and is never shown.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import structlog

from proxy.events import EventHub
from proxy.when import iso
from routing.headroom.alerts import Alert
from routing.headroom.book import Book
from routing.headroom.calendar import ends_at
from routing.headroom.limits import ANY, Limit, OnExceed, Scope, in_usd, key_of, told
from routing.headroom.types import WINDOW_S, Unit, Window

log = structlog.get_logger("donut.budget")

EVENT = "BudgetThresholdPassed"
TOLD_KEPT = 4096
"""Sessions and keys times thresholds; beyond it the oldest may be told again."""
WAITING_MOST = 256
TIMEOUT_S = 10.0
PAUSES_S = (1.0, 10.0)
"""Before the second and the third try: a receiver that restarts is back by then, and nobody wants yesterday's news."""

CONSEQUENCES = {
    OnExceed.ALERT: "nothing is stopped",
    OnExceed.REFUSE: "requests that would exceed it are refused",
    OnExceed.DEGRADE: "cheaper and local models answer beyond it",
}


class _Mark(NamedTuple):
    limit: Limit
    key: str
    threshold: float


class BudgetAlerts:
    """One per process. `webhooks` is replaced when the config is."""

    def __init__(
        self, events: EventHub, wall: Callable[[], float], webhooks: Mapping[str, str], pauses_s: tuple[float, ...] = PAUSES_S
    ) -> None:
        """`wall`: seconds since 1970; `webhooks`: `Limit.source` → URL."""
        self.webhooks = webhooks
        self._events = events
        self._wall = wall
        self._pauses_s = pauses_s
        self._told: OrderedDict[_Mark, float] = OrderedDict()
        """Until when each is not news."""
        self._waiting: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(WAITING_MOST)

    def passed_already(self, book: Book, now_s: float) -> None:
        """At a start: what the journal says was passed, the process before this one has told."""
        for mark in _passed(book, now_s):
            self._is_news(mark)

    def tell(self, alerts: Iterable[Alert]) -> None:
        """Never waits."""
        for alert in alerts:
            if not self._is_news(_Mark(alert.limit, alert.key, alert.threshold)):
                continue
            said = fields(alert, self._wall())
            log.warning("budget_threshold_passed", **said)
            self._events.announce(EVENT, said)
            url = self.webhooks.get(alert.limit.source)
            if url is None:
                continue
            try:
                self._waiting.put_nowait((url, said))
            except asyncio.QueueFull:
                log.error("budget_webhook_dropped", source=alert.limit.source, why="too many wait already")

    def _is_news(self, mark: _Mark) -> bool:
        wall_s = self._wall()
        until_s = self._told.pop(mark, 0.0)
        is_news = wall_s >= until_s
        self._told[mark] = _window_ends_at(mark.limit, wall_s) if is_news else until_s
        if len(self._told) > TOLD_KEPT:
            self._told.popitem(last=False)
        return is_news

    async def run(self) -> None:
        """Post what waits, one after the other, for as long as the process lives."""
        url, said = await self._waiting.get()
        # Not before there is news, for most limits have no webhook; and in a thread, for it reads a hundred certificates: 20 ms and 2 MB.
        async with await asyncio.to_thread(lambda: httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)) as client:
            while True:
                await self._post(client, url, said)
                url, said = await self._waiting.get()

    async def _post(self, client: httpx.AsyncClient, url: str, said: dict[str, Any]) -> None:
        host = urlsplit(url).hostname
        why = ""
        for pause_s in (0.0, *self._pauses_s):
            await asyncio.sleep(pause_s)
            try:
                answer = await client.post(url, json={"event": EVENT, **said})
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                why = type(error).__name__
                continue
            if answer.is_success:
                return
            why = f"HTTP {answer.status_code}"
            if answer.status_code < 500 and answer.status_code != 429:
                break
        log.error("budget_webhook_failed", host=host, why=why, source=said["source"])


def fields(alert: Alert, wall_s: float) -> dict[str, Any]:
    """What is told, wherever it is told. `text` is the whole of it in words: chat programs show that field."""
    limit = alert.limit
    return {
        "at": iso(wall_s),
        "source": limit.source,
        "scope": alert.key,
        "window": limit.window.value,
        "unit": limit.unit.value,
        "limit": limit.most,
        "used": round(alert.used, 9),
        "threshold": alert.threshold,
        "on_exceed": limit.on_exceed.value,
        "text": (
            f"donut: {alert.key} has used {_amount(limit.unit, alert.used)} of {_amount(limit.unit, limit.most)} per {limit.window.value} "
            f"({alert.threshold:.0%} passed, {limit.source}); {CONSEQUENCES[limit.on_exceed]}"
        ),
    }


def _amount(unit: Unit, value: float) -> str:
    return in_usd(value) if unit is Unit.COST else f"{value:,.0f} {unit.value.replace('_', ' ')}"


def _window_ends_at(limit: Limit, wall_s: float) -> float:
    return ends_at(limit.window, wall_s) if limit.calendar else wall_s + WINDOW_S[limit.window]


def _passed(book: Book, now_s: float) -> Iterator[_Mark]:
    for limit in book.limits.limits:
        if not limit.alert_at or limit.window is Window.REQUEST:
            continue
        for counter in book.counters.values():
            is_its = (counter.id.unit, counter.id.window, counter.id.calendar) == (limit.unit, limit.window, limit.calendar)
            if is_its and _counts(limit, counter.id.key):
                used = told(limit.unit, counter.meter.used(now_s))
                yield from (_Mark(limit, counter.id.key, share) for share in limit.alert_at if used >= share * limit.most)


def _counts(limit: Limit, key: str) -> bool:
    if limit.scope is Scope.ALL or limit.id != ANY:
        return key == key_of(limit.scope, limit.id)
    return key.startswith(key_of(limit.scope, ""))
