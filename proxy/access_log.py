"""One line per exchange, with the decision in plain words. Written in batches behind the journal's queue: a slow terminal slows nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proxy.journal.records import AttemptRecord, ExchangeRecord, Status

_QUIET = (Status.OK, Status.CLIENT_GONE)
"""A tuple: a set would ask for a hash, which an enum member works out in Python."""

WriteLines = Callable[[list[tuple[str, dict[str, Any]]]], None]
"""Takes (level, fields) pairs: `config.logging.write_exchanges`."""


def log_to(write: WriteLines) -> Callable[[Sequence[ExchangeRecord]], None]:
    """A function for the journal's queue: puts each record's decision into words, and logs it.

    Nothing of the prompt or the answer is in a line, and no key.
    """

    def log(records: Sequence[ExchangeRecord]) -> None:
        epoch_s = time.time() - time.monotonic()
        lines: list[tuple[str, dict[str, Any]]] = []
        for record in records:
            record.describe()
            decision = record.decision
            if decision is not None and "rejected_candidates" in decision:
                date_rejects(decision, epoch_s)
            lines.append(("info" if record.status in _QUIET else "warning", fields(record)))
        write(lines)

    return log


def date_rejects(decision: Mapping[str, Any], epoch_s: float) -> None:
    """Turn each reject's `until` from the router's clock into epoch seconds. `epoch_s` is the date at which that clock stood at 0."""
    for reject in decision.get("rejected_candidates", ()):
        if reject["until"] is not None:
            reject["until"] += epoch_s


def fields(record: ExchangeRecord) -> dict[str, Any]:
    """What a line says, in the order a person wants to read it; what is unknown is left out. Whoever writes the line may add to it."""
    said: dict[str, Any] = {"status": record.status._value_, "http": record.http_status, "asked": record.requested_model}
    demand = record.decision.get("demand") if record.decision is not None else None
    if demand and demand.get("role") is not None:
        said["role"] = demand["role"]
    if record.tier is not None:
        said["tier"] = record.tier
    if record.use_case is not None:
        said["use_case"] = record.use_case
    if record.replica_id is not None:
        said["replica"] = record.replica_id
    if record.summary:
        said["why"] = record.summary
    said["ms"] = round(record.total_s * 10_000) / 10  # `round(…, 1)` writes the number out in decimals first: five times as long
    if record.attempts:
        _add_attempts(said, record.attempts)
    if record.error_message is not None:
        said["error"] = record.error_message
    said["harness"] = record.harness
    if record.client_key is not None:
        said["key"] = record.client_key
    said["request_id"] = record.request_id
    said["id"] = record.id
    return said


def _add_attempts(said: dict[str, Any], attempts: Sequence[AttemptRecord]) -> None:
    last = attempts[-1]
    if last.ttft_s is not None:
        said["ttft_ms"] = round(last.ttft_s * 10_000) / 10
    usage = last.usage
    if usage is not None:
        said["tokens"] = f"{usage.input}+{usage.output}" if usage.reported else f"~{usage.input}+~{usage.output}"
    if last.cost_usd is not None:
        said["usd"] = last.cost_usd
    if len(attempts) > 1:
        said["attempts"] = len(attempts)
