"""Between the requests and the store: `put` costs about a microsecond, one task writes.

A record lives here until it is announced, 10 ms after it came or a little later, and leaves as its rows: only they wait for the disk.

Rules: nothing leaves the queue before its commit; a store that fails costs requests nothing; memory is bounded in bytes, and
what does not fit is counted. When the bound is reached the *newest* record is refused: the oldest ones are the batch that is
being written right now, and a journal with one gap whose length is known is worth more than one with holes all over.
Everything here runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from pathlib import Path

import structlog

from proxy.journal.port import JournalStore, StoreError
from proxy.journal.records import ExchangeRecord
from proxy.journal.rows import Rows, rows_of
from proxy.journal.spill import import_spills, write_spill

_log = structlog.get_logger("donut.journal")

_WAKE_ROWS = 500
"""That many waiting rows wake the writer before its time."""
_BATCH_ROWS = 2000
"""Rows per transaction. Only a writer that fell behind sees so many, and large batches are how it catches up."""
_SLICE_ROWS = 128
"""Rows that are announced before others have their turn: about 2 ms. Slices of 32, with rows built in slices too and commits of 128 rows,
halved the longest delays (p99 17 ms → 8 at 6,000 requests per second), and made every request 10 to 15 µs dearer."""
_STRETCH_ROWS = 32
"""At once. Words, lines, metrics and rows are made of so many records in turn, which are still in the processor's caches from the one to
the other. With 128 at once all of it took 5 % longer (38.8 µs and 41.0 with what SQLite does), with 8 as long as that again."""
_SLICES_MOST = 4
"""Of what waits: when more comes in than slices of that size can take, they grow."""
_BREATH_S = 0.004
"""Between two slices: those who wait have their turn."""
_BACKOFF_FIRST_S = 0.1
_BACKOFF_LAST_S = 2.0
_GIVE_UP_S = 1.0
"""How long a cancelled write may take to roll back at shutdown (its thread may be stuck in the file system)."""

# What a record keeps alive until it is announced, rounded up: 7 KB with one attempt and two candidates (tracemalloc, CPython 3.11). More
# candidates hardly add to it, for their figures are the ranking's, which decisions share; whom the gates rejected is its own.
_RECORD_BYTES = 8192
_REJECT_BYTES = 640

_MEMORY_BYTES = attrgetter("memory_bytes")
_SIZE, _RECORD = itemgetter(0), itemgetter(1)


@dataclass(frozen=True, slots=True)
class QueueState:
    """What metrics and `/healthz` show. Counts are records since the start."""

    written: int
    dropped: int
    """Refused for want of room, or after the end, or lost because not even the spill file could be written."""
    spilled: int
    pending: int
    pending_bytes: int
    """Estimated memory of the pending records."""
    failing_since: float | None
    """Epoch seconds of the first refusal of the store's present run of refusals; None while it takes what it gets."""


