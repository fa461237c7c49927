"""The journal's longer questions: a page of past exchanges, and how well everybody did. SQL and its parameters; `reader` asks it.

Rule: values are bound by name, never spliced; what is put into a statement are the constants of this file. As in `queries`, SQLite and
PostgreSQL both take every statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from proxy.journal.rows import LISTED_COLUMNS

PAGE_MAX = 500
"""Exchanges per page: about 300 KB of JSON."""


class Wanted(NamedTuple):
    """Which exchanges a page shows, newest first. None: whichever."""

    limit: int = 50
    status: str | None = None
    model: str | None = None
    """The logical model that answered, or the name that was asked for."""
    replica: str | None = None
    since: float | None = None
    """Epoch seconds."""
    before: str | None = None
    """Only those that began before this exchange: the cursor, an id that an earlier page ended with."""


_CONDITIONS: Mapping[str, str] = {
    "status": "status = :status",
    "model": "(logical_model_id = :model OR requested_model = :model)",
    "replica": "replica_id = :replica",
    "since": "started_at >= :since",
    # Ids break ties: two exchanges may begin in the same microsecond, and none may be shown twice or never.
    "before": "(started_at, id) < (SELECT started_at, id FROM exchanges WHERE id = :before)",
}

KNOWN = "SELECT 1 FROM exchanges WHERE id = :id"


def page(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """The statement for one page and its parameters."""
    values = {name: value for name, value in wanted._asdict().items() if value is not None}
    conditions = [text for name, text in _CONDITIONS.items() if name in values]
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    return f"SELECT {LISTED_COLUMNS} FROM exchanges {where}ORDER BY started_at DESC, id DESC LIMIT :limit", values  # noqa: S608 - constants only


PERFORMERS: Mapping[str, str] = {
    "replica": "a.replica_id",
    "provider": "a.provider_id",
    "model": "e.logical_model_id",
    "kind": "e.use_case || '|' || e.logical_model_id",
}
"""What performance can be grouped by; `kind` is a model at one kind of work, `code|claude-sonnet-5.5`."""

# Percentiles are nearest-rank, over the attempts that ended well: an error is quick, and says nothing of how long answers take. What a
# client broke off is no failure of whoever answered. Bounded to the newest 20,000 attempts: ranking 50,000 took SQLite
# 0.7 s (of 100,000 rows, on the machine this was written on), in its own thread but on the one connection that answers questions.
_PERFORMANCE = """
WITH newest AS (
    SELECT {key} AS key, a.status AS status, a.ttft_s AS ttft_s, a.total_s AS total_s, e.stream AS stream,
        coalesce(a.reported_output, a.estimated_output, 0) AS output, a.failure_kind AS failure_kind
    FROM exchanges AS e JOIN attempts AS a ON a.exchange_id = e.id
    WHERE e.started_at >= :since AND e.started_at < :until ORDER BY e.started_at DESC LIMIT 20000
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY key, status = 'ok' ORDER BY ttft_s IS NULL, ttft_s) AS ttft_rank,
        count(ttft_s) OVER (PARTITION BY key, status = 'ok') AS ttft_count,
        row_number() OVER (PARTITION BY key, status = 'ok' ORDER BY total_s) AS total_rank,
        count(*) OVER (PARTITION BY key, status = 'ok') AS total_count
    FROM newest
)
SELECT key, count(*) AS attempts, count(*) FILTER (WHERE status = 'ok') AS ok,
    count(*) FILTER (WHERE status = 'client_gone') AS client_gone,
    count(*) FILTER (WHERE status NOT IN ('ok', 'client_gone')) AS failed,
    count(*) FILTER (WHERE failure_kind = 'rate_limited') AS rate_limited,
    1.0 * count(*) FILTER (WHERE status = 'ok') / nullif(count(*) FILTER (WHERE status <> 'client_gone'), 0) AS success_rate,
    1000 * min(ttft_s) FILTER (WHERE status = 'ok' AND ttft_rank >= .50 * ttft_count) AS ttft_ms_p50,
    1000 * min(ttft_s) FILTER (WHERE status = 'ok' AND ttft_rank >= .95 * ttft_count) AS ttft_ms_p95,
    1000 * min(total_s) FILTER (WHERE status = 'ok' AND total_rank >= .50 * total_count) AS total_ms_p50,
    1000 * min(total_s) FILTER (WHERE status = 'ok' AND total_rank >= .95 * total_count) AS total_ms_p95,
    sum(output) FILTER (WHERE status = 'ok' AND stream <> 0 AND output > 0 AND total_s > ttft_s)
        / sum(total_s - ttft_s) FILTER (WHERE status = 'ok' AND stream <> 0 AND output > 0 AND total_s > ttft_s) AS output_tokens_per_s
FROM ranked GROUP BY key ORDER BY attempts DESC, key NULLS FIRST
"""

PERFORMANCE: Mapping[str, str] = {by: _PERFORMANCE.replace("{key}", key) for by, key in PERFORMERS.items()}
"""Grouping → statement over `:since` and `:until`, epoch seconds, the second exclusive."""
