"""Records → rows, as every store takes them. On the journal's path: a few microseconds per exchange, so plain attribute reads.

A record is turned into its rows as soon as it is announced, and dropped. Its rows are a third of its size, and the store's thread, for
which they wait, finds them in one place: records that waited for it had left the processor's caches by then.

Enum members and bools are turned into exact `str` and `int` here, because sqlite3 sends every other type through its adapter
registry, which costs more than building the row.
"""

from __future__ import annotations

import itertools
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

_RARE_OF_EXCHANGES = ("error_code", "error_message", "idempotency_key")
_ESTIMATED = ("estimated_input_uncached", "estimated_cache_read", "estimated_cache_write", "estimated_output", "estimated_reasoning")
_RARE_OF_ATTEMPTS = ("failure_kind", "failure_message", *_ESTIMATED)


def _rare_last(columns: str, rare: tuple[str, ...]) -> tuple[str, ...]:
    return (*[name for name in columns.split(", ") if name not in rare], *rare)


EXCHANGE_NAMES = _rare_last(EXCHANGE_COLUMNS, _RARE_OF_EXCHANGES)
ATTEMPT_NAMES = _rare_last(ATTEMPT_COLUMNS, _RARE_OF_ATTEMPTS)
"""The columns in the order of a row. A row ends where nothing but NULLs would follow: binding those that nearly every row has was an eighth
of what SQLite took for it."""

_NO_TOKENS: Row = (None,) * 5
_INT64 = 2**63


# Measured: 800 and 360 (`sys.getsizeof`, CPython 3.11): tuples, numbers, and the few texts that are nobody else's. Some are longer.
_EXCHANGE_BYTES = 1024
_ATTEMPT_BYTES = 512


class Rows(NamedTuple):
    """One exchange, ready to be written."""

    exchange: Row
    """In the order of EXCHANGE_NAMES, its last ones left off where they are all NULL."""
    attempts: Sequence[Row]
    """Each in the order of ATTEMPT_NAMES, likewise."""
    memory_bytes: int
    """Memory that they keep alive, estimated."""

    @property
    def id(self) -> str:
        found: str = self.exchange[0]
        return found


def rows_of(record: ExchangeRecord) -> Rows:
    id_, tried = record.id, record.attempts
    decision = None if record.decision is None else decision_text(record.decision)
    size = _EXCHANGE_BYTES + _ATTEMPT_BYTES * len(tried)
    if decision is not None:
        size += len(decision)
    # Without the call of Python that a NamedTuple's own `__new__` is.
    return tuple.__new__(Rows, (_exchange_row(record, decision), [_attempt_row(id_, attempt) for attempt in tried], size))


def _exchange_row(record: ExchangeRecord, decision: str | None) -> Row:
    row = (
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
        record.total_s,
        record.bytes_in,
        record.bytes_out,
        record.affinity_key,
        record.summary,
        decision,
    )
    if record.error_code is None and record.error_message is None and record.idempotency_key is None:
        return row
    return (*row, record.error_code, record.error_message, record.idempotency_key)


def _attempt_row(exchange_id: str, attempt: AttemptRecord) -> Row:
    usage = attempt.usage
    is_reported = usage is not None and usage.reported
    row = (
        exchange_id,
        attempt.number,
        attempt.replica_id,
        attempt.provider_id,
        attempt.upstream_model,
        attempt.started_at,
        attempt.status._value_,
        attempt.upstream_status,
        attempt.upstream_request_id,
        1 if attempt.connection_reused else 0,
        attempt.queue_s,
        attempt.connect_s,
        attempt.ttft_s,
        attempt.between_tokens_s,
        attempt.total_s,
        *(_tokens(usage) if is_reported else _NO_TOKENS),
        attempt.cost_usd,
        attempt.price_version,
    )
    if attempt.failure_kind is None and attempt.failure_message is None and (is_reported or usage is None):
        return row
    return (*row, _exact(attempt.failure_kind), attempt.failure_message, *(_NO_TOKENS if is_reported else _tokens(usage)))


def _tokens(usage: Usage | None) -> Row:
    return _NO_TOKENS if usage is None else usage[:5]


def named(names: Sequence[str], row: Row) -> dict[str, Any]:
    """The row's values by the names of their columns, all of them."""
    return dict(itertools.zip_longest(names, row))


def whole(rows: Iterable[Row], columns: int) -> Iterator[Row]:
    """The rows with the NULLs that were left off."""
    return (row + (None,) * (columns - len(row)) for row in rows)


def _exact(text: str | None) -> str | None:
    return text if text is None or type(text) is str else str.__str__(text)


class _Weights:
    """The JSON of what all decisions of a router have in common: a quarter of theirs, and two fifths of the time for it."""

    def __init__(self) -> None:
        self._weights: object = None
        self._json = orjson.Fragment(b"null")

    def json(self, weights: object) -> orjson.Fragment:
        if weights is not self._weights:
            self._json = orjson.Fragment(orjson.dumps(weights))
            self._weights = weights
        return self._json


_weights = _Weights()


def decision_text(decision: dict[str, Any]) -> str:
    """JSON. Whatever orjson refuses (odd keys, unknown types, lone surrogates) is written in words rather than lost."""
    weights = decision.get("weights")
    try:
        said = decision if weights is None else {**decision, "weights": _weights.json(weights)}
        return orjson.dumps(said).decode()
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


def insert_statement(table: str, names: Sequence[str]) -> str:
    """`INSERT OR IGNORE INTO table (names) VALUES (?, …)`; `table` and `names` are ours, never input."""
    marks = ", ".join("?" * len(names))
    return f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - constants of this module only
