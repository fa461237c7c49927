"""What workers and imports learn, under the ledger's own names, kept beside what the feeds brought."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from config.adapting import Learned, log
from config.ledger.library import Given, Library
from config.ledger.overrides import subject_of
from config.ledger.store import Kept, write
from proxy.when import iso
from routing.ledger.names import Match
from routing.ledger.readings import Reading
from routing.ledger.sheet import sheets_of

BAR = "|"
"""Between a harness and a model in a subject."""
WARNINGS_KEPT = 50


class Names(NamedTuple):
    """The ledger's names."""

    known: Collection[str]
    """Subjects that need no matching."""
    match: Callable[[str], Match]


def resolved(readings: Iterable[Reading], names: Names) -> list[Reading]:
    """The readings under the ledger's subjects. A name that nobody knows keeps its figures: its model may be served tomorrow."""
    subjects: dict[str, str] = {}
    found = []
    for reading in readings:
        subject = subjects.get(reading.subject)
        if subject is None:
            subject = subjects[reading.subject] = resolved_subject(reading.subject, names)
        found.append(reading._replace(subject=subject))
    return found


def resolved_subject(subject: str, names: Names) -> str:
    harness, bar, model = subject.rpartition(BAR)
    return f"{harness}{bar}{subject_of(model, names.known, names.match)}"


def keep(folder: Path, learned: Learned, names: Names, at: str) -> Path:
    """Write the state of one worker or import in the place of the one before; `at` is an ISO time in UTC. Raises OSError."""
    sheets = sheets_of(resolved(learned.readings, names))
    return write(folder, Kept(learned.name, sheets, at, warnings=tuple(learned.problems[:WARNINGS_KEPT])))


class Learning:
    """`Host.learn`: keeps what workers learn, and says so to whoever serves by it."""

    def __init__(self, folder: Path, names: Callable[[], Names], changed: Callable[[], None] = lambda: None) -> None:
        """`names` is asked in a thread, and may take its time; `changed` is called on the loop's."""
        self._folder = folder
        self._names = names
        self._changed = changed

    async def __call__(self, learned: Learned) -> None:
        try:
            await asyncio.to_thread(self._keep, learned)
        except OSError as error:
            log.warning("adapter_figures_not_kept", name=learned.name, why=str(error))
        else:
            self._changed()

    def _keep(self, learned: Learned) -> None:
        keep(self._folder, learned, self._names(), iso(time.time()))


@functools.cache
def library_names() -> Names:
    """The names of the shipped ledger: what a person overrides adds figures, not names."""
    library = Library(Given({}))
    return Names(library.known, library.match)
