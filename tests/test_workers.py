"""`donut serve --workers N`: one address, several processes. What dies is replaced, what is told is told to all, and all end together."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import DonutProcess, run_donut
from tests.real_servers import family
from tests.serving import config_for
from tests.streams import CHAT, RawClient, ask
from tests.test_lifecycle import DONE, REQUEST, WHOLE, Load, either, streaming
from tests.upstreams import ScriptedUpstream, eventually, saying

SHARED = "state: {shared: 'redis://127.0.0.1:1/0'}"
"""Nothing listens there: workers go on without, each counting for itself."""


def config(port: int, more: str = "") -> str:
    return config_for(port, more=f"{SHARED}\n{more}")


def workers_of(donut: DonutProcess) -> list[int]:
    return family(donut.process.pid)[1:]


async def all_gone(pids: list[int], within_s: float = 15) -> None:
    await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), within_s)


def ids_by_worker(load: Load) -> dict[str, list[str]]:
    """Decision ids begin with what is random once per process."""
    found: dict[str, list[str]] = {}
    for id_ in load.finished:
        found.setdefault(id_.partition("-")[0], []).append(id_)
    return found


@pytest.mark.parametrize(
    ("arguments", "text"), [(["--workers", "3"], ""), ([], "server: {workers: 3}"), (["--workers", "3"], "server: {workers: 1}")]
)
async def test_several_workers_need_shared_state_and_say_so(tmp_path: Path, arguments: list[str], text: str) -> None:
    (tmp_path / "donut.yaml").write_text(config_for(9, more=text))
    code, out, err = await run_donut(tmp_path, "serve", "--config", "donut.yaml", "--port", "0", *arguments)
    assert (code, out) == (2, "")
    assert "3 workers need state.shared (redis://…)" in err
    assert "Traceback" not in err


async def test_all_workers_serve_one_address_and_speak_with_one_voice(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(WHOLE)) as upstream,
        DonutProcess(tmp_path, config(upstream.port, "server: {workers: 3}")) as donut,
    ):
        await eventually(lambda: len(workers_of(donut)) == 3, 15)
        seen: set[str] = set()
        async with asyncio.timeout(20):
            while len(seen) < 3:
                async with httpx.AsyncClient(base_url=donut.url, trust_env=False, timeout=20) as client:
                    got = await client.post(CHAT, json=REQUEST)
                seen.add(got.headers["x-donut-decision"].partition("-")[0])
        assert [line["event"] for line in donut.events].count("serving") == 1
        donut.process.terminate()
        assert await donut.ends() == 0
        assert b"Traceback" not in b"".join(donut.stderr)


async def test_b4_sigterm_under_load_loses_no_row_of_any_worker(tmp_path: Path) -> None:
    says = either(streaming(0.02, 10), saying(WHOLE))
    async with ScriptedUpstream(says) as upstream, DonutProcess(tmp_path, config(upstream.port), arguments=["--workers", "3"]) as donut:
        async with Load(donut.url, 20, stream_share=0.5) as load:
            await eventually(lambda: len(load.finished) > 100, 20)
            pids = workers_of(donut)
            donut.process.terminate()
            assert await donut.ends() == 0
        rows = {row["id"]: row for row in donut.rows()}
        assert load.finished.keys() <= rows.keys()
        assert {rows[id_]["status"] for id_ in load.finished} == {"ok"}
        await all_gone(pids)


@pytest.mark.slow
async def test_b4_kill_of_one_of_three_under_load_costs_only_its_last_half_second(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(WHOLE)) as upstream,
        DonutProcess(tmp_path, config(upstream.port), arguments=["--workers", "3"]) as donut,
    ):
        await eventually(lambda: len(workers_of(donut)) == 3, 15)
        before = workers_of(donut)
        async with Load(donut.url, 12) as load:
            await eventually(lambda: len(load.finished) > 300, 30)
            await asyncio.sleep(0.7)
            killed_at = time.time()
            os.kill(before[1], signal.SIGKILL)
            ended = await donut.said("worker_ended", 20)
            await eventually(lambda: len(workers_of(donut)) == 3, 20)
            served = len(load.finished)
            await eventually(lambda: len(load.finished) > served + 200, 30)
        donut.process.terminate()
        assert await donut.ends() == 0
        assert (ended["pid"], ended["why"], ended["again_in_s"]) == (before[1], "SIGKILL", 0.0)
        rows = {row["id"] for row in donut.rows()}
        lost = {id_: killed_at - at for id_, at in load.finished.items() if id_ not in rows}
        assert len({id_.partition("-")[0] for id_ in lost}) <= 1, "only the killed one lost anything"
        assert max(lost.values(), default=0) <= 0.5
        assert len(load.failed) <= 12, "a client noticed once at most, on the connection that the killed one had"


async def test_workers_end_when_their_supervisor_is_gone(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream:
        async with DonutProcess(tmp_path, config(upstream.port), arguments=["--workers", "2"]) as donut:
            await eventually(lambda: len(workers_of(donut)) == 2, 15)
            pids = workers_of(donut)
            donut.process.kill()
            await donut.ends()
        await all_gone(pids)


async def test_a_second_sigint_does_not_wait_for_streams(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(streaming(0.05, 10_000)) as upstream,
        DonutProcess(tmp_path, config(upstream.port), arguments=["--workers", "2"]) as donut,
        RawClient(donut.port) as client,
    ):
        client.send(ask())
        head = await client.read_head()
        donut.process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.3)
        assert donut.process.returncode is None
        donut.process.send_signal(signal.SIGINT)
        assert await donut.ends() == 0
        assert [row["id"] for row in donut.rows()] == [head.headers["x-donut-decision"]]


async def test_sighup_and_an_edited_file_reach_every_worker(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(WHOLE)) as upstream,
        DonutProcess(tmp_path, config(upstream.port), arguments=["--workers", "2"]) as donut,
    ):
        await eventually(lambda: len(workers_of(donut)) == 2, 15)
        await donut.said("shared_state_lost", 15, count=2)  # both have started
        await asyncio.sleep(1.0)  # and are watching
        donut.config.write_text(config(upstream.port, "routing: {objective: quality}"))
        await donut.said("config_reloaded", 20, count=2)
        donut.process.send_signal(signal.SIGHUP)
        await donut.said("config_reloaded", 20, count=4)


async def test_when_none_can_start_it_says_why_and_ends(tmp_path: Path) -> None:
    state = "state: {shared: 'redis://127.0.0.1:1/0', journal: 'sqlite:////proc/nothing/donut.db'}"
    (tmp_path / "donut.yaml").write_text(config_for(9, more=state))
    code, _, err = await run_donut(tmp_path, "serve", "--port", "0", "--workers", "3")
    assert code == 1
    assert "/proc/nothing" in err
    assert err.count("start_failed") <= 3
    assert "worker_ended" not in err


async def test_a_stream_in_one_worker_goes_on_while_another_dies(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(streaming(0.05, 40)) as upstream,
        DonutProcess(tmp_path, config(upstream.port), arguments=["--workers", "2"]) as donut,
    ):
        await eventually(lambda: len(workers_of(donut)) == 2, 15)
        clients: list[Any] = [RawClient(donut.port) for _ in range(12)]
        for client in clients:
            await client.__aenter__()
            client.send(ask())
        heads = [await client.read_head() for client in clients]
        os.kill(workers_of(donut)[0], signal.SIGKILL)
        ends = []
        for client, head in zip(clients, heads, strict=True):
            try:
                await client.read_body(head)
                ends.append(head.is_complete and head.body.endswith(DONE))
            except (OSError, EOFError, asyncio.IncompleteReadError):
                ends.append(False)
            await client.__aexit__(None, None, None)
        by_worker: dict[str, set[bool]] = {}
        for head, end in zip(heads, ends, strict=True):
            by_worker.setdefault(head.headers["x-donut-decision"].partition("-")[0], set()).add(end)
        # Twelve connections all fall to one of two workers once in 2,048 runs.
        assert sorted(by_worker.values(), key=sorted) == [{False}, {True}]
