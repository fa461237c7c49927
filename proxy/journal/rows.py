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
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from proxy.journal.records import AttemptRecord, ExchangeRecord
from routing.seen import plain
from routing.types import Figures

Row = tuple[Any, ...]

EXCHANGE_COLUMNS = (
    "id, request_id, started_at, dialect, requested_model, harness, client_key, stream, input_tokens_estimated, status, "
    "http_status, logical_model_id, replica_id, provider_id, tier, use_case, error_code, error_message, total_s, bytes_in, "
    "bytes_out, affinity_key, idempotency_key, summary, decision"
)
LISTED_COLUMNS = EXCHANGE_COLUMNS.removesuffix("decision") + "CASE WHEN summary IS NULL THEN decision END AS decision"
"""For lists, which hold no decisions: they are long, and one click away. Only what a summary has to be made of comes along."""

ATTEMPT_COLUMNS = (
    "exchange_id, number, replica_id, provider_id, upstream_model, started_at, status, failure_kind, failure_message, "
    "upstream_status, upstream_request_id, connection_reused, queue_s, connect_s, ttft_s, between_tokens_s, total_s, "
    "reported_input_uncached, reported_cache_read, reported_cache_write, reported_output, reported_reasoning, "
    "estimated_input_uncached, estimated_cache_read, estimated_cache_write, estimated_output, estimated_reasoning, "
    "cost_usd, price_version"
)

_PLAIN_OF_EXCHANGES = (
    *("id", "request_id", "started_at", "dialect", "requested_model", "harness", "client_key", "input_tokens_estimated", "http_status"),
    *("logical_model_id", "replica_id", "provider_id", "tier", "use_case", "total_s", "bytes_in", "bytes_out", "affinity_key"),
)
_PLAIN_OF_ATTEMPTS = (
    *("number", "replica_id", "provider_id", "upstream_model", "started_at", "upstream_status", "upstream_request_id", "queue_s"),
    *("connect_s", "ttft_s", "between_tokens_s", "total_s", "cost_usd", "price_version"),
)
"""What goes into a row as it is: read by one call that is no line of Python."""

_TOKENS = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")
_REPORTED, _ESTIMATED = [f"reported_{name}" for name in _TOKENS], [f"estimated_{name}" for name in _TOKENS]
_RARE_OF_EXCHANGES = ("error_code", "error_message", "idempotency_key")
_RARE_OF_ATTEMPTS = ("failure_kind", "failure_message")

EXCHANGE_NAMES = (*_PLAIN_OF_EXCHANGES, "status", "stream", "summary", "decision", *_RARE_OF_EXCHANGES)
ATTEMPT_NAMES = ("exchange_id", *_PLAIN_OF_ATTEMPTS, "status", "connection_reused", *_REPORTED, *_RARE_OF_ATTEMPTS, *_ESTIMATED)
"""The columns in the order of a row. A row ends where nothing but NULLs would follow: binding those that nearly every row has was an eighth
of what SQLite took for it."""

_of_exchange = attrgetter(*_PLAIN_OF_EXCHANGES, "status._value_")
_of_attempt = attrgetter(*_PLAIN_OF_ATTEMPTS, "status._value_")
_rare_of_exchange, _rare_of_attempt = attrgetter(*_RARE_OF_EXCHANGES), attrgetter(*_RARE_OF_ATTEMPTS)

_NO_TOKENS: Row = (None,) * 5
_NOTHING_RARE: Row = (None,) * 3
_NO_FAILURE: Row = (None,) * 2
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
    decision, text = record.decision, None
    summary: str | None = record.summary
    size = _EXCHANGE_BYTES
    if decision is not None:
        text = decision_text(decision)
        size += len(text)
        if "figures" in decision:
            summary = None  # `routing.reasons.line_of` the decision says it, to whoever asks
    row: Row = _of_exchange(record)
    row += (1 if record.stream else 0, summary, text)
    rare = _rare_of_exchange(record)
    if rare != _NOTHING_RARE:
        row += rare
    attempts = [_attempt_row(row[0], attempt) for attempt in record.attempts]
    # Without the call of Python that a NamedTuple's own `__new__` is.
    return tuple.__new__(Rows, (row, attempts, size + _ATTEMPT_BYTES * len(attempts)))


def _attempt_row(exchange_id: str, attempt: AttemptRecord) -> Row:
    usage, rare = attempt.usage, _rare_of_attempt(attempt)
    row = (exchange_id, *_of_attempt(attempt), 1 if attempt.connection_reused else 0)
    if usage is None:
        return row if rare == _NO_FAILURE else (*row, *_NO_TOKENS, _exact(rare[0]), rare[1])
    if not usage.reported:
        return (*row, *_NO_TOKENS, _exact(rare[0]), rare[1], *usage[:5])
    return row + usage[:5] if rare == _NO_FAILURE else (*row, *usage[:5], _exact(rare[0]), rare[1])


def named(names: Sequence[str], row: Row) -> dict[str, Any]:
    """The row's values by the names of their columns, all of them."""
    return dict(itertools.zip_longest(names, row))


def whole(rows: Iterable[Row], columns: int) -> Iterator[Row]:
    """The rows with the NULLs that were left off."""
    return (row + (None,) * (columns - len(row)) for row in rows)


def _exact(text: str | None) -> str | None:
    return text if text is None or type(text) is str else str.__str__(text)


FIGURES_KEPT = 64
"""As JSON: decisions come in the order in which they were made, and those of one ranking share their figures until it looks again."""


@lru_cache(FIGURES_KEPT)
def _json_of(figures: object) -> orjson.Fragment:
    """What `Figures` are in a decision's text: half of it, and written once for all decisions that share them. Raises TypeError for
    anything else that orjson does not know."""
    if not isinstance(figures, Figures):
        raise TypeError
    return orjson.Fragment(orjson.dumps(plain(figures)))


def decision_text(decision: dict[str, Any]) -> str:
    """JSON. Whatever orjson refuses (odd keys, unknown types, lone surrogates) is written in words rather than lost."""
    try:
        return orjson.dumps(decision, _json_of, orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except TypeError:
        return json.dumps(decision, default=_in_plain, ensure_ascii=False).encode("utf-8", "replace").decode()


def _in_plain(value: object) -> object:
    return plain(value) if isinstance(value, Figures) else str(value)


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
