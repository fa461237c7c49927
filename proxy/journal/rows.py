"""Records → rows, as every store takes them. On the journal's path: a few microseconds per exchange, so plain attribute reads.

A record is turned into its rows as soon as it is announced, and dropped. Its rows are a third of its size, and the store's thread, for
which they wait, finds them in one place: records that waited for it had left the processor's caches by then.

Enum members and bools are turned into exact `str` and `int` here, because sqlite3 sends every other type through its adapter
registry, which costs more than building the row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from proxy.journal.records import AttemptRecord, ExchangeRecord
from routing.types import Usage

Row = tuple[Any, ...]

EXCHANGE_COLUMNS = (
    "id, request_id, started_at, dialect, requested_model, harness, client_key, stream, input_tokens_estimated, status, "
    "http_status, logical_model_id, replica_id, provider_id, tier, use_case, error_code, error_message, total_s, bytes_in, "
    "bytes_out, affinity_key, idempotency_key, summary, decision"
)
ATTEMPT_COLUMNS = (
    "exchange_id, number, replica_id, provider_id, upstream_model, started_at, status, failure_kind, failure_message, "
    "upstream_status, upstream_request_id, connection_reused, queue_s, connect_s, ttft_s, between_tokens_s, total_s, "
    "reported_input_uncached, reported_cache_read, reported_cache_write, reported_output, reported_reasoning, "
    "estimated_input_uncached, estimated_cache_read, estimated_cache_write, estimated_output, estimated_reasoning, "
    "cost_usd, price_version"
)

EXCHANGE_NAMES = tuple(EXCHANGE_COLUMNS.split(", "))
ATTEMPT_NAMES = tuple(ATTEMPT_COLUMNS.split(", "))

_NO_TOKENS: Row = (None,) * 5
_NO_USAGE: Row = (None,) * 10
_INT64 = 2**63


# Measured with `sys.getsizeof` on CPython 3.11, rounded up: tuples, numbers, and the few texts that are nobody else's.
_EXCHANGE_BYTES = 1024
_ATTEMPT_BYTES = 1024


class Rows(NamedTuple):
    """One exchange, ready to be written."""

    exchange: Row
    """In the order of EXCHANGE_COLUMNS."""
    attempts: Sequence[Row]
    """Each in the order of ATTEMPT_COLUMNS."""
    memory_bytes: int
    """Memory that they keep alive, estimated."""

    @property
    def id(self) -> str:
        found: str = self.exchange[0]
        return found


def rows_of(record: ExchangeRecord) -> Rows:
    id_, tried = record.id, record.attempts
    decision = None if record.decision is None else decision_text(record.decision)
    size = _EXCHANGE_BYTES + _ATTEMPT_BYTES * len(tried) + len(record.summary)
    if decision is not None:
        size += len(decision)
    # Without the call of Python that a NamedTuple's own `__new__` is.
    return tuple.__new__(Rows, (_exchange_row(record, decision), [_attempt_row(id_, attempt) for attempt in tried], size))


def _exchange_row(record: ExchangeRecord, decision: str | None) -> Row:
    return (
        record.id,
        record.request_id,
        record.started_at,
        record.dialect,
        record.requested_model,
        record.harness,
        record.client_key,
        1 if record.stream else 0,
        record.input_tokens_estimated,
        record.status._value_,
        record.http_status,
        record.logical_model_id,
        record.replica_id,
        record.provider_id,
        _exact(record.tier),
        _exact(record.use_case),
        record.error_code,
        record.error_message,
        record.total_s,
        record.bytes_in,
        record.bytes_out,
        record.affinity_key,
        record.idempotency_key,
        record.summary,
        decision,
    )


def _attempt_row(exchange_id: str, attempt: AttemptRecord) -> Row:
    return (
        exchange_id,
        attempt.number,
        attempt.replica_id,
        attempt.provider_id,
        attempt.upstream_model,
        attempt.started_at,
        attempt.status._value_,
        _exact(attempt.failure_kind),
        attempt.failure_message,
        attempt.upstream_status,
        attempt.upstream_request_id,
        1 if attempt.connection_reused else 0,
        attempt.queue_s,
        attempt.connect_s,
        attempt.ttft_s,
        attempt.between_tokens_s,
        attempt.total_s,
        *_usage_columns(attempt.usage),
        attempt.cost_usd,
        attempt.price_version,
    )


def _usage_columns(usage: Usage | None) -> Row:
    """Five reported columns, then five estimated ones; one half is always NULL. In the order of Usage's fields."""
    if usage is None:
        return _NO_USAGE
    tokens = usage[:5]
    return tokens + _NO_TOKENS if usage.reported else _NO_TOKENS + tokens


def _exact(text: str | None) -> str | None:
    return text if text is None or type(text) is str else str.__str__(text)


def decision_text(decision: dict[str, Any]) -> str:
    """JSON. Whatever orjson refuses (odd keys, unknown types, lone surrogates) is written in words rather than lost."""
    try:
        return orjson.dumps(decision).decode()
    except TypeError:
        return json.dumps(decision, default=str, ensure_ascii=False).encode("utf-8", "replace").decode()


def storable(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows with every value that SQLite can not take replaced by the nearest one it can: the slow second try."""
    return (tuple(map(_storable, row)) for row in rows)


def _storable(value: Any) -> Any:
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, int):
        return max(-_INT64, min(value, _INT64 - 1))
    return str(value).encode("utf-8", "replace").decode()


def insert_statement(table: str, columns: str) -> str:
    """`INSERT OR IGNORE INTO table (columns) VALUES (?, …)`; `table` and `columns` are ours, never input."""
    marks = ", ".join("?" * len(columns.split(",")))
    return f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - constants of this module only
