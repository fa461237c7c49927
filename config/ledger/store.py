"""What feeds and imports brought, kept in files: one per source, replaced whole, so that the last good state outlives everything.

`DATA/ledger/NAME.json` = `{"feed", "fetched_at", "etag", "last_modified", "sheets": [...]}`. A file that can not be read is reported and
left alone: it may be a newer donut's.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from routing.ledger.plain import sheet_as_plain, sheets_from_plain
from routing.ledger.sheet import Sheet

FILE_BYTES = 64 * 1024 * 1024
"""The largest feed (LiteLLM's price map) is 2 MB as it comes and 1 MB as it is kept."""


CLAIM_S = 900.0
"""Longer than any feed takes: a dozen answers of two minutes at most, some of them tried again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The last good state of one feed."""

    feed: str
    sheets: Sequence[Sheet] = ()
    fetched_at: str = ""
    """ISO time in UTC."""
    etag: str = ""
    last_modified: str = ""
    warnings: Sequence[str] = field(default_factory=tuple)
    """What was quarantined when it was read."""


def ledger_folder(journal: Path) -> Path:
    """Beside the journal."""
    return journal.parent / "ledger"


def read_all(folder: Path) -> tuple[list[Kept], list[str]]:
    """(states, problems in words), sorted by feed. No folder: nothing, and no problem."""
    found: list[Kept] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            found.append(read_one(path))
        except (OSError, ValueError) as error:
            problems.append(f"{path}: {error}")
    return found, problems


def read_one(path: Path) -> Kept:
    """Raises OSError, or ValueError with words."""
    if path.stat().st_size > FILE_BYTES:
        raise ValueError(f"larger than {FILE_BYTES} bytes")
    data = orjson.loads(path.read_bytes())
    if not isinstance(data, Mapping) or not isinstance(data.get("sheets"), list):
        raise ValueError("not a file of the ledger")
    sheets = [sheet for plain in data["sheets"] for sheet in sheets_from_plain(plain)]
    texts = {name: str(data.get(name) or "") for name in ("fetched_at", "etag", "last_modified")}
    return Kept(str(data.get("feed") or path.stem), sheets, warnings=tuple(map(str, data.get("warnings") or ())), **texts)


@contextlib.contextmanager
def claimed(folder: Path, name: str) -> Iterator[bool]:
    """Is it ours to ask this feed now? Of several workers and processes on one folder a single one does. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{name}.asking"
    with contextlib.suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > CLAIM_S:
            path.unlink()  # whoever made it is gone
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)


def write(folder: Path, kept: Kept) -> Path:
    """Put the state in the place of the one before, all or nothing. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kept.feed}.json"
    data: dict[str, Any] = {
        "feed": kept.feed,
        "fetched_at": kept.fetched_at,
        "etag": kept.etag,
        "last_modified": kept.last_modified,
        "warnings": list(kept.warnings),
        "sheets": [sheet_as_plain(sheet) for sheet in kept.sheets],
    }
    beside = path.with_suffix(f".{os.getpid()}.new")
    beside.write_bytes(orjson.dumps(data, default=tuple))
    beside.replace(path)
    return path
