from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from proxy.journal.retention import Retention
from proxy.journal.sqlite import SqliteStore
from tests.journal_samples import START_S, attempt, exchange, in_rows

DAY_S = 86_400.0


class CountingStore(SqliteStore):
    """The real store, noting how much each transaction deleted."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.deletions: list[int] = []

    async def delete_before(self, epoch_s: float, limit: int) -> int:
        self.deletions.append(await super().delete_before(epoch_s, limit))
        return self.deletions[-1]


async def filled(path: Path, count: int) -> CountingStore:
    """`count` exchanges, one per hour from START_S."""
    store = CountingStore(path)
    await store.open()
    await store.write(in_rows([exchange(n, started_at=START_S + n * 3600, attempts=[attempt(), attempt(2)]) for n in range(count)]))
    return store


async def test_e3_old_exchanges_go_in_bounded_batches_with_their_attempts(tmp_path: Path) -> None:
    store = await filled(tmp_path / "j.db", 240)
    retention = Retention(store, 2, batch=50, pause_s=0, clock=lambda: START_S + 10 * DAY_S)
    assert await retention.sweep() == 192
    assert store.deletions == [50, 50, 50, 42]
    assert await retention.sweep() == 0
    await store.close()
    connection = sqlite3.connect(tmp_path / "j.db")
    assert connection.execute("SELECT count(*), min(id) FROM exchanges").fetchone() == (48, "d000192")
    assert connection.execute("SELECT count(*), min(exchange_id) FROM attempts").fetchone() == (96, "d000192")
    connection.close()


async def test_e3_a_mostly_empty_file_shrinks(tmp_path: Path) -> None:
    store = await filled(tmp_path / "j.db", 2400)
    await Retention(store, 1, pause_s=0, clock=lambda: START_S + 1000 * DAY_S).sweep()
    await store.close()
    assert (tmp_path / "j.db").stat().st_size < 200_000


async def test_it_sweeps_at_once_and_again_and_survives_a_locked_database(tmp_path: Path) -> None:
    store = await filled(tmp_path / "j.db", 10)
    other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    task = asyncio.create_task(Retention(store, 1, interval_s=0.01, clock=lambda: START_S + 100 * DAY_S).run())
    await asyncio.sleep(0.3)
    assert store.deletions == []
    other.execute("ROLLBACK")
    other.close()
    async with asyncio.timeout(5):
        while sum(store.deletions) < 10:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.close()


@pytest.mark.parametrize("days", [0, -1])
def test_keeping_nothing_is_a_mistake(tmp_path: Path, days: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Retention(SqliteStore(tmp_path / "j.db"), days)
