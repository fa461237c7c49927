"""The workers of one process: made from the settings, started and stopped together, made anew when their settings change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from config.adapter_settings import AdapterSettings
from config.adapting import Host, Worker, Workers, log
from config.adapting._alone import alone
from providers.adapters.routellm import NoOpinionError, Opinion, Question
from proxy.journal.records import ExchangeRecord


class Crew:
    def __init__(self, settings: AdapterSettings, host: Host, kinds: Callable[[], Iterable[Workers]]) -> None:
        """`kinds` finds the workers' files. They are not even loaded where config names no outside system: 16 ms of a start (measured)."""
        self._host = host
        self._kinds = kinds
        self._settings = settings
        self._workers = self._make()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_running = False

    def _make(self) -> list[Worker]:
        if self._settings == AdapterSettings():
            return []
        return [worker for kind in self._kinds() for worker in kind.make(self._settings, self._host)]

    def start(self) -> None:
        self._is_running = True
        self._tasks = [asyncio.create_task(_guarded(worker, self._host.folder), name=worker.name) for worker in self._workers]

    async def stop(self) -> None:
        """Every worker hands over what it has left. Safe to call again, and on a crew that never started."""
        self._is_running = False
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take_over(self, settings: AdapterSettings) -> None:
        """An edited config. Nothing happens to workers unless their section changed."""
        if settings == self._settings:
            return
        was_running = self._is_running
        self._settings = settings
        # First the new ones: what finishes while the old ones hand over is theirs.
        self._workers = self._make()
        await self.stop()
        if was_running:
            self.start()

    def finished(self, records: Sequence[ExchangeRecord]) -> None:
        for worker in self._workers:
            worker.finished(records)

    async def opinion(self, question: Question) -> Opinion:
        """Of the first system that has one. Raises NoOpinionError."""
        for worker in self._workers:
            opinion = await worker.opinion(question)
            if opinion is not None:
                return opinion
        raise NoOpinionError("no external router is configured (adapters.routellm)")

    def status(self) -> list[dict[str, Any]]:
        return [{"adapter": worker.name, "problem": worker.problem, **worker.status()} for worker in self._workers]


async def _guarded(worker: Worker, folder: Path) -> None:
    """A bug in one worker ends that one, and is seen."""
    try:
        if not worker.is_alone:
            await worker.run()
            return
        async with alone(folder / f"adapter-{worker.name.replace(':', '-')}.lock"):
            await worker.run()
    except Exception as error:  # noqa: BLE001 - an outermost edge: nobody awaits a worker, and none may end donut
        worker.problem = f"it stopped working: {type(error).__name__}"
        log.error("adapter_died", adapter=worker.name, exc_info=error)