class JournalQueue:
    """`start` → any number of `put` → `aclose`. One per process."""

    def __init__(
        self,
        store: JournalStore,
        *,
        flush_s: float = 0.2,
        log_s: float = 0.01,
        max_bytes: int = 64 * 1024 * 1024,
        on_batch: Callable[[Sequence[ExchangeRecord]], None] | None = None,
        spill_beside: Path | None = None,
    ) -> None:
        """`on_batch` gets every record exactly once, dropped ones too, within about `log_s` and before its write.

        `spill_beside` is the journal's file; without it, what can not be written at the end is lost and counted.
        """
        self._store = store
        self._log_s = log_s
        self._flush_after_log_s = max(0.0, flush_s - log_s)
        self._max_bytes = max_bytes
        self._on_batch = on_batch
        self._spill_beside = spill_beside

        self._unannounced: list[tuple[int, ExchangeRecord]] = []
        """Each with the memory that is reckoned for it; 0 for those that are announced, but not written."""
        self._pending: list[Rows] = []
        self._pending_bytes = 0
        self._written = self._dropped = self._spilled = 0
        self._failing_since: float | None = None

        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._is_closing = False
        """The same for `put`, which has no time to ask an event."""
        self._log_timer: asyncio.TimerHandle | None = None
        self._flush_timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Import what an earlier donut spilled, then start the writer. The store is open. Never raises for the store's sake."""
        if self._spill_beside is not None:
            try:
                await import_spills(self._spill_beside, self._store)
            except (StoreError, OSError) as error:
                _log.warning("journal_spill_import_failed", why=str(error), again="at the next start")
        self._writer = asyncio.create_task(self._write_until_closed(), name="journal-writer")

    def put(self, record: ExchangeRecord) -> None:
        """Hand over a finished record, which nobody changes any more. Never waits, never raises."""
        size = _RECORD_BYTES
        decision = record.last_decision
        if decision is not None and (rejected := decision.evidence.rejected):
            size += _REJECT_BYTES * len(rejected)
        pending_bytes = self._pending_bytes + size
        if pending_bytes > self._max_bytes or self._is_closing:
            self._dropped += 1
            size = 0
        else:
            self._pending_bytes = pending_bytes
        self._unannounced.append((size, record))
        if self._log_timer is None:
            self._log_timer = asyncio.get_running_loop().call_later(self._log_s, self._log_due)

    def snapshot(self) -> QueueState:
        return QueueState(
            written=self._written,
            dropped=self._dropped,
            spilled=self._spilled,
            pending=len(self._pending) + sum(1 for size, _ in self._unannounced if size),
            pending_bytes=self._pending_bytes,
            failing_since=self._failing_since,
        )

    async def aclose(self, timeout_s: float) -> None:
        """Write what is pending, for at most about `timeout_s`; spill the rest. Later puts are dropped and counted."""
        self._is_closing = True
        self._closing.set()
        self._wake.set()
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=timeout_s)
            if not self._writer.done():
                self._writer.cancel()
                await asyncio.wait({self._writer}, timeout=_GIVE_UP_S)
        for timer in (self._log_timer, self._flush_timer):
            if timer is not None:
                timer.cancel()
        self._announce(len(self._unannounced))
        if self._pending:
            self._spill()

    # --- timers: each put is covered by a log timer, each log timer is followed by a flush ---

    def _log_due(self) -> None:
        self._announce(_slice_of(len(self._unannounced)))
        loop = asyncio.get_running_loop()
        self._log_timer = loop.call_later(_BREATH_S, self._log_due) if self._unannounced else None
        if len(self._pending) >= _WAKE_ROWS:
            self._wake.set()
        if self._flush_timer is None:
            self._flush_timer = loop.call_later(self._flush_after_log_s, self._flush_due)

    def _flush_due(self) -> None:
        self._flush_timer = None
        self._wake.set()

    def _announce(self, rows: int) -> None:
        """Hand the oldest `rows` to `on_batch`, a stretch at a time, and keep of each what is to be written."""
        while rows > 0 and self._unannounced:
            stretch = self._unannounced[: min(rows, _STRETCH_ROWS)]
            del self._unannounced[: len(stretch)]
            rows -= len(stretch)
            self._announce_stretch(stretch)

    def _announce_stretch(self, stretch: Sequence[tuple[int, ExchangeRecord]]) -> None:
        records, sizes = list(map(_RECORD, stretch)), list(map(_SIZE, stretch))
        if self._on_batch is not None:
            try:
                self._on_batch(records)
            except Exception as error:  # noqa: BLE001 - an outermost edge: a broken log line must not stop the journal
                _log.error("journal_on_batch_failed", why=repr(error))
        kept = list(itertools.compress(records, sizes))
        try:
            made = list(map(rows_of, kept))
        except Exception:  # noqa: BLE001 - as above: a bug in one record must not take the others with it
            made = self._made_singly(kept)
        self._pending += made
        self._pending_bytes += sum(map(_MEMORY_BYTES, made)) - sum(sizes)

    def _made_singly(self, records: Sequence[ExchangeRecord]) -> list[Rows]:
        """After a bug: the rows of all but those that have none."""
        made: list[Rows] = []
        for record in records:
            try:
                made.append(rows_of(record))
            except Exception as error:  # noqa: BLE001 - as above
                _log.error("journal_record_lost", id=record.id, why=repr(error), exc_info=True)
                self._dropped += 1
        return made

    # --- the writer ---

    async def _write_until_closed(self) -> None:
        while self._pending or self._unannounced or not self._closing.is_set():
            await self._wake.wait()
            # Once closing, the event stays set: nothing else would wake the loop for a batch that was refused.
            if not self._closing.is_set():
                self._wake.clear()
            await self._announce_all()
            await self._drain(len(self._pending))

    async def _announce_all(self) -> None:
        """Whatever waits to be announced now, a slice at a time; what comes meanwhile is left to its timer."""
        rows = len(self._unannounced)
        for _ in range(0, rows, _slice_of(rows)):
            self._announce(_slice_of(rows))
            if not self._is_closing:
                await asyncio.sleep(_BREATH_S)

    async def _drain(self, rows: int) -> None:
        """Write the oldest `rows`, however long it takes. Those that come meanwhile wait for the next flush: chasing them
        would mean many small transactions under load."""
        backoff_s = _BACKOFF_FIRST_S
        while rows > 0:
            done = await self._write_batch(min(rows, _BATCH_ROWS))
            rows -= done
            if done:
                backoff_s = _BACKOFF_FIRST_S
            else:
                await self._sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _BACKOFF_LAST_S)

    async def _write_batch(self, limit: int) -> int:
        """Write the oldest rows and then, and only then, forget them. How many went; 0 when the store refused."""
        head = self._pending[:limit]
        try:
            await self._store.write(head)
        except StoreError as error:
            self._failed(str(error))
            return 0
        except Exception as error:  # noqa: BLE001 - an outermost edge: a bug in writing one row must not end the journal
            _log.error("journal_batch_broken", why=repr(error), exc_info=True)
            return await self._write_singly(head)
        self._forget(head, written=True)
        return len(head)

    async def _write_singly(self, head: list[Rows]) -> int:
        """After a bug: find the record that can not be written, give up on that one only. How many went, either way."""
        for done, rows in enumerate(head):
            try:
                await self._store.write([rows])
            except StoreError as error:
                self._failed(str(error))
                return done
            except Exception as error:  # noqa: BLE001 - as above
                _log.error("journal_record_lost", id=rows.id, why=repr(error))
                self._forget([rows], written=False)
            else:
                self._forget([rows], written=True)
        return len(head)

    def _forget(self, head: list[Rows], *, written: bool) -> None:
        del self._pending[: len(head)]
        self._pending_bytes -= sum(map(_MEMORY_BYTES, head))
        if not written:
            self._dropped += len(head)
            return
        self._written += len(head)
        if self._failing_since is not None:
            _log.warning("journal_recovered", after_s=round(time.time() - self._failing_since, 1), pending=len(self._pending))
            self._failing_since = None

    def _failed(self, why: str) -> None:
        if self._failing_since is None:
            self._failing_since = time.time()
            _log.warning("journal_failing", why=why, pending=len(self._pending))

    async def _sleep(self, delay_s: float) -> None:
        """Unless the end comes meanwhile: then try again soon, since little time is left."""
        if self._closing.is_set():
            await asyncio.sleep(_BACKOFF_FIRST_S)
            return
        try:
            async with asyncio.timeout(delay_s):
                await self._closing.wait()
        except TimeoutError:
            return

    def _spill(self) -> None:
        spilled = 0
        if self._spill_beside is not None:
            try:
                file, spilled = write_spill(self._spill_beside, self._pending)
                _log.warning("journal_spilled", file=str(file), records=spilled)
            except OSError as error:
                _log.error("journal_spill_failed", why=str(error))
        lost = len(self._pending) - spilled
        if lost:
            _log.error("journal_records_lost", records=lost)
        self._spilled += spilled
        self._dropped += lost
        self._pending.clear()
        self._pending_bytes = 0


def _slice_of(rows: int) -> int:
    return max(_SLICE_ROWS, rows // _SLICES_MOST)
