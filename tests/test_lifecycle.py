"""Requirements B4, B5, B8, E1, E3, F1, F2 of reference/reliability-requirements.md: stopping, crashing, a store that refuses, reloading,
forgetting, and what is left over after many requests."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import resource
import signal
import sqlite3
import time
from pathlib import Path

import httpx
import pytest

from tests.processes import DonutProcess, read_rows
from tests.serving import Donut, config_for
from tests.streams import CHAT, End, Framing, RawAnswer, RawClient, ask, chunk
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer, eventually, saying

ROLE = chunk(role="assistant", content="")
STOP = chunk("stop")
DONE = b"data: [DONE]\n\n"
WHOLE = answer(
    b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":2}}'
)
REQUEST = {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]}


def with_state(config: str, journal: Path, more: str = "") -> str:
    return f"{config}state: {{journal: 'sqlite:///{journal}', {more}}}\n"


def streaming(gap_s: float, tokens: int) -> Handler:
    """A stream of `tokens` tokens, `gap_s` apart."""

    async def handle(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(ROLE))
        for number in range(tokens):
            await asyncio.sleep(gap_s)
            writer.write(Framing.CHUNKED.piece(chunk(content=f"word{number} ")))
        writer.write(Framing.CHUNKED.piece(STOP + DONE) + Framing.CHUNKED.ending)

    return handle


def by_wish(request: ReceivedRequest) -> bool:
    return b'"stream":true' in request.body.replace(b" ", b"")


def either(stream: Handler, whole: Handler) -> Handler:
    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await (stream if by_wish(request) else whole)(request, writer)

    return handle


class Load:
    """Clients that ask again and again. `finished` are the ids of the answers that they saw whole, with the time of each."""

    def __init__(self, url: str, clients: int, *, stream_share: float = 0.0) -> None:
        self._url = url
        self._stream_share = stream_share
        self._clients = clients
        self.finished: dict[str, float] = {}
        self.failed: list[str] = []
        self._is_over = False

    async def __aenter__(self) -> Load:
        self._client = httpx.AsyncClient(base_url=self._url, timeout=30, trust_env=False, limits=httpx.Limits(max_connections=None))
        chance = random.Random(1)
        streams = [chance.random() < self._stream_share for _ in range(self._clients)]
        self._tasks = [asyncio.create_task(self._ask_on(stream)) for stream in streams]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)
        await self._client.aclose()

    async def _ask_on(self, stream: bool) -> None:
        while not self._is_over:
            try:
                got = await self._client.post(CHAT, json={**REQUEST, "stream": stream})
            except httpx.HTTPError as error:
                self.failed.append(repr(error))
                if isinstance(error, httpx.ConnectError):
                    return
                continue
            if got.status_code != 200 or (stream and not got.text.endswith("[DONE]\n\n")) or '"error"' in got.text:
                self.failed.append(f"{got.status_code} {got.text[-300:]}")
            else:
                self.finished[got.headers["x-donut-decision"]] = time.time()


# B4: stopping


async def test_b4_sigterm_under_load_loses_no_row(tmp_path: Path) -> None:
    upstream_says = either(streaming(0.02, 10), saying(WHOLE))
    async with ScriptedUpstream(upstream_says) as upstream, DonutProcess(tmp_path, config_for(upstream.port)) as donut:
        async with Load(donut.url, 20, stream_share=0.5) as load:
            await eventually(lambda: len(load.finished) > 100, 15)
            donut.process.terminate()
            assert await donut.ends() == 0
        rows = {row["id"]: row for row in donut.rows()}
        assert load.finished.keys() <= rows.keys()
        assert {rows[id_]["status"] for id_ in load.finished} == {"ok"}
        assert list(tmp_path.glob("*.spill-*")) == []
        # What was refused at the door was refused by the kernel, not in the middle of an answer.
        assert all(failure.startswith(("ConnectError", "RemoteProtocolError", "ReadError")) for failure in load.failed), load.failed
        assert donut.events, "standard error is JSON lines to the end"


async def test_b4_open_streams_end_well_within_the_drain_and_honestly_after_it(tmp_path: Path) -> None:
    """Three streams are open at SIGTERM: one ends by itself in time, one does not, one has a client that does not read."""

    async def says(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        content = json.loads(request.body)["messages"][0]["content"]
        if content == "flood":
            writer.write(Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(ROLE))
            for _ in range(4000):
                writer.write(Framing.CHUNKED.piece(chunk(content="x" * 4000)))
                await writer.drain()
        else:
            await streaming(0.05, {"short": 10, "long": 10_000}[content])(request, writer)

    def asking(content: str) -> object:
        return ask(messages=[{"role": "user", "content": content}])

    config = config_for(0, more="server: {drain_seconds: 1}")
    async with ScriptedUpstream(says) as upstream:
        async with (
            DonutProcess(tmp_path, config.replace(":0/", f":{upstream.port}/")) as donut,
            RawClient(donut.port) as short,
            RawClient(donut.port) as long,
            RawClient(donut.port) as slow,
        ):
            short.send(asking("short"))
            long.send(asking("long"))
            slow.send(asking("flood"))
            heads = [await client.read_head() for client in (short, long, slow)]
            donut.process.terminate()
            await asyncio.gather(short.read_body(heads[0]), long.read_body(heads[1]))
            assert await donut.ends(10) == 0
        short_answer, long_answer, _ = heads
        assert short_answer.is_complete
        assert short_answer.body.endswith(DONE)
        assert b'"error"' not in short_answer.body
        # One error event in the client's dialect, and a stream that is never dressed up as finished.
        assert b'"finish_reason":"stop"' not in long_answer.body
        assert long_answer.body.count(b'"error"') == 1
        assert b"shutting_down" in long_answer.body
        rows = {row["id"]: row for row in read_rows(tmp_path / "donut.db")}
        status = [rows[head.headers["x-donut-decision"]]["status"] for head in heads]
        assert status == ["ok", "truncated", "truncated"]
        assert b"Traceback" not in b"".join(donut.stderr)
        assert donut.events, "standard error is JSON lines to the end"


@pytest.mark.slow
async def test_b4_sigkill_loses_at_most_the_last_half_second(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream, DonutProcess(tmp_path, config_for(upstream.port)) as donut:
        async with Load(donut.url, 8) as load:
            await eventually(lambda: len(load.finished) > 500, 20)
            await asyncio.sleep(0.7)
            killed_at = time.time()
            donut.process.kill()
            assert await donut.ends() == -signal.SIGKILL
        rows = {row["id"] for row in donut.rows()}
        lost = [killed_at - at for id_, at in load.finished.items() if id_ not in rows]
        assert max(lost, default=0) <= 0.5
        assert len(rows) >= 300
    # The journal is whole, and the next process takes it over.
    async with ScriptedUpstream(saying(WHOLE)) as upstream, DonutProcess(tmp_path, config_for(upstream.port)) as donut:
        got = await donut.client.post(CHAT, json=REQUEST)
        await donut.wait_for_rows(len(rows) + 1)
        assert got.status_code == 200
        connection = sqlite3.connect(donut.journal)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


async def test_b4_a_second_sigint_does_not_wait_for_streams(tmp_path: Path) -> None:
    async with ScriptedUpstream(streaming(0.05, 10_000)) as upstream, DonutProcess(tmp_path, config_for(upstream.port)) as donut:
        async with RawClient(donut.port) as client:
            client.send(ask())
            head = await client.read_head()
            donut.process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.3)
            assert donut.process.returncode is None
            donut.process.send_signal(signal.SIGINT)
            assert await donut.ends(5) == 0
        assert [row["id"] for row in read_rows(donut.journal)] == [head.headers["x-donut-decision"]]


# B5, B8, E1: a store that refuses


@pytest.mark.slow
async def test_b8_a_locked_journal_fails_no_request_and_loses_no_row(tmp_path: Path) -> None:
    """Three seconds of load rather than the thirty of the requirement: the writer's back-off has then reached its longest wait."""
    async with ScriptedUpstream(saying(WHOLE)) as upstream, DonutProcess(tmp_path, config_for(upstream.port)) as donut:
        assert (await donut.client.post(CHAT, json=REQUEST)).status_code == 200
        await donut.wait_for_rows(1)
        other = sqlite3.connect(donut.journal, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        async with Load(donut.url, 4) as load:
            await asyncio.sleep(3)
            before = len(load.finished)
            assert len(donut.rows()) == 1
            other.execute("ROLLBACK")
            other.close()
            await eventually(lambda: len(load.finished) > before, 5)
        assert load.failed == []
        await donut.wait_for_rows(1 + len(load.finished), 10)
        assert load.finished.keys() <= {row["id"] for row in donut.rows()}
        # One line per transition, not per try.
        assert [line["event"] for line in donut.events if line["event"].startswith("journal_")] == ["journal_failing", "journal_recovered"]


async def test_b8_donut_starts_while_the_journal_is_locked(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream:
        async with DonutProcess(tmp_path, config_for(upstream.port)) as donut:
            await donut.client.post(CHAT, json=REQUEST)
            await donut.wait_for_rows(1)
        other = sqlite3.connect(tmp_path / "donut.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with DonutProcess(tmp_path, config_for(upstream.port)) as donut:
            assert (await donut.client.post(CHAT, json=REQUEST)).status_code == 200
            other.execute("ROLLBACK")
            other.close()
            await donut.wait_for_rows(2)


async def test_b4_what_a_locked_journal_kept_out_is_spilled_at_the_end_and_taken_in_at_the_next_start(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream:
        async with DonutProcess(tmp_path, config_for(upstream.port)) as donut:
            await donut.client.post(CHAT, json=REQUEST)
            await donut.wait_for_rows(1)
            other = sqlite3.connect(donut.journal, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            answers = [await donut.client.post(CHAT, json=REQUEST) for _ in range(3)]
            donut.process.terminate()
            assert await donut.ends() == 0
            other.execute("ROLLBACK")
            other.close()
        assert len(list(tmp_path.glob("donut.db.spill-*.jsonl"))) == 1
        assert len(read_rows(tmp_path / "donut.db")) == 1
        async with DonutProcess(tmp_path, config_for(upstream.port)) as donut:
            rows = {row["id"]: row for row in await donut.wait_for_rows(4)}
        assert {got.headers["x-donut-decision"] for got in answers} <= rows.keys()
        assert all(row["decision"] for row in rows.values())
        assert list(tmp_path.glob("donut.db.spill-*")) == []


async def test_b5_a_full_disk_fails_no_request(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the full disk: SQLite is refused each byte beyond it, and gets room again when it is lifted."""
    async with ScriptedUpstream(saying(WHOLE)) as upstream, DonutProcess(tmp_path, config_for(upstream.port)) as donut:
        assert (await donut.client.post(CHAT, json=REQUEST)).status_code == 200
        await donut.wait_for_rows(1)
        limit = resource.prlimit(donut.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        answers = [await donut.client.post(CHAT, json=REQUEST) for _ in range(50)]
        await donut.said("journal_failing")
        assert {got.status_code for got in answers} == {200}
        assert (await donut.client.get("/healthz")).status_code == 200
        resource.prlimit(donut.process.pid, resource.RLIMIT_FSIZE, limit)
        rows = await donut.wait_for_rows(51, 10)
        assert {got.headers["x-donut-decision"] for got in answers} <= {row["id"] for row in rows}
        await donut.said("journal_recovered")


async def test_b5_memory_for_waiting_rows_is_bounded_and_the_overflow_is_counted(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(WHOLE)) as upstream,
        Donut(with_state(config_for(upstream.port), tmp_path / "donut.db", "queue_mb: 0.1"), tmp_path) as donut,
    ):
        await donut.client.post(CHAT, json=REQUEST)
        await donut.wait_for_rows(1)
        other = sqlite3.connect(donut.journal, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(60):
            assert (await donut.client.post(CHAT, json=REQUEST)).status_code == 200
        state = donut.runtime.journal.snapshot()
        assert state.pending_bytes <= 0.1 * 1024 * 1024
        assert state.dropped > 0
        assert state.dropped + state.pending == 60
        other.execute("ROLLBACK")
        other.close()
        await donut.wait_for_rows(1 + state.pending)
        assert donut.runtime.journal.snapshot().dropped == state.dropped
        await eventually(lambda: len(donut.lines) == 61)  # the log has every one of them


async def test_e1_a_stuck_journal_does_not_hold_up_the_end_for_ever(tmp_path: Path) -> None:
    """Not refused but never answered: the writer's thread waits inside SQLite. Everything is bounded all the same."""
    async with ScriptedUpstream(saying(WHOLE)) as upstream, DonutProcess(tmp_path, config_for(upstream.port)) as donut:
        await donut.client.post(CHAT, json=REQUEST)
        await donut.wait_for_rows(1)
        other = sqlite3.connect(donut.journal, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(20):
            began = time.monotonic()
            assert (await donut.client.post(CHAT, json=REQUEST)).status_code == 200
            assert time.monotonic() - began < 5  # a request that waited for the store would wait for as long as the lock lasts
        donut.process.terminate()
        assert await donut.ends(15) == 0
        other.close()


# E3: retention


async def test_e3_rows_that_are_too_old_go_and_the_others_stay(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream:
        config = with_state(config_for(upstream.port), tmp_path / "donut.db", "retention_days: 30")
        async with Donut(config, tmp_path) as donut:
            for _ in range(4):
                await donut.client.post(CHAT, json=REQUEST)
            ids = [row["id"] for row in await donut.wait_for_rows(4)]
        connection = sqlite3.connect(donut.journal)
        for id_, days in zip(ids, (400, 31, 29, 0), strict=True):
            connection.execute("UPDATE exchanges SET started_at = started_at - ? WHERE id = ?", (days * 86400, id_))
        connection.commit()
        connection.close()
        async with Donut(config, tmp_path) as donut:
            await eventually(lambda: len(donut.rows()) == 2, 5)
            assert [row["id"] for row in donut.rows()] == ids[2:]
            assert {row["exchange_id"] for row in donut.rows("attempts")} == set(ids[2:])


# F1: nothing is left over


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_f1_after_many_requests_with_aborts_nothing_is_left_open(tmp_path: Path) -> None:
    """A short stand-in for the soak: 500 requests, a fifth of which are hung up on at a random moment."""
    chance = random.Random(7)
    upstream_says = either(streaming(0.002, 5), saying(WHOLE))
    async with ScriptedUpstream(upstream_says) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:

        async def one(stream: bool, aborts: bool, after_s: float) -> None:
            async with RawClient(donut.port) as client:
                client.send({**REQUEST, "stream": stream})
                if aborts:
                    await asyncio.sleep(after_s)
                    client.close(End.RST if after_s > 0.01 else End.FIN)
                else:
                    await client.read_body(await client.read_head())

        async def burst(count: int) -> None:
            wishes = [(chance.random() < 0.5, chance.random() < 0.2, chance.random() * 0.02) for _ in range(count)]
            await asyncio.gather(*(one(*wish) for wish in wishes))

        async def at_rest(rows: int) -> tuple[int, int, int]:
            await donut.wait_for_rows(rows, 10)
            await eventually(lambda: donut.in_flight == 0 and donut.open_reservations == 0, 5)
            upstream.close_connections()
            await eventually(lambda: upstream.connections_open == 0, 5)
            await asyncio.sleep(0.1)
            gc.collect()
            return open_files(), len(asyncio.all_tasks()), len(donut._server.server_state.connections)

        await burst(50)
        before = await at_rest(50)
        for _ in range(9):
            await burst(50)
        assert await at_rest(500) == before
        statuses = [row["status"] for row in donut.rows()]
        assert len(statuses) == 500
        assert set(statuses) <= {"ok", "client_gone"}
        assert "client_gone" in statuses
        fleet = donut.runtime.gateway.serving.router.fleet
        state = fleet.state("p0/up-model")
        assert (state.in_flight, fleet.tokens_reserved(), state.failed) == (0, {}, 0)


# F2: reloading


async def test_f2_a_reload_breaks_none_of_a_hundred_streams(tmp_path: Path) -> None:
    """The new config has another key, another upstream and no longer the old one: open streams end as they began."""
    gate = asyncio.Event()

    async def gated(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(ROLE + chunk(content="before ")))
        await gate.wait()
        writer.write(Framing.CHUNKED.piece(chunk(content="after") + STOP + DONE) + Framing.CHUNKED.ending)

    async with ScriptedUpstream(gated) as old, ScriptedUpstream(saying(WHOLE)) as new, Donut(config_for(old.port), tmp_path) as donut:
        clients = [RawClient(donut.port) for _ in range(100)]
        heads = await asyncio.gather(*(_started(client) for client in clients))
        assert donut.in_flight == 100
        await donut.reload(config_for(new.port, more="server: {api_keys: [a-new-key-for-clients]}").replace("p0", "q0"))
        refused = await donut.client.post(CHAT, json=REQUEST)
        taken = await donut.client.post(CHAT, json=REQUEST, headers={"authorization": "Bearer a-new-key-for-clients"})
        assert (refused.status_code, taken.status_code, taken.headers["x-donut-replica"]) == (401, 200, "q0/up-model")
        gate.set()
        await asyncio.gather(*(client.read_body(head) for client, head in zip(clients, heads, strict=True)))
        assert all(head.is_complete and head.body.endswith(DONE) and b"after" in head.body for head in heads)
        rows = await donut.wait_for_rows(101)
        assert sorted(row["replica_id"] for row in rows) == ["p0/up-model"] * 100 + ["q0/up-model"]
        assert {row["status"] for row in rows} == {"ok"}
        assert (donut.in_flight, donut.open_reservations) == (0, 0)
        for client in clients:
            client.close()


async def _started(client: RawClient) -> RawAnswer:
    await client.__aenter__()
    client.send(ask())
    head = await client.read_head()
    head.frames.append(await client.read_frame())
    return head


async def test_f2_a_reload_that_changes_nothing_keeps_connections_and_belief(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await donut.client.post(CHAT, json=REQUEST)
        await donut.reload(config_for(upstream.port))
        await donut.client.post(CHAT, json=REQUEST)
        assert upstream.connections_made == 1
        assert donut.runtime.gateway.serving.router.fleet.state("p0/up-model").finished == 2


# The clock


@pytest.mark.parametrize("step_s", [-86400.0, 86400.0])
async def test_a_step_of_the_wall_clock_makes_no_duration_wrong(tmp_path: Path, step_s: float) -> None:
    shift = 0.0

    async def stepping(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        nonlocal shift
        shift = step_s
        await streaming(0.01, 3)(request, writer)

    async with ScriptedUpstream(stepping) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        donut.runtime.gateway.wall = lambda: time.time() + shift
        before = time.time()
        assert (await donut.client.post(CHAT, json=ask())).status_code == 200
        assert (await donut.client.post(CHAT, json=ask(), headers={"x-donut-deadline-ms": "5000"})).status_code == 200
        rows = await donut.wait_for_rows(2)
        attempts = donut.rows("attempts")
    for row in rows:
        assert 0 < row["total_s"] < 5
    for attempt in attempts:
        durations = [attempt[name] for name in ("queue_s", "connect_s", "ttft_s", "between_tokens_s", "total_s")]
        assert all(0 <= duration < 5 for duration in durations), durations
    assert rows[0]["started_at"] == pytest.approx(before, abs=5)
    assert rows[1]["started_at"] == pytest.approx(before + step_s, abs=5)
