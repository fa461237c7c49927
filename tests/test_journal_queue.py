from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from proxy.journal.queue import JournalQueue
from proxy.journal.records import ExchangeRecord
from proxy.journal.rows import Rows
from proxy.journal.sqlite import SqliteStore
from tests.journal_samples import exchange

ROOT = Path(__file__).resolve().parent.parent


def ids(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT id FROM exchanges ORDER BY id")]
    finally:
        connection.close()


async def until(condition: Callable[[], bool], within_s: float = 8.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


async def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    await store.open()
    return store


async def test_rows_arrive_in_batches_without_being_asked_for(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    queue = JournalQueue(store, flush_s=0.05, log_s=0.01)
    await queue.start()
    for n in range(1200):
        queue.put(exchange(n))
    await until(lambda: queue.snapshot().written == 1200)
    queue.put(exchange(1200))
    await until(lambda: queue.snapshot().written == 1201)
    state = queue.snapshot()
    assert (state.pending, state.pending_bytes, state.dropped, state.failing_since) == (0, 0, 0, None)
    await queue.aclose(5)
    await store.close()
    assert len(ids(tmp_path / "j.db")) == 1201


async def test_on_batch_sees_every_record_once_before_it_is_written(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    seen: list[str] = []

    def on_batch(records: Sequence[ExchangeRecord]) -> None:
        assert not set(ids(tmp_path / "j.db")) & {record.id for record in records}
        seen.extend(record.id for record in records)

    queue = JournalQueue(store, flush_s=0.05, log_s=0.01, on_batch=on_batch)
    await queue.start()
    for n in range(700):
        queue.put(exchange(n))
        if n % 50 == 0:
            await asyncio.sleep(0.002)
    await queue.aclose(5)
    await store.close()
    assert seen == [f"d{n:06d}" for n in range(700)]


async def test_log_lines_do_not_wait_for_a_store_that_is_locked(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    seen: list[str] = []
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01, on_batch=lambda records: seen.extend(record.id for record in records))
    await queue.start()
    queue.put(exchange(0))
    await until(lambda: queue.snapshot().failing_since is not None)
    queue.put(exchange(1))
    await until(lambda: len(seen) == 2)
    assert queue.snapshot().written == 0
    other.execute("ROLLBACK")
    other.close()
    await queue.aclose(5)
    await store.close()
    assert seen == ids(tmp_path / "j.db")


async def test_a_crowd_is_announced_in_slices_between_which_others_have_their_turn(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    slices: list[list[str]] = []
    queue = JournalQueue(store, log_s=0.01, on_batch=lambda records: slices.append([record.id for record in records]))
    await queue.start()
    for n in range(1000):
        queue.put(exchange(n))
    assert not slices
    await until(lambda: sum(map(len, slices)) == 1000)
    assert max(map(len, slices)) <= 1000 // 4
    assert [id_ for some in slices for id_ in some] == [f"d{n:06d}" for n in range(1000)]
    queue.put(exchange(1000))
    await queue.aclose(5)
    await store.close()
    assert slices[-1] == ["d001000"]
    assert len(ids(tmp_path / "j.db")) == 1001


async def test_a_record_is_let_go_when_it_was_announced_and_its_rows_wait_alone(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    queue = JournalQueue(store, flush_s=10, log_s=0.01)
    await queue.start()
    record = exchange()
    dropped = weakref.ref(record)
    queue.put(record)
    del record
    unannounced = queue.snapshot()
    assert (unannounced.pending, dropped() is None) == (1, False)
    await until(lambda: dropped() is None)
    announced = queue.snapshot()
    assert (announced.pending, announced.written) == (1, 0)
    assert 0 < announced.pending_bytes < unannounced.pending_bytes
    await queue.aclose(5)
    await store.close()
    assert ids(tmp_path / "j.db") == ["d000000"]


async def test_an_on_batch_that_breaks_does_not_break_the_journal(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")

    def on_batch(records: Sequence[ExchangeRecord]) -> None:
        raise RuntimeError("the log is broken")

    queue = JournalQueue(store, flush_s=0.02, log_s=0.01, on_batch=on_batch)
    await queue.start()
    queue.put(exchange())
    await until(lambda: queue.snapshot().written == 1)
    await queue.aclose(5)
    await store.close()


async def test_b8_a_locked_database_delays_rows_and_nothing_else(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    queue = JournalQueue(store, flush_s=0.05, log_s=0.01)
    await queue.start()
    other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with capture_logs() as logs:
        locked_until = time.monotonic() + 2.0
        slowest_s, count = 0.0, 0
        while time.monotonic() < locked_until:
            before = time.perf_counter()
            queue.put(exchange(count))
            slowest_s = max(slowest_s, time.perf_counter() - before)
            count += 1
            await asyncio.sleep(0.002)
        state = queue.snapshot()
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: queue.snapshot().written == count)
    assert state.written == 0
    assert state.pending == count
    assert state.failing_since is not None
    assert slowest_s < 1.0  # a put that waited for the lock would have taken two seconds
    assert queue.snapshot().failing_since is None
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["journal_failing", "journal_recovered"]
    await queue.aclose(5)
    await store.close()
    assert len(ids(tmp_path / "j.db")) == count


async def test_b5_beyond_the_cap_the_newest_is_dropped_and_counted(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01, max_bytes=100_000)
    await queue.start()
    for n in range(1000):
        queue.put(exchange(n))
    state = queue.snapshot()
    assert state.pending + state.dropped == 1000
    assert 0 < state.pending_bytes <= 100_000
    other.execute("ROLLBACK")
    other.close()
    await until(lambda: queue.snapshot().pending == 0)
    queue.put(exchange(2000))
    await queue.aclose(5)
    await store.close()
    assert ids(tmp_path / "j.db") == [f"d{n:06d}" for n in range(state.pending)] + ["d002000"]
    assert queue.snapshot().dropped == state.dropped


async def test_b4_closing_writes_everything_and_refuses_what_comes_later(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    queue = JournalQueue(store, flush_s=10, log_s=10)
    await queue.start()
    for n in range(1700):
        queue.put(exchange(n))
    await queue.aclose(5)
    queue.put(exchange(9999))
    assert queue.snapshot().dropped == 1
    await queue.aclose(5)
    await store.close()
    assert len(ids(tmp_path / "j.db")) == 1700


async def test_b4_what_can_not_be_written_at_the_end_is_there_after_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    store = await opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01, spill_beside=path)
    await queue.start()
    for n in range(40):
        queue.put(exchange(n))
    await queue.aclose(0.3)
    state = queue.snapshot()
    assert (state.spilled, state.pending, state.pending_bytes, state.dropped) == (40, 0, 0, 0)
    (spill,) = tmp_path.glob(f"j.db.spill-{os.getpid()}-*.jsonl")
    assert spill.stat().st_mode & 0o777 == 0o600
    await store.close()

    again = await opened(path)
    locked_out = JournalQueue(again, spill_beside=path)
    await locked_out.start()  # still locked: the file waits for better times
    assert spill.exists()
    await locked_out.aclose(1)
    other.execute("ROLLBACK")
    other.close()
    second = JournalQueue(again, spill_beside=path)
    await second.start()
    assert not spill.exists()
    assert len(ids(path)) == 40
    await second.aclose(1)
    await again.close()


async def test_what_can_not_even_be_spilled_is_counted(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01, spill_beside=tmp_path / "gone" / "j.db")
    await queue.start()
    queue.put(exchange())
    with capture_logs() as logs:
        await queue.aclose(0.1)
    assert queue.snapshot().dropped == 1
    assert [line["event"] for line in logs][-2:] == ["journal_spill_failed", "journal_records_lost"]
    other.close()
    await store.close()


async def test_a_record_that_is_a_bug_takes_no_other_with_it(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01)
    await queue.start()
    broken = exchange(1)
    broken.status = None  # type: ignore[assignment]
    for record in (exchange(0), broken, exchange(2)):
        queue.put(record)
    await until(lambda: queue.snapshot().pending == 0)
    assert (queue.snapshot().written, queue.snapshot().dropped) == (2, 1)
    await queue.aclose(1)
    await store.close()
    assert ids(tmp_path / "j.db") == ["d000000", "d000002"]


async def test_rows_that_a_store_stumbles_over_take_no_others_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened(tmp_path / "j.db")
    write = store.write

    async def stumble(batch: Sequence[Rows]) -> None:
        if any(rows.id == "d000001" for rows in batch):
            raise RuntimeError("a bug")
        await write(batch)

    monkeypatch.setattr(store, "write", stumble)
    queue = JournalQueue(store, flush_s=0.02, log_s=0.01)
    await queue.start()
    for n in range(3):
        queue.put(exchange(n))
    await until(lambda: queue.snapshot().pending == 0)
    assert (queue.snapshot().written, queue.snapshot().dropped, queue.snapshot().pending_bytes) == (2, 1, 0)
    await queue.aclose(1)
    await store.close()
    assert ids(tmp_path / "j.db") == ["d000000", "d000002"]


# --- in a process of its own: killed, stopped, out of disk ---

PRELUDE = """
import asyncio, json, resource, signal, sys, time
from pathlib import Path
from proxy.journal.queue import JournalQueue
from proxy.journal.sqlite import SqliteStore
from tests.journal_samples import exchange

async def main(path):
    store = SqliteStore(path)
    await store.open()
    queue = JournalQueue(store, spill_beside=path, max_bytes=2_000_000)
    await queue.start()
    await scene(store, queue, path)

"""

PUT_UNTIL_TERM = """
async def scene(store, queue, path):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    n = 0
    while not stop.is_set():
        for _ in range(5):
            queue.put(exchange(n))
            n += 1
        print(n, time.time(), flush=True)
        await asyncio.sleep(0.005)
    await queue.aclose(5)
    await store.close()
"""

FILL_THE_DISK = """
async def scene(store, queue, path):
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))  # writes beyond fail like those on a full disk
    n = 0
    async def put_until(condition):
        nonlocal n
        while not condition(queue.snapshot()):
            queue.put(exchange(n))
            n += 1
            await asyncio.sleep(0.0002)
    await put_until(lambda state: state.failing_since is not None)
    full = queue.snapshot()
    await put_until(lambda state: state.dropped > 10)
    overflown = queue.snapshot()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    while queue.snapshot().pending:
        await asyncio.sleep(0.01)
    recovered = queue.snapshot()
    await queue.aclose(5)
    await store.close()
    print(json.dumps({"put": n, **{name: [state.written, state.dropped, state.pending, state.pending_bytes, state.failing_since]
        for name, state in (("full", full), ("overflown", overflown), ("recovered", recovered))}}))
"""


def start(scene: str, path: Path) -> subprocess.Popen[str]:
    script = f"{PRELUDE}{scene}\nasyncio.run(main(Path(sys.argv[1])))"
    # The logger's lines go to stdout by default; the scenes print there, so silence it.
    script = f"import structlog\nstructlog.configure(logger_factory=structlog.ReturnLoggerFactory())\n{script}"
    return subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def run_for(process: subprocess.Popen[str], seconds: float, end: signal.Signals) -> tuple[str, float]:
    """Let the process put rows for a while, then send it `end`; what it printed, and when the signal went."""
    assert process.stdout is not None
    first = await asyncio.to_thread(process.stdout.readline)
    await asyncio.sleep(seconds)
    sent_at = time.time()
    process.send_signal(end)
    rest, _ = await asyncio.to_thread(process.communicate)
    return first + rest, sent_at


async def test_b4_kill_9_loses_no_row_older_than_500_ms(tmp_path: Path) -> None:
    printed, killed_at = await run_for(start(PUT_UNTIL_TERM, tmp_path / "j.db"), 1.5, signal.SIGKILL)
    lines = [line.split() for line in printed.splitlines() if line.count(" ") == 1]
    old_enough = [int(count) for count, at in lines if float(at) <= killed_at - 0.5]
    assert old_enough[-1] > 100
    store = await opened(tmp_path / "j.db")
    await store.close()
    survivors = ids(tmp_path / "j.db")
    assert survivors == [f"d{n:06d}" for n in range(len(survivors))]
    assert len(survivors) >= old_enough[-1]


async def test_b4_sigterm_loses_no_row(tmp_path: Path) -> None:
    printed, _ = await run_for(start(PUT_UNTIL_TERM, tmp_path / "j.db"), 0.7, signal.SIGTERM)
    assert len(ids(tmp_path / "j.db")) == int(printed.splitlines()[-1].split()[0])


async def test_b5_a_full_disk_fills_the_queue_to_its_cap_and_recovery_drains_it(tmp_path: Path) -> None:
    process = start(FILL_THE_DISK, tmp_path / "j.db")
    printed, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    result = json.loads(printed)
    written, dropped, pending, pending_bytes, failing_since = result["overflown"]
    assert failing_since is not None
    assert result["full"][2] < pending
    assert 0 < pending_bytes <= 2_000_000
    assert dropped > 10
    assert written == result["full"][0]  # nothing got through while the disk was full
    written, dropped, pending, pending_bytes, failing_since = result["recovered"]
    assert (pending, pending_bytes, failing_since) == (0, 0, None)
    assert written + dropped == result["put"]
    assert len(ids(tmp_path / "j.db")) == written


async def test_a_queue_without_work_has_no_timer_and_ends_at_once(tmp_path: Path) -> None:
    store = await opened(tmp_path / "j.db")
    queue = JournalQueue(store)
    await queue.start()
    await asyncio.sleep(0)
    before = time.monotonic()
    await queue.aclose(30)
    assert time.monotonic() - before < 10
    await store.close()
