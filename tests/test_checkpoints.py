"""The same idempotency key sent again goes on where it stopped: with other replicas, and across a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from proxy.checkpoints import Checkpoint, Checkpoints, checkpoint_key
from tests.processes import DonutProcess
from tests.serving import Donut, config_for
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, saying

ANSWER = answer(
    b'{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1}}',
    headers=b"content-type: application/json\r\n",
)
BROKEN = answer(b'{"error":{"message":"no"}}', status=b"500 Internal Server Error")
WRONG = answer(b'{"error":{"message":"what?"}}', status=b"400 Bad Request")
ONE_TRY = "routing: {retry: {max_attempts: 1}}"
BODY = {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]}


async def ask(client: httpx.AsyncClient, key: str | None = "k-1", **headers: str) -> httpx.Response:
    marked = {} if key is None else {"idempotency-key": key}
    return await client.post("/v1/chat/completions", json=BODY, headers={**marked, **headers})


@asynccontextmanager
async def twins(
    folder: Path, first: bytes, second: bytes, more: str = ""
) -> AsyncIterator[tuple[Donut, ScriptedUpstream, ScriptedUpstream]]:
    """A model that p0 and p1 serve, and what each of them says."""
    async with ScriptedUpstream(saying(first)) as p0, ScriptedUpstream(saying(second)) as p1:  # noqa: SIM117 - the config names their ports
        async with Donut(config_for(p0.port, p1.port, more=more), folder) as donut:
            yield donut, p0, p1


def skipped(row: dict[str, Any]) -> list[str]:
    """The replicas that a decision left out because they had been tried."""
    rejected = orjson.loads(row["decision"]).get("rejected_candidates", [])
    return [candidate["id"] for candidate in rejected if candidate["reason"] == "already_tried"]


def key_of(name: str, client: str | None = None) -> str:
    found = checkpoint_key(name.encode(), client)
    assert found is not None
    return found


class TestKeeping:
    def test_keys_are_scoped_by_the_client_and_not_readable(self) -> None:
        assert key_of("k") != key_of("k", "me") != key_of("k", "you")
        assert key_of("c", "ab") != key_of("bc", "a")
        assert "k-secret" not in key_of("k-secret")
        assert checkpoint_key(None, "me") is None
        assert checkpoint_key(b"", "me") is None

    def test_what_failed_is_kept_until_it_is_spent_or_old(self) -> None:
        checkpoints = Checkpoints(ttl_s=100)
        checkpoints.keep("k", frozenset({"a/up"}), 0.0)
        assert checkpoints.tried("k", 99.0) == {"a/up"}
        assert checkpoints.tried("k", 100.0) == checkpoints.tried(None, 0.0) == checkpoints.tried("other", 0.0) == frozenset()
        checkpoints.spend("k")
        assert checkpoints.tried("k", 0.0) == frozenset()

    def test_nothing_tried_is_nothing_to_keep(self) -> None:
        checkpoints = Checkpoints(most=1)
        checkpoints.keep("k", frozenset({"a/up"}), 0.0)
        checkpoints.keep("empty", frozenset(), 0.0)
        assert checkpoints.tried("k", 0.0) == {"a/up"}

    def test_the_journal_is_taken_over_in_its_order(self) -> None:
        checkpoints = Checkpoints(ttl_s=100)
        told = [
            Checkpoint("open", "a/up", False, 1000.0),
            Checkpoint("done", "a/up", False, 1001.0),
            Checkpoint("open", "b/up", False, 1002.0),
            Checkpoint("done", None, True, 1003.0),
            Checkpoint("open", None, False, 1004.0),
        ]
        checkpoints.load(told, 1010.0, 50.0)
        assert checkpoints.tried("open", 50.0) == {"a/up", "b/up"}
        assert checkpoints.tried("done", 50.0) == frozenset()
        assert checkpoints.tried("open", 142.0) == frozenset()  # a hundred seconds after the last failure


async def test_a_retry_later_skips_what_was_tried(tmp_path: Path) -> None:
    async with twins(tmp_path, BROKEN, ANSWER, ONE_TRY) as (donut, p0, p1):
        assert (await ask(donut.client)).status_code == 503
        resumed = await ask(donut.client, **{"x-donut-debug": "1"})
        assert (resumed.status_code, resumed.headers["x-donut-replica"], resumed.headers["x-donut-attempts"]) == (
            200,
            "p1/up-model",
            "1",
        )
        assert (len(p0.requests), len(p1.requests)) == (1, 1)
        first, second = await donut.wait_for_rows(2)
        assert first["idempotency_key"] == second["idempotency_key"] == key_of("k-1")


async def test_other_keys_and_requests_without_one_are_not_concerned(tmp_path: Path) -> None:
    async with twins(tmp_path, BROKEN, ANSWER, ONE_TRY) as (donut, _, _):
        for key in ("k-1", "k-2", None, "k-1"):
            await ask(donut.client, key)
        assert [skipped(row) for row in await donut.wait_for_rows(4)] == [[], [], [], ["p0/up-model"]]


async def test_after_a_success_the_key_is_spent(tmp_path: Path) -> None:
    async with twins(tmp_path, BROKEN, ANSWER, ONE_TRY) as (donut, _, _):
        assert [(await ask(donut.client)).status_code for _ in range(3)] == [503, 200, 200]
        assert [skipped(row) for row in await donut.wait_for_rows(3)] == [[], ["p0/up-model"], []]


async def test_when_all_were_tried_the_plan_begins_anew(tmp_path: Path) -> None:
    async with twins(tmp_path, BROKEN, BROKEN) as (donut, p0, _):
        assert (await ask(donut.client)).status_code == 503
        p0.handler = saying(ANSWER)
        again = await ask(donut.client)
        assert (again.status_code, again.headers["x-donut-replica"]) == (200, "p0/up-model")


async def test_what_is_wrong_with_the_request_is_not_the_replicas_fault(tmp_path: Path) -> None:
    async with twins(tmp_path, WRONG, ANSWER) as (donut, p0, p1):
        assert [(await ask(donut.client)).status_code for _ in range(2)] == [400, 400]
        assert (len(p0.requests), len(p1.requests)) == (2, 0)


async def test_a_client_that_gave_up_waiting_is_sent_elsewhere_next_time(tmp_path: Path) -> None:
    async def silent(request: ReceivedRequest, writer: Any) -> None:
        del request, writer

    async with twins(tmp_path, BROKEN, ANSWER) as (donut, p0, _):
        p0.handler = silent
        async with httpx.AsyncClient(base_url=donut.url, timeout=0.3, trust_env=False) as impatient:
            with pytest.raises(httpx.ReadTimeout):
                await ask(impatient)
        await donut.wait_for_rows(1)
        assert (await ask(donut.client)).headers["x-donut-replica"] == "p1/up-model"


async def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(BROKEN)) as p0, ScriptedUpstream(saying(ANSWER)) as p1:
        config = config_for(p0.port, p1.port, more=ONE_TRY)
        async with DonutProcess(tmp_path, config) as donut:
            assert (await ask(donut.client)).status_code == 503
            await donut.wait_for_rows(1)
        async with DonutProcess(tmp_path, config) as donut:
            resumed = await ask(donut.client)
            assert (resumed.status_code, resumed.headers["x-donut-replica"]) == (200, "p1/up-model")
            await donut.wait_for_rows(2)
        async with DonutProcess(tmp_path, config) as donut:
            await ask(donut.client)
            rows = await donut.wait_for_rows(3)
        assert [skipped(row) for row in rows] == [[], ["p0/up-model"], []]  # the success has spent it
