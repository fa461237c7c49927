"""The background work of `adapters:`, one file per outside system, each exporting one `WORKERS`; the crew runs them.

Rules: nothing here is on a request's way. A worker sees finished exchanges behind the journal's queue, waits only in its own task, and
keeps what it could not hand over in a bounded buffer. Trouble with an outside system is said once and shown at `/api/adapters`; it never
stops donut.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from config.adapter_settings import AdapterSettings
from providers.adapters.routellm import Opinion, Question
from proxy.gateway import Gateway
from proxy.journal.port import JournalStore
from proxy.journal.records import ExchangeRecord
from routing.ledger.readings import Reading

log = structlog.get_logger("donut.adapters")


@dataclass(frozen=True, slots=True)
class Learned:
    """Everything that one worker knows for the ledger, in the place of what it knew before."""

    name: str
    """Of the state that is kept: letters, digits and dashes."""
    readings: Sequence[Reading]
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """What a worker may use of the donut it works for."""

    gateway: Gateway
    journal: JournalStore
    learn: Callable[[Learned], Awaitable[None]]
    folder: Path
    """Donut's own, beside the journal."""


class Worker(ABC):
    """One connection to an outside system. Subclasses work in `run`; some also take what `finished` hands them."""

    is_alone = False
    """Must only one of several processes do this? Who reads what is given once, or writes one file for all."""

    def __init__(self, name: str) -> None:
        self.name = name
        """`cliproxy:box`, `thegent`."""
        self.problem: str | None = None
        """What is wrong now, in words; None when all is well."""

    @abstractmethod
    async def run(self) -> None:
        """Work until cancelled, and then hand over what is left."""

    def finished(self, records: Sequence[ExchangeRecord]) -> None:
        """These exchanges have ended. Called behind the journal's queue, on the loop's thread; must not raise nor wait."""
        del records

    async def opinion(self, question: Question) -> Opinion | None:
        """What it would choose; None of a system that chooses nothing. Raises NoOpinionError, in time."""
        del question
        return None

    def status(self) -> dict[str, Any]:
        """For `/api/adapters`: plain values, no secrets."""
        return {}

    def trouble(self, why: str) -> None:
        """Note what is wrong; said aloud only when it is another thing than before."""
        if why != self.problem:
            log.warning("adapter_in_trouble", adapter=self.name, why=why)
        self.problem = why

    def well(self) -> None:
        if self.problem is not None:
            log.info("adapter_well_again", adapter=self.name)
        self.problem = None


@dataclass(frozen=True, slots=True)
class Workers:
    """How many of a kind the settings ask for, made."""

    make: Callable[[AdapterSettings, Host], Sequence[Worker]]
