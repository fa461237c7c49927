from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from proxy.journal.bulk import BulkConnection

INSERT = "INSERT OR IGNORE INTO pairs (a, b) VALUES (?, ?)"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", factory=BulkConnection, isolation_level=None)
    connection.execute("CREATE TABLE pairs (a PRIMARY KEY, b)")
    yield connection
    connection.close()


@pytest.mark.parametrize(("rows", "steps"), [(0, 0), (1, 1), (3, 2), (63, 6), (64, 1), (65, 2), (1000, 15 + 2)])
def test_a_batch_takes_few_steps_whatever_its_size(connection: sqlite3.Connection, rows: int, steps: int) -> None:
    traced: list[str] = []
    connection.set_trace_callback(traced.append)
    connection.executemany(INSERT, ((n, f"b{n}") for n in range(rows)))
    connection.set_trace_callback(None)
    assert len(traced) == steps
    assert connection.execute("SELECT a, b FROM pairs ORDER BY rowid").fetchall() == [(n, f"b{n}") for n in range(rows)]


def test_an_old_sqlite_that_binds_few_values_gets_smaller_steps(connection: sqlite3.Connection) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 99)
    connection.executemany(INSERT, [(n, n) for n in range(500)])
    assert connection.execute("SELECT count(*) FROM pairs").fetchone() == (500,)


def test_what_is_left_off_at_a_rows_end_is_null_and_bound_only_beside_a_longer_row(connection: sqlite3.Connection) -> None:
    traced: list[str] = []
    connection.set_trace_callback(traced.append)
    connection.executemany(INSERT, [(n,) for n in range(64)])
    connection.executemany(INSERT, [(64,), (65, "b65")])
    connection.set_trace_callback(None)
    assert [text.split(" VALUES")[0] for text in traced] == ["INSERT OR IGNORE INTO pairs (a)", "INSERT OR IGNORE INTO pairs (a, b)"]
    assert connection.execute("SELECT a, b FROM pairs ORDER BY rowid").fetchall() == [*((n, None) for n in range(65)), (65, "b65")]
