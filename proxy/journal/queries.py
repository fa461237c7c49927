"""The journal's questions as SQL, and the shapes of their answers.

Rules: values are bound by name, never spliced; the only text put into a statement is a column expression from `_KEYS` below.
Statements are written so that SQLite (3.30) and PostgreSQL both take them; the little that differs is in `postgres_spelling.py`.
Reported and estimated tokens have separate columns in every answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from proxy.journal.rows import ATTEMPT_COLUMNS, EXCHANGE_COLUMNS, LISTED_COLUMNS
from routing.explain import told
from routing.reasons import line_of

UTC_DAY = "date(e.started_at, 'unixepoch')"

# What an exchange, and what one of its attempts, is counted under. They differ where a request moved from one replica to
# another: the exchange counts for the one that answered, the tokens and the cost for the one that spent them.
_KEYS: Mapping[str, tuple[str, str]] = {
    "model": ("e.logical_model_id", "e.logical_model_id"),
    "replica": ("e.replica_id", "a.replica_id"),
    "provider": ("e.provider_id", "a.provider_id"),
    "harness": ("e.harness", "e.harness"),
    "key": ("e.client_key", "e.client_key"),
    "day": (UTC_DAY, UTC_DAY),
    "status": ("e.status", "e.status"),
}

GROUPINGS: tuple[str, ...] = tuple(_KEYS)
"""What `usage` can group by. `day` is the UTC day."""

_USAGE = """
WITH exchange_part AS (
    SELECT {exchange_key} AS key, count(*) AS exchanges, count(*) FILTER (WHERE e.status = 'ok') AS ok,
        count(*) FILTER (WHERE e.status = 'client_gone') AS client_gone
    FROM exchanges AS e WHERE e.started_at >= :since AND e.started_at < :until GROUP BY 1
), attempt_part AS (
    SELECT {attempt_key} AS key, count(*) AS attempts, count(*) FILTER (WHERE a.number = 2) AS retried,
        sum(a.reported_input_uncached + a.reported_cache_read + a.reported_cache_write) AS reported_input,
        sum(a.reported_cache_read) AS reported_cache_read, sum(a.reported_cache_write) AS reported_cache_write,
        sum(a.reported_output) AS reported_output, sum(a.reported_reasoning) AS reported_reasoning,
        sum(a.estimated_input_uncached + a.estimated_cache_read + a.estimated_cache_write) AS estimated_input,
        sum(a.estimated_output) AS estimated_output,
        -- PostgreSQL rounds decimals only.
        cast(round(cast(sum(a.cost_usd) AS numeric), 12) AS double precision) AS cost_usd,
        cast(round(cast(sum(a.cost_usd) FILTER (WHERE a.estimated_output IS NOT NULL) AS numeric), 12) AS double precision)
            AS cost_usd_estimated,
        count(*) FILTER (WHERE a.cost_usd IS NULL AND coalesce(
            a.reported_input_uncached + a.reported_cache_read + a.reported_cache_write + a.reported_output,
            a.estimated_input_uncached + a.estimated_cache_read + a.estimated_cache_write + a.estimated_output, 0) > 0) AS unpriced,
        sum(a.ttft_s) * 1000 AS ttft_sum_ms, count(a.ttft_s) AS ttft_count
    FROM exchanges AS e JOIN attempts AS a ON a.exchange_id = e.id
    WHERE e.started_at >= :since AND e.started_at < :until GROUP BY 1
), keys AS (
    SELECT key FROM exchange_part UNION SELECT key FROM attempt_part
)
SELECT keys.key AS key, coalesce(exchanges, 0) AS exchanges, coalesce(ok, 0) AS ok, coalesce(client_gone, 0) AS client_gone,
    coalesce(exchanges - ok - client_gone, 0) AS errors, coalesce(attempts, 0) AS attempts, coalesce(retried, 0) AS retried,
    coalesce(reported_input, 0) AS reported_input, coalesce(reported_cache_read, 0) AS reported_cache_read,
    coalesce(reported_cache_write, 0) AS reported_cache_write, coalesce(reported_output, 0) AS reported_output,
    coalesce(reported_reasoning, 0) AS reported_reasoning, coalesce(estimated_input, 0) AS estimated_input,
    coalesce(estimated_output, 0) AS estimated_output,
    -- No price known: unknown (NULL) where tokens were spent, zero where none were.
    CASE WHEN cost_usd IS NULL AND coalesce(unpriced, 0) = 0 THEN 0.0 ELSE cost_usd END AS cost_usd,
    coalesce(cost_usd_estimated, 0.0) AS cost_usd_estimated, coalesce(unpriced, 0) AS unpriced,
    CASE WHEN ttft_count > 0 THEN ttft_sum_ms / ttft_count END AS ttft_avg_ms, coalesce(ttft_count, 0) AS ttft_count
FROM keys LEFT JOIN exchange_part AS x ON x.key = keys.key OR (x.key IS NULL AND keys.key IS NULL)
    LEFT JOIN attempt_part AS y ON y.key = keys.key OR (y.key IS NULL AND keys.key IS NULL)
