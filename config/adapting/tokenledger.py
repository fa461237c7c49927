"""tokenledger: every answer's reported usage is appended to its event file, and how every offering does is written as a snapshot."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from config.adapter_settings import TokenledgerSettings, path_of
from config.adapting import Host, Worker, Workers
from providers.adapters._jsonl import append
from providers.adapters.snapshot import Row, snapshot_document
from providers.adapters.tokenledger import Event, event_line
from proxy.journal.port import StoreError
from proxy.journal.records import ExchangeRecord

WRITE_S = 1.0
SNAPSHOT_S = 300.0
"""The question takes the journal a third of a second when it is full, and its reader looks once an hour."""
PERIOD_S = 24 * 3600.0
"""What a snapshot tells of."""
WAITING_MOST = 20_000
"""Events that wait for a file that can not be written: about 10 MB, and minutes of the busiest donut."""
AT_ONCE = 2000
LAST_LOCK_S = 0.2
"""At the end: whoever stops donut waits for it."""


def events_of(record: ExchangeRecord) -> Iterator[Event]:
    """One per attempt whose provider reported its usage. The session is the conversation's digest, or the exchange itself."""
    for attempt in record.attempts:
        if attempt.usage is not None and attempt.usage.reported:
            session = record.affinity_key or record.id
            yield Event(attempt.provider_id, attempt.upstream_model, session, attempt.started_at, attempt.usage)


class EventsWorker(Worker):
    def __init__(self, path: Path) -> None:
        super().__init__("tokenledger:events")
        self._path = path
        self._waiting: deque[Event] = deque()
        self._written = self._dropped = self._estimated = 0

    def finished(self, records: Sequence[ExchangeRecord]) -> None:
        for record in records:
            self._estimated += sum(attempt.usage is not None and not attempt.usage.reported for attempt in record.attempts)
            for event in events_of(record):
                if len(self._waiting) >= WAITING_MOST:
                    self._dropped += 1
                else:
                    self._waiting.append(event)

    async def run(self) -> None:
        try:
            while True:
                await asyncio.sleep(WRITE_S)
                while self._waiting and await self._write():
                    pass
        finally:
            self._write_last()

    async def _write(self) -> bool:
        """Append what waits, `AT_ONCE` at most; did it work?

        A batch leaves the buffer first: should this be cancelled meanwhile, its thread goes on, and nobody may write it again.
        """
        batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        try:
            await asyncio.to_thread(append, self._path, [event_line(event) for event in batch])
        except OSError as error:
            self._waiting.extendleft(reversed(batch))
            self.trouble(f"{self._path}: {error}")
            return False
        self._written += len(batch)
        self.well()
        return True

    def _write_last(self) -> None:
        """Synchronous, and soon given up: donut is stopping."""
        try:
            append(self._path, [event_line(event) for event in self._waiting], LAST_LOCK_S)
        except OSError as error:
            self.trouble(f"{self._path}: {error}; {len(self._waiting)} events are lost")
        else:
            self._written += len(self._waiting)
            self._waiting.clear()

    def status(self) -> dict[str, Any]:
        return {
            "file": str(self._path),
            "written": self._written,
            "waiting": len(self._waiting),
            "dropped": self._dropped,
            "left_out_as_estimated": self._estimated,
        }


class SnapshotWorker(Worker):
    is_alone = True

    def __init__(self, path: Path, host: Host) -> None:
        super().__init__("tokenledger:snapshot")
        self._path = path
        self._host = host
        self._rows = 0

    async def run(self) -> None:
        while True:
            await self._write()
            await asyncio.sleep(SNAPSHOT_S)

    async def _write(self) -> None:
        now = self._host.gateway.wall()
        try:
            did = await self._host.journal.performance(now - PERIOD_S, now, "replica")
            rows = list(self._rows_of(did))
            await asyncio.to_thread(_replace, self._path, orjson.dumps(snapshot_document(rows, now), option=orjson.OPT_INDENT_2))
        except (OSError, StoreError) as error:
            self.trouble(f"{self._path}: {error}")
            return
        self._rows = len(rows)
        self.well()

    def _rows_of(self, did: Iterable[dict[str, Any]]) -> Iterator[Row]:
        """By the names that tokenledger's prices have: the provider's id and the upstream's name."""
        catalog = self._host.gateway.serving.router.catalog
        for row in did:
            replica = catalog.replicas.get(row["key"])
            if replica is not None:
                model = catalog.models.get(replica.logical_model_id)
                quality = model.quality if model is not None else None
                figures = row["total_ms_p50"], row["total_ms_p95"], row["success_rate"], quality, row["attempts"]
                yield Row(replica.provider_id, replica.upstream_model, *figures)

    def status(self) -> dict[str, Any]:
        return {"file": str(self._path), "offerings": self._rows}


def _replace(path: Path, data: bytes) -> None:
    """The whole file or the one before, never half of it. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.new")
    beside.write_bytes(data)
    beside.replace(path)


def _make(settings: TokenledgerSettings, host: Host) -> list[Worker]:
    workers: list[Worker] = []
    if settings.events is not None:
        workers.append(EventsWorker(path_of(settings.events)))
    if settings.snapshot is not None:
        workers.append(SnapshotWorker(path_of(settings.snapshot), host))
    return workers


WORKERS = Workers(lambda settings, host: [] if settings.tokenledger is None else _make(settings.tokenledger, host))
