"""The port between the journal and whoever writes or asks: `sqlite.py` and `postgres.py` implement it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from proxy.checkpoints import Checkpoint
from proxy.journal.history import Wanted
from proxy.journal.rows import Rows
from proxy.journal.spent import Spent
from proxy.journal.spent import Wanted as Spending
from routing.affinity import Binding


class JournalStore(Protocol):
    async def open(self) -> None:
        """Connect and migrate. Raises StoreError when the store can not be used at all (bad path, schema from the future)."""
        ...

    async def write(self, batch: Sequence[Rows]) -> None:
        """Write all of `batch` in one transaction, or raise StoreError and write none. Writing an id again changes nothing."""
        ...

    async def usage(self, since: float, until: float, by: str) -> list[dict[str, Any]]:
        """Totals between two epoch times, grouped by one of `model`, `replica`, `provider`, `harness`, `key`, `day`, `status`."""
        ...

    async def exchange(self, exchange_id: str) -> dict[str, Any] | None:
        """One exchange with its attempts and decision, by decision id or request id; None when unknown."""
        ...

    async def recent(self, limit: int) -> list[dict[str, Any]]:
        """The newest exchanges first, without their decisions."""
        ...

    async def page(self, wanted: Wanted) -> list[dict[str, Any]] | None:
        """The exchanges that are `wanted`, newest first, without their decisions; None when its cursor is unknown."""
        ...

    async def performance(self, since: float, until: float, by: str) -> list[dict[str, Any]]:
        """How everybody did between two epoch times, grouped by one of `replica`, `provider`, `model`: rates, percentiles, speed."""
        ...

    async def calibration(self) -> dict[str, float]:
        """Logical model id → reported ÷ estimated input tokens over its recent answers that reported usage."""
        ...

    async def bindings(self, since: float, most: int) -> list[Binding]:
        """Which replica answered each conversation last, oldest first: of the newest `most` answers that began at or after the epoch time
        `since`. Their `bound_at_s` is an epoch time."""
        ...

    async def checkpoints(self, since: float, most: int) -> list[Checkpoint]:
        """What exchanges that began at or after the epoch time `since` tried under idempotency keys: the newest `most`, oldest first."""
        ...

    async def spent(self, wanted: Spending) -> list[Spent]:
        """What was used in a span of time, oldest first, as far apart as `wanted` says."""
        ...

    async def delete_before(self, epoch_s: float, limit: int) -> int:
        """Delete at most `limit` exchanges older than `epoch_s`, attempts included; how many went."""
        ...

    async def close(self) -> None: ...


class StoreError(Exception):
    """The store refused a batch or a query. `str()` says why, without secrets."""