ORDER BY {order} NULLS FIRST
"""


def _usage_statement(by: str) -> str:
    exchange_key, attempt_key = _KEYS[by]
    order = "key" if by == "day" else "exchanges DESC, attempts DESC, key"
    return _USAGE.replace("{exchange_key}", exchange_key).replace("{attempt_key}", attempt_key).replace("{order}", order)


USAGE: Mapping[str, str] = {by: _usage_statement(by) for by in GROUPINGS}
"""Grouping → statement over `:since` and `:until`, epoch seconds, the second exclusive."""

# A request id is the client's to choose and may repeat: the newest exchange is meant. The second half spells out the partial
# index's condition, or SQLite would not use that index.
EXCHANGE = """
SELECT {columns} FROM exchanges WHERE rowid = coalesce(
    (SELECT rowid FROM exchanges WHERE id = :id),
    (SELECT rowid FROM exchanges WHERE request_id = :id AND request_id <> id ORDER BY started_at DESC LIMIT 1))
""".replace("{columns}", EXCHANGE_COLUMNS)

ATTEMPTS = "SELECT {columns} FROM attempts WHERE exchange_id = :id ORDER BY number".replace("{columns}", ATTEMPT_COLUMNS)

RECENT = "SELECT {columns} FROM exchanges ORDER BY rowid DESC LIMIT :limit".replace("{columns}", LISTED_COLUMNS)

# Bounded twice: the newest 5,000 exchanges, and of each model the newest 200. Cheap whatever the journal's size.
CALIBRATION = """
WITH newest AS (
    SELECT rowid AS n, id, logical_model_id, input_tokens_estimated FROM exchanges ORDER BY rowid DESC LIMIT 5000
), ranked AS (
    SELECT newest.logical_model_id AS model, newest.input_tokens_estimated AS estimated,
        a.reported_input_uncached + a.reported_cache_read + a.reported_cache_write AS reported,
        row_number() OVER (PARTITION BY newest.logical_model_id ORDER BY newest.n DESC) AS age
    FROM newest JOIN attempts AS a ON a.exchange_id = newest.id
    WHERE newest.input_tokens_estimated > 0 AND newest.logical_model_id IS NOT NULL AND a.status = 'ok'
        AND a.reported_input_uncached + a.reported_cache_read + a.reported_cache_write > 0
)
SELECT model, 1.0 * sum(reported) / sum(estimated) AS ratio FROM ranked WHERE age <= 200 GROUP BY model
"""

# Bounded by `most` of the newest answers. Of each conversation the latest one counts.
BINDINGS = """
WITH newest AS (
    SELECT affinity_key, replica_id, client_key, started_at + total_s AS ended_at FROM exchanges
    WHERE started_at >= :since AND affinity_key IS NOT NULL AND status = 'ok' ORDER BY started_at DESC LIMIT :most
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY affinity_key ORDER BY ended_at DESC) AS age FROM newest
)
SELECT affinity_key, replica_id, client_key, ended_at FROM ranked WHERE age = 1 ORDER BY ended_at
"""

# One row per attempt that failed and may not be tried again (`AttemptRecord.is_tried`), one without a replica for an exchange without any.
CHECKPOINTS = """
SELECT e.idempotency_key, a.replica_id, e.status = 'ok' AS is_success, e.started_at + e.total_s AS ended_at
FROM exchanges AS e LEFT JOIN attempts AS a
    ON a.exchange_id = e.id AND a.status <> 'ok' AND coalesce(a.failure_kind, '') <> 'bad_request'
WHERE e.idempotency_key IS NOT NULL AND e.started_at >= :since ORDER BY e.started_at DESC, a.number LIMIT :most
"""

DELETE_BEFORE = (
    "DELETE FROM exchanges WHERE rowid IN (SELECT rowid FROM exchanges WHERE started_at < :before ORDER BY started_at LIMIT :limit)"
)


def exchange_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of EXCHANGE: `stream` as a bool, `summary` in words, and `decision` as told."""
    fields = _exchange(row)
    decision = fields["decision"]
    if decision is not None and "candidates" not in decision:  # else it was told before it was kept
        fields["decision"] = told(decision)
    return fields


def listed_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with LISTED_COLUMNS, likewise, without the decision."""
    fields = _exchange(row)
    del fields["decision"]
    return fields


def _exchange(row: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(row)
    fields["stream"] = bool(fields["stream"])
    if fields["decision"] is not None:
        # Not orjson: json also reads the NaN and Infinity that its own fallback spelling may hold.
        fields["decision"] = json.loads(fields["decision"])
        if fields["summary"] is None:
            fields["summary"] = line_of(fields["decision"])
    return fields


def attempt_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ATTEMPTS with its two sets of token columns as `reported` and `estimated`, each a dict or None."""
    fields = dict(row)
    del fields["exchange_id"]
    fields["connection_reused"] = bool(fields["connection_reused"])
    for source in ("reported", "estimated"):
        names = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")
        tokens = {name: fields.pop(f"{source}_{name}") for name in names}
        fields[source] = None if tokens["output"] is None else tokens
    return fields
