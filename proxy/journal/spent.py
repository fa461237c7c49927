"""What was used between two moments, for counting limits anew: attempts, put together as coarsely as whoever counts can not tell apart.

SQL and its parameters; `answers` asks it. Rule: values are bound by name, never spliced; what is put into a statement are the constants of
this file. As in `queries`, SQLite and PostgreSQL both take every statement.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from routing.headroom.book import NOT_COUNTED
from routing.headroom.limits import Scope
from routing.types import Usage

LONGEST_S = 6 * 3600.0
"""An exchange that began so long before a moment has ended by then. The index is on the beginning, limits count at the end."""


class Wanted(NamedTuple):
    """Attempts that ended at or after `since` and before `until`, epoch seconds."""

    since: float
    until: float
    grain_s: float | None
    """What ended within so many seconds may be told as one; None: each attempt by itself."""
    scopes: frozenset[Scope] = frozenset()
    """Whose use is told apart. Sessions and policies cost more to tell apart than the rest: ask for what is needed."""


class Spent(NamedTuple):
    """Attempts of the same subject, price and kind of figures."""

    exchange_id: str | None
    """Where they are told each by itself."""
    provider_id: str
    replica_id: str
    logical_model_id: str | None
    """Of the exchange, whose last attempt may have been one on another model."""
    client: str | None
    harness: str | None
    policy: str | None
    session: str | None
    price_version: str | None
    attempts: int
    requests: int
    """Those of them that count as requests."""
    usage: Usage | None
    """Sums. None where nothing was generated."""
    cost_usd: float | None
    """As it was stored: a sum, or None where no price was known."""
    ended_at: float
    """Of the last of them; epoch seconds."""


_COLUMNS: Mapping[Scope, tuple[str, str]] = {
    Scope.CLIENT: ("client", "e.client_key"),
    Scope.HARNESS: ("harness", "e.harness"),
    Scope.POLICY: ("policy", "json_extract(e.decision, '$.demand.policy')"),
    Scope.SESSION: ("session", "e.affinity_key"),
}
POLICY = _COLUMNS[Scope.POLICY][1]
"""PostgreSQL spells it otherwise (`postgres_spelling`)."""

_ENDED = "(a.started_at + a.total_s)"
_NOT_REQUESTS = ", ".join(f"'{kind.value}'" for kind in sorted(NOT_COUNTED))
_TOKENS = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")


@functools.cache
def _statement(scopes: frozenset[Scope], *, is_single: bool) -> str:
    keys = [f"{text if scope in scopes else 'CAST(NULL AS TEXT)'} AS {name}" for scope, (name, text) in _COLUMNS.items()]
    alone = "a.exchange_id" if is_single else "CAST(NULL AS TEXT)"
    bucket = "a.number" if is_single else f"round(({_ENDED} - :since) / :grain)"
    sums = [f"sum(coalesce(a.reported_{name}, a.estimated_{name}, 0)) AS {name}" for name in _TOKENS]
    return f"""
SELECT {alone} AS exchange_id, a.provider_id AS provider_id, a.replica_id AS replica_id, max(e.logical_model_id) AS logical_model_id,
    {", ".join(keys)}, a.price_version AS price_version, a.reported_output IS NOT NULL AS is_reported,
    a.estimated_output IS NOT NULL AS is_estimated, {bucket} AS bucket, count(*) AS attempts,
    count(*) FILTER (WHERE coalesce(a.failure_kind, '') NOT IN ({_NOT_REQUESTS})) AS requests,
    {", ".join(sums)}, sum(a.cost_usd) AS cost_usd, max({_ENDED}) AS ended_at
FROM exchanges AS e JOIN attempts AS a ON a.exchange_id = e.id
WHERE e.started_at >= :earliest AND e.started_at < :until AND {_ENDED} >= :since AND {_ENDED} < :until
GROUP BY 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, a.cost_usd IS NULL
ORDER BY ended_at
"""  # noqa: S608 - constants of this file only


def statement(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """The statement and its parameters."""
    values: dict[str, Any] = {"since": wanted.since, "until": wanted.until, "earliest": wanted.since - LONGEST_S, "grain": wanted.grain_s}
    return _statement(frozenset(wanted.scopes & _COLUMNS.keys()), is_single=wanted.grain_s is None), values


def spent_of(row: Mapping[str, Any]) -> Spent:
    usage = None
    if row["is_reported"] or row["is_estimated"]:
        uncached, read, written, output, reasoning = (int(row[name]) for name in _TOKENS)
        usage = Usage(uncached, read, written, output, reasoning, bool(row["is_reported"]))
    return Spent(
        row["exchange_id"],
        row["provider_id"],
        row["replica_id"],
        row["logical_model_id"],
        row["client"],
        row["harness"],
        row["policy"],
        row["session"],
        row["price_version"],
        row["attempts"],
        row["requests"],
        usage,
        row["cost_usd"],
        row["ended_at"],
    )


def scopes_told(scopes: Collection[Scope]) -> frozenset[Scope]:
    """Those of `scopes` that have to be asked for; provider, replica and model are always told."""
    return frozenset(scope for scope in scopes if scope in _COLUMNS)
