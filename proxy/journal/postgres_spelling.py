"""What PostgreSQL spells differently from SQLite, in one place. Counterpart: the statements of `queries` and `history`.

The two agree on the rest because the statements keep to what both know, and because the tables of `postgres_schema` have a column
called `rowid` where SQLite has one by itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from proxy.journal import queries, spent

_NAMED = re.compile(r"(?<!:):([a-z_]+)")
"""`:since`, and not the `::` of a cast."""

_UTC_DAY = "to_char(to_timestamp(e.started_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"

_POLICY = "e.decision::json -> 'demand' ->> 'policy'"


class Spelled(NamedTuple):
    text: str
    names: tuple[str, ...]
    """The name behind each of `$1`, `$2` …"""

    def values(self, named: Mapping[str, Any]) -> list[Any]:
        return [named[name] for name in self.names]


@functools.cache
def spelled(statement: str) -> Spelled:
    """`statement` with numbered parameters. Cached: there are a few dozen statements, all ours."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    text = _NAMED.sub(number, statement.replace(queries.UTC_DAY, _UTC_DAY).replace(spent.POLICY, _POLICY))
    return Spelled(text, tuple(names))


def as_number(text: str) -> int | float:
    """PostgreSQL sums whole numbers to decimals; for donut they are whole numbers still, and fractions are floats."""
    return float(text) if "." in text or text == "NaN" else int(text)
