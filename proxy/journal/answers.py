"""The journal's questions and their answers, whichever database holds it. A store or a reader adds `find`, which runs one statement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from proxy.checkpoints import Checkpoint
from proxy.journal import history, queries, spent
from proxy.journal.port import StoreError
from routing.affinity import Binding


class Answers(ABC):
    """The reading half of `JournalStore`. Every error is a StoreError."""

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def find(self, statement: str, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """What one of the statements of `queries` or `history` finds. `values` may hold more than it names."""

    async def usage(self, since: float, until: float, by: str) -> list[dict[str, Any]]:
        """One dict per group, with the columns that `queries._USAGE` selects; tokens and USD."""
        if by not in queries.USAGE:
            raise StoreError(f"usage can not be grouped by {by!r}: use one of {', '.join(queries.GROUPINGS)}")
        return [dict(row) for row in await self.find(queries.USAGE[by], {"since": since, "until": until})]

    async def exchange(self, exchange_id: str) -> dict[str, Any] | None:
        found = await self.find(queries.EXCHANGE, {"id": exchange_id})
        if not found:
            return None
        exchange = queries.exchange_dict(found[0])
        exchange["attempts"] = [queries.attempt_dict(row) for row in await self.find(queries.ATTEMPTS, {"id": exchange["id"]})]
        return exchange

    async def recent(self, limit: int) -> list[dict[str, Any]]:
        return [queries.listed_dict(row) for row in await self.find(queries.RECENT, {"limit": limit})]

    async def page(self, wanted: history.Wanted) -> list[dict[str, Any]] | None:
        if wanted.before is not None and not await self.find(history.KNOWN, {"id": wanted.before}):
            return None
        return [queries.listed_dict(row) for row in await self.find(*history.page(wanted))]

    async def performance(self, since: float, until: float, by: str) -> list[dict[str, Any]]:
        """One dict per group, with the columns that `history.PERFORMANCE` selects; milliseconds and tokens per second."""
        return [dict(row) for row in await self.find(history.PERFORMANCE[by], {"since": since, "until": until})]

    async def calibration(self) -> dict[str, float]:
        return {row["model"]: row["ratio"] for row in await self.find(queries.CALIBRATION, {})}

    async def bindings(self, since: float, most: int) -> list[Binding]:
        rows = await self.find(queries.BINDINGS, {"since": since, "most": most})
        return [Binding(row["affinity_key"], row["replica_id"], row["client_key"], row["ended_at"]) for row in rows]

    async def spent(self, wanted: spent.Wanted) -> list[spent.Spent]:
        return [spent.spent_of(row) for row in await self.find(*spent.statement(wanted))]

    async def checkpoints(self, since: float, most: int) -> list[Checkpoint]:
        rows = await self.find(queries.CHECKPOINTS, {"since": since, "most": most})
        return [Checkpoint(row["idempotency_key"], row["replica_id"], bool(row["is_success"]), row["ended_at"]) for row in reversed(rows)]
