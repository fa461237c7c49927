"""One line per exchange, with the decision in plain words. Written in batches behind the journal's queue: a slow terminal slows nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from proxy.journal.records import ExchangeRecord, Status

_QUIET = frozenset({Status.OK, Status.CLIENT_GONE})


WriteLines = Callable[[list[tuple[str, dict[str, Any]]]], None]
"""Takes (level, fields) pairs: `config.logging.write_exchanges`."""


def log_to(write: WriteLines) -> Callable[[Sequence[ExchangeRecord]], None]:
    """A function for the journal's queue: puts each record's decision into words, and logs it.

    Nothing of the prompt or the answer is in a line, and no key.
    """

    def log(records: Sequence[ExchangeRecord]) -> None:
        for record in records:
            record.describe()
        write([("info" if record.status in _QUIET else "warning", fields(record)) for record in records])

    return log


def fields(record: ExchangeRecord) -> dict[str, Any]:
    """What a line says, in the order a person wants to read it; what is unknown is left out."""
    said: dict[str, Any] = {
        "status": record.status.value,
        "http": record.http_status,
        "asked": record.requested_model,
        "replica": record.replica_id,
        "why": record.summary or None,
        "ms": round(record.total_s * 1000, 1),
    }
    last = record.attempts[-1] if record.attempts else None
    if last is not None:
        said["ttft_ms"] = round(last.ttft_s * 1000, 1) if last.ttft_s is not None else None
        if last.usage is not None:
            mark = "" if last.usage.reported else "~"
            said["tokens"] = f"{mark}{last.usage.input}+{mark}{last.usage.output}"
        said["usd"] = last.cost_usd
        said["attempts"] = len(record.attempts) if len(record.attempts) > 1 else None
    said |= {"error": record.error_message, "harness": record.harness, "key": record.client_key}
    said |= {"request_id": record.request_id, "id": record.id}
    return {name: value for name, value in said.items() if value is not None}
