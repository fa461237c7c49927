"""What a restarted donut reads back from its journal: which replica each conversation is with, and what idempotency keys have tried."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.checkpoints import Checkpoint
from proxy.journal.records import Status
from proxy.journal.sqlite import SqliteStore
from routing.affinity import Binding
from tests.journal_samples import START_S, attempt, exchange, in_rows


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    yield store
    await store.close()


async def test_the_last_success_of_a_conversation_is_its_binding(store: SqliteStore) -> None:
    await store.write(
        in_rows(
            [
                exchange(1, affinity_key="talk"),
                exchange(2, affinity_key="talk", replica_id="cloud/up", client_key="phone"),
                exchange(3, affinity_key="talk", replica_id="late/up", status=Status.UPSTREAM_ERROR),
                exchange(4, affinity_key=None),
                exchange(5, affinity_key="other"),
            ]
        )
    )
    assert await store.bindings(START_S, 100) == [
        Binding("talk", "cloud/up", "phone", START_S + 2 + 2.5),
        Binding("other", "box/up", "laptop", START_S + 5 + 2.5),
    ]


async def test_old_answers_bind_nothing_and_the_number_is_bounded(store: SqliteStore) -> None:
    await store.write(in_rows([exchange(n) for n in range(10)]))
    assert [binding.key for binding in await store.bindings(START_S + 7, 100)] == ["a000007", "a000008", "a000009"]
    assert [binding.key for binding in await store.bindings(START_S, 2)] == ["a000008", "a000009"]


async def test_an_idempotency_key_tells_what_failed_under_it(store: SqliteStore) -> None:
    failed = [
        attempt(1, replica_id="a/up", status=Status.UPSTREAM_ERROR, failure_kind="connect"),
        attempt(2, replica_id="b/up", status=Status.CLIENT_GONE),
    ]
    wrong = [attempt(1, replica_id="c/up", status=Status.UPSTREAM_ERROR, failure_kind="bad_request")]
    await store.write(
        in_rows(
            [
                exchange(1, idempotency_key="k", status=Status.CLIENT_GONE, attempts=failed),
                exchange(2, idempotency_key="k", status=Status.UPSTREAM_ERROR, attempts=wrong),
                exchange(3, idempotency_key="k"),
                exchange(4, idempotency_key=None, status=Status.UPSTREAM_ERROR, attempts=failed),
            ]
        )
    )
    ended_at = START_S + 2.5
    found = await store.checkpoints(START_S, 100)
    assert sorted(found[:2]) == [Checkpoint("k", "a/up", False, ended_at + 1), Checkpoint("k", "b/up", False, ended_at + 1)]
    assert found[2:] == [Checkpoint("k", None, False, ended_at + 2), Checkpoint("k", None, True, ended_at + 3)]
    assert await store.checkpoints(START_S + 3, 100) == found[3:]
    assert await store.checkpoints(START_S, 1) == found[3:]
