"""Where a journal is: what can be said of it before it is opened, and who opens it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from proxy.journal.answers import Answers
from proxy.journal.port import JournalStore
from proxy.journal.reader import SqliteReader
from proxy.journal.sqlite import SqliteStore


class Place(Protocol):
    """`str()` names it for people, without a password."""

    @property
    def beside(self) -> Path:
        """The local file that a server's own files go beside: spilled records."""
        ...

    def exists(self) -> bool:
        """Is there anything to ask? A place that can not tell says yes, and asking says more."""
        ...

    def store(self, donut_version: str) -> JournalStore: ...

    def reader(self) -> Answers:
        """For asking without writing, beside a server that runs or not."""
        ...


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def beside(self) -> Path:
        return self.path

    def exists(self) -> bool:
        return self.path.exists()

    def store(self, donut_version: str) -> JournalStore:
        return SqliteStore(self.path, donut_version=donut_version)

    def reader(self) -> Answers:
        return SqliteReader(self.path)


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    url: str
    folder: Path
    """Where this machine keeps what could not be written there."""

    def __str__(self) -> str:
        return without_password(self.url)

    @property
    def beside(self) -> Path:
        """Named after the database: what was meant for one must not be imported into another."""
        return self.folder / f"postgres-{hashlib.sha256(str(self).encode()).hexdigest()[:12]}"

    def exists(self) -> bool:
        return True

    def store(self, donut_version: str) -> JournalStore:
        with contextlib.suppress(OSError):  # without it nothing can be spilled, which is counted and said when it comes to that
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store: JournalStore = _postgres().PostgresStore(self.url, donut_version=donut_version)
        return store

    def reader(self) -> Answers:
        reader: Answers = _postgres().PostgresReader(self.url)
        return reader


def without_password(url: str) -> str:
    """`url` as it may be shown: who, where and which database. Its query goes too, for it may hold `password=`."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    who = f"{parts.username}@" if parts.username else ""
    return urlunsplit((parts.scheme, who + where, parts.path, "", ""))


def _postgres() -> Any:
    """By name, because asyncpg is an extra: it may not be installed, and costs a start that does not need it 100 ms and 14 MB."""
    return importlib.import_module("proxy.journal.postgres")
