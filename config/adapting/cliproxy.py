"""Running CLIProxyAPIs: their figures go to the ledger, and models whose accounts are all out are left alone until one is back."""

from __future__ import annotations

from typing import Any

from config.adapter_settings import CliproxySettings
from config.adapting import Host, Learned, Worker, Workers
from providers.adapters._cliproxy_tally import Account, Tally
from providers.adapters.cliproxy import Connection, Polled, PollError, watch
from routing.facts import LimitsReported
from routing.headroom.types import ReportedLimit, ReportedScope, Unit

HINT_INTERVALS = 2.0
"""A hint holds for that many intervals at most: the next poll says it again, and without one it is forgotten."""

LEARN_S = 600.0
"""Between two hand-overs to the ledger: each makes it anew, and medians of a day do not move in ten minutes."""


class CliproxyWorker(Worker):
    is_alone = True

    def __init__(self, settings: CliproxySettings, host: Host) -> None:
        super().__init__(f"cliproxy:{settings.provider}")
        self._host = host
        self._connection = Connection(settings.url, settings.management_key.get_secret_value(), settings.interval_seconds)
        self._tally = Tally(settings.provider)
        self._accounts: list[Account] = []
        self._limited: dict[str, float | None] = {}
        self._calls = self._unreadable = 0
        self._has_news = False
        self._learned_at: float | None = None

    async def run(self) -> None:
        await watch(self._connection, self._take, self._failed)

    async def _take(self, polled: Polled) -> None:
        self.well()
        now = self._host.gateway.wall()
        self._tally.take(polled.calls)
        self._calls += len(polled.calls)
        self._unreadable += polled.unreadable
        self._accounts = polled.accounts
        self._limited = self._tally.limited(polled.accounts, now)
        for model, until in self._limited.items():
            self._hint(model, None if until is None else until - now)
        self._has_news |= bool(polled.calls)
        if self._has_news and (self._learned_at is None or now - self._learned_at >= LEARN_S):
            self._has_news, self._learned_at = False, now
            await self._host.learn(Learned(f"cliproxy-{self._tally.provider_id}", self._tally.readings(now)))

    def _hint(self, model: str, for_s: float | None) -> None:
        """Tell the router that nothing is left there."""
        gateway = self._host.gateway
        router = gateway.serving.router
        replica_id = f"{self._tally.provider_id}/{model}"
        longest = HINT_INTERVALS * self._connection.interval_s
        if replica_id in router.catalog.replicas:
            lasts_s = longest if for_s is None else min(for_s, longest)
            limit = ReportedLimit("accounts", Unit.SHARE, ReportedScope.MODEL, left_share=0.0, resets_in_s=lasts_s, is_spent=True)
            router.observe(LimitsReported(replica_id, (limit,)), gateway.now())

    def _failed(self, error: PollError) -> None:
        self.trouble(str(error))

    def status(self) -> dict[str, Any]:
        return {
            "requests_read": self._calls,
            "unreadable": self._unreadable,
            "accounts": len(self._accounts),
            "accounts_out": sum(account.is_out for account in self._accounts),
            "models_out": sorted(self._limited),
        }


WORKERS = Workers(lambda settings, host: [CliproxyWorker(each, host) for each in settings.cliproxy])
