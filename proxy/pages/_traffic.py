"""What every offering did in a period: the journal's sums and percentiles, joined with what is served now. For pages that compare them.

Counts of attempts, rates and percentiles are of the newest 20,000 attempts in the period (`journal/history.py`); tokens and money of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from proxy.site import Site
from routing.types import ModelReplica

NOBODY: Mapping[str, Any] = {
    "attempts": 0, "ok": 0, "client_gone": 0, "failed": 0, "rate_limited": 0, "success_rate": None,
    "ttft_ms_p50": None, "ttft_ms_p95": None, "total_ms_p50": None, "total_ms_p95": None, "output_tokens_per_s": None,
}  # fmt: skip
"""The performance of who was not asked."""


class Spent(NamedTuple):
    """Tokens, none counted twice, and USD. Reported and estimated ones together: these pages compare, they do not account."""

    exchanges: int = 0
    input_uncached: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    """The part of `output` that was reasoning."""
    cost_usd: float | None = None
    """None when nobody knows any of it."""

    @property
    def input(self) -> int:
        return self.input_uncached + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        return self.input + self.output


class Spending(NamedTuple):
    by_replica: Mapping[str, Spent]

    def of(self, replica_ids: Iterable[str]) -> Spent:
        return added(self.by_replica.get(replica_id, Spent()) for replica_id in replica_ids)

    def of_provider(self, provider: str) -> Spent:
        return self.of(replica_id for replica_id in self.by_replica if provider_of(replica_id) == provider)


async def spending(site: Site, since: float, until: float) -> Spending:
    """Of everybody between two epoch times."""
    rows = await site.journal.usage(since, until, "replica")
    return Spending({row["key"]: spent_of(row) for row in rows if row["key"] is not None})


async def performance(site: Site, since: float, until: float, by: str) -> Mapping[str, Mapping[str, Any]]:
    """Replica or provider → how it did between two epoch times, a row of `JournalStore.performance`."""
    return {row["key"]: row for row in await site.journal.performance(since, until, by) if row["key"] is not None}


def spent_of(row: Mapping[str, Any]) -> Spent:
    """Of one row of `JournalStore.usage`."""
    read, written = row["reported_cache_read"], row["reported_cache_write"]
    return Spent(
        row["exchanges"],
        row["reported_input"] - read - written + row["estimated_input"],
        read,
        written,
        row["reported_output"] + row["estimated_output"],
        row["reported_reasoning"],
        row["cost_usd"],
    )


def added(parts: Iterable[Spent]) -> Spent:
    """Tokens and USD summed; a cost that nobody knows adds nothing, and is None only where nobody knows any."""
    found = list(parts)
    costs = [part.cost_usd for part in found if part.cost_usd is not None]
    counts = {name: sum(getattr(part, name) for part in found) for name in Spent._fields if name != "cost_usd"}
    return Spent(**counts, cost_usd=sum(costs) if costs else None)


def provider_of(replica_id: str) -> str:
    """Also of a replica that is served no more: an id is `provider/upstream name`, and a provider's id has no slash."""
    return replica_id.partition("/")[0]


def offerings(site: Site, provider: str | None = None) -> dict[tuple[str, str], list[ModelReplica]]:
    """(logical model, provider) → its replicas, of everything that is served now."""
    found: dict[tuple[str, str], list[ModelReplica]] = {}
    for replica in site.gateway.serving.router.catalog.replicas.values():
        if provider in (None, replica.provider_id):
            found.setdefault((replica.logical_model_id, replica.provider_id), []).append(replica)
    return found
