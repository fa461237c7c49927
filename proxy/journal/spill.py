"""Where records go that a stopping donut could not write: one JSON line per record in a file beside the journal.

Rules: a spill file gets its final name only when it is complete, so that nobody imports half of it; importing it twice changes
nothing (ids), and it is deleted only after its records are committed. Blocking I/O on purpose: it runs before the first and
after the last request.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import structlog

from proxy.journal.port import JournalStore
from proxy.journal.records import AttemptRecord, ExchangeRecord, Status
from proxy.journal.rows import decision_text
from routing.types import Usage

_log = structlog.get_logger("donut.journal")
_IMPORT_ROWS = 500


def write_spill(journal: Path, records: Sequence[ExchangeRecord]) -> tuple[Path, int]:
    """Write `records` to `<journal>.spill-<pid>-<ns>.jsonl` (0600); the file and how many records it holds.

    Fewer than all on a full disk: what fits is kept. The time is in the name because in a container the pid is always 1.
    Raises OSError when no file can be made at all.
    """
    final = journal.with_name(f"{journal.name}.spill-{os.getpid()}-{time.time_ns()}.jsonl")
    part = final.with_suffix(".part")
    written = 0
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        for record in records:
            line = _line(record)
            if os.write(descriptor, line) < len(line):
                break  # a short write to a file means no room; the torn last line is skipped when read
            written += 1
        os.fsync(descriptor)
    except OSError:
        if not written:
            part.unlink(missing_ok=True)
            raise
    finally:
        os.close(descriptor)
    part.rename(final)
    return final, written


async def import_spills(journal: Path, store: JournalStore) -> int:
    """Write every spilled record beside `journal` into `store`; how many records were read.

    Raises StoreError when the store refuses, OSError when a file can not be read; the file stays for the next start.
    """
    imported = 0
    for file in sorted(journal.parent.glob(f"{_glob_quoted(journal.name)}.spill-*.jsonl")):
        records = read_spill(file)
        count = 0
        while batch := list(itertools.islice(records, _IMPORT_ROWS)):
            await store.write(batch)
            count += len(batch)
        file.unlink(missing_ok=True)  # another worker may have imported it as well
        _log.info("journal_spill_imported", file=str(file), records=count)
        imported += count
    return imported


def read_spill(file: Path) -> Iterator[ExchangeRecord]:
    """The records of a spill file. A line that is torn or not a record is skipped and reported."""
    try:
        lines = file.open("rb")
    except FileNotFoundError:
        return  # another worker imported it between the listing and now
    with lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield _record(orjson.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                _log.warning("journal_spill_line_skipped", file=str(file), line=number, why=str(error))


def _line(record: ExchangeRecord) -> bytes:
    fields = _as_dict(record)
    fields["attempts"] = [_as_dict(attempt) for attempt in record.attempts]
    for attempt in fields["attempts"]:
        attempt["usage"] = None if attempt["usage"] is None else attempt["usage"]._asdict()
    # The same odd values as in a row: see there.
    return decision_text(fields).encode() + b"\n"


def _as_dict(record: ExchangeRecord | AttemptRecord) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _record(fields: dict[str, Any]) -> ExchangeRecord:
    attempts = [
        AttemptRecord(
            **{
                **attempt,
                "status": Status(attempt["status"]),
                "usage": None if attempt["usage"] is None else Usage(**attempt["usage"]),
            }
        )
        for attempt in fields["attempts"]
    ]
    return ExchangeRecord(**{**fields, "status": Status(fields["status"]), "attempts": attempts})


def _glob_quoted(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
