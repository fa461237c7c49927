"""One line per exchange, with the decision in plain words. Written in batches behind the journal's queue: a slow terminal slows nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
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
        epoch_s = time.time() - time.monotonic()
        for record in records:
            record.describe()
            if record.decision is not None:
                date_rejects(record.decision, epoch_s)
        write([("info" if record.status in _QUIET else "warning", fields(record)) for record in records])

    return log


def date_rejects(decision: Mapping[str, Any], epoch_s: float) -> None:
    """Turn each reject's `until` from the router's clock into epoch seconds. `epoch_s` is the date at which that clock stood at 0."""
    for reject in decision.get("rejected_candidates", ()):
        if reject["until"] is not None:
            reject["until"] += epoch_s


def fields(record: ExchangeRecord) -> dict[str, Any]:
    """What a line says, in the order a person wants to read it; what is unknown is left out."""
    said: dict[str, Any] = {
        "status": record.status._value_,
        "http": record.http_status,
        "asked": record.requested_model,
        "role": demand_of(record).get("role"),
        "tier": record.tier,
        "use_case": record.use_case,
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


def demand_of(record: ExchangeRecord) -> Mapping[str, Any]:
    """What the described decision says the request needed; empty where there was none."""
    demand: Mapping[str, Any] | None = (record.decision or {}).get("demand")
    return demand or {}
