"""One line per exchange, with the decision in plain words. Written in batches behind the journal's queue: a slow terminal slows nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from proxy.journal.records import AttemptRecord, ExchangeRecord, Status

_QUIET = (Status.OK, Status.CLIENT_GONE)
"""A tuple: a set would ask for a hash, which an enum member works out in Python."""

# Read by one call each, which is no line of Python: half of these members are the class's own, and those take long one by one.
_of_exchange = attrgetter(
    *("status._value_", "http_status", "requested_model", "decision", "tier", "use_case", "replica_id", "summary", "total_s", "attempts"),
    *("error_message", "harness", "client_key", "request_id", "id"),
)
_of_attempt = attrgetter("ttft_s", "usage", "cost_usd")

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
    status, http, asked, decision, tier, use_case, replica, why, total_s, attempts, error, harness, key, *ids = _of_exchange(record)
    said: dict[str, Any] = {"status": status, "http": http, "asked": asked}
    demand = decision.get("demand") if decision is not None else None
    if demand and demand.get("role") is not None:
        said["role"] = demand["role"]
    if tier is not None:
        said["tier"] = tier
    if use_case is not None:
        said["use_case"] = use_case
    if replica is not None:
        said["replica"] = replica
    if why:
        said["why"] = why
    said["ms"] = round(total_s * 10_000) / 10  # `round(…, 1)` writes the number out in decimals first: five times as long
    if attempts:
        _add_attempts(said, attempts)
    if error is not None:
        said["error"] = error
    said["harness"] = harness
    if key is not None:
        said["key"] = key
    said["request_id"], said["id"] = ids
    return said


def _add_attempts(said: dict[str, Any], attempts: Sequence[AttemptRecord]) -> None:
    ttft_s, usage, cost_usd = _of_attempt(attempts[-1])
    if ttft_s is not None:
        said["ttft_ms"] = round(ttft_s * 10_000) / 10
    if usage is not None:
        uncached, cache_read, cache_write, output, _, is_reported, _ = usage
        sent = uncached + cache_read + cache_write
        said["tokens"] = f"{sent}+{output}" if is_reported else f"~{sent}+~{output}"
    if cost_usd is not None:
        said["usd"] = cost_usd
    if len(attempts) > 1:
        said["attempts"] = len(attempts)
