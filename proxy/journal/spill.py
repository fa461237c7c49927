"""Where records go that a stopping donut could not write: one JSON line per record in a file beside the journal.

Rules: a spill file gets its final name only when it is complete, so that nobody imports half of it; importing it twice changes
nothing (ids), and it is deleted only after its records are committed. Blocking I/O on purpose: it runs before the first and
after the last request.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import structlog

from proxy.journal.port import JournalStore
from proxy.journal.records import AttemptRecord, ExchangeRecord, Status
from proxy.journal.rows import ATTEMPT_NAMES, EXCHANGE_NAMES, Row, Rows, decision_text, named, rows_of
from routing.reasons import line_of
from routing.types import Usage

_log = structlog.get_logger("donut.journal")
_IMPORT_ROWS = 500
_TOKENS = Usage._fields[:5]
"""Those that have columns."""


def write_spill(journal: Path, batch: Sequence[Rows]) -> tuple[Path, int]:
    """Write `batch` to `<journal>.spill-<pid>-<ns>.jsonl` (0600); the file and how many records it holds.

    Fewer than all on a full disk: what fits is kept. The time is in the name because in a container the pid is always 1.
    Raises OSError when no file can be made at all.
    """
    final = journal.with_name(f"{journal.name}.spill-{os.getpid()}-{time.time_ns()}.jsonl")
    part = final.with_suffix(".part")
    written = 0
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        for rows in batch:
            line = _line(rows)
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
            await store.write(list(map(rows_of, batch)))
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


def _line(rows: Rows) -> bytes:
    """The record's fields, not the row's columns: what other versions wrote and will read."""
    fields = named(EXCHANGE_NAMES, rows.exchange)
    fields["stream"] = bool(fields["stream"])
    if fields["decision"] is not None:
        fields["decision"] = json.loads(fields["decision"])
        if fields["summary"] is None:
            fields["summary"] = line_of(fields["decision"])
    fields["attempts"] = [_attempt_fields(row) for row in rows.attempts]
    # The same odd values as in a row: see there.
    return decision_text(fields).encode() + b"\n"


def _attempt_fields(row: Row) -> dict[str, Any]:
    fields = named(ATTEMPT_NAMES, row)
    del fields["exchange_id"]
    fields["connection_reused"] = bool(fields["connection_reused"])
    fields["usage"] = None
    for source, is_reported in (("reported", True), ("estimated", False)):
        tokens = {name: fields.pop(f"{source}_{name}") for name in _TOKENS}
        if tokens["output"] is not None:
            fields["usage"] = {**tokens, "reported": is_reported}
    return fields


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
