"""The load generator: asks one workload of one URL for some seconds and prints what it saw as JSON. Runs as a process of its own.

usage: python -m scripts.benchmark.load URL WORKLOAD [--seconds 2] [--warmup 0.5] [--pid PID] [--beside PID]
With --pid also the CPU that this process and its descendants used over the measured part. --beside names the mock upstream: what the
machine did besides these and the generator itself is foreign, and spoils the figures (see `foreign_share`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from typing import cast
from urllib.parse import urlsplit

import uvloop

from scripts.benchmark.meter import cpu_s, machine_busy_s, rss_mb
from scripts.benchmark.workload import WORKLOADS, Workload, raw_request

TIMEOUT_S = 60.0
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight. Looks for the answer's end only: it must cost little."""

    def __init__(self) -> None:
        self.is_closed = False
        self._answered: asyncio.Future[bool] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its bases

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._finish(False)

    def ask(self, raw: bytes) -> asyncio.Future[bool]:
        """Resolves to whether a complete 200 came back."""
        assert self._transport is not None
        self._head: bytes | None = None
        self._tail = b""
        self._left: int | None = None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        return self._answered

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._head is None:
            self._tail += data
            end = self._tail.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head, data, self._tail = self._tail[:end].lower(), self._tail[end + 4 :], b"\r\n"
            at = self._head.find(b"\r\ncontent-length:")
            self._left = int(self._head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else None
        if self._left is not None:
            self._left -= len(data)
            is_complete = self._left <= 0
        else:
            self._tail = (self._tail + data)[-len(LAST_CHUNK) :]
            is_complete = self._tail == LAST_CHUNK
        if is_complete:
            self._finish(self._head.startswith(b"http/1.1 200"))

    def _finish(self, is_good: bool) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(is_good)


class Load:
    """Keeps `workload.connections` requests in flight until a moment, each connection asking again as soon as it was answered."""

    def __init__(self, url: str, workload: Workload) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._raw = raw_request(workload, url)
        self._count = workload.connections
        self.latencies_s: list[float] = []
        self.errors = 0

    async def run(self, seconds: float) -> None:
        stop_s = time.perf_counter() + seconds
        await asyncio.gather(*(self._ask_until(stop_s) for _ in range(self._count)))

    async def _ask_until(self, stop_s: float) -> None:
        connection: Connection | None = None
        while time.perf_counter() < stop_s:
            try:
                if connection is None or connection.is_closed:
                    _, connection = await asyncio.get_running_loop().create_connection(Connection, self._host, self._port)
                started_s = time.perf_counter()
                async with asyncio.timeout(TIMEOUT_S):
                    is_good = await connection.ask(self._raw)
            except (OSError, TimeoutError):
                is_good = False
            if is_good:
                self.latencies_s.append(time.perf_counter() - started_s)
                continue
            self.errors += 1
            if connection is not None:
                connection.close()
            connection = None
            await asyncio.sleep(0.01)
        if connection is not None:
            connection.close()


async def measure(
    url: str, workload: Workload, seconds: float, warmup_s: float, *, pids: list[int], beside: list[int]
) -> dict[str, float | int | None]:
    await Load(url, workload).run(warmup_s)
    load = Load(url, workload)
    ours = [*pids, *beside, os.getpid()]
    cpu_before_s, ours_before_s, busy_before_s, started_s = cpu_s(pids), cpu_s(ours), machine_busy_s(), time.perf_counter()
    await load.run(seconds)
    elapsed_s, used_s = time.perf_counter() - started_s, cpu_s(pids) - cpu_before_s
    foreign_s = (machine_busy_s() - busy_before_s) - (cpu_s(ours) - ours_before_s)
    latencies = sorted(load.latencies_s)
    good = len(latencies)

    def quantile_ms(share: float) -> float | None:
        return round(latencies[min(good - 1, int(good * share))] * 1e3, 4) if latencies else None

    per = good * (workload.chunks if workload.per_chunk else 1)
    return {
        "requests": good,
        "errors": load.errors,
        "requests_per_s": round(good / elapsed_s, 1),
        "p50_ms": quantile_ms(0.50),
        "p99_ms": quantile_ms(0.99),
        "cpu_us": round(used_s / per * 1e6, 2) if pids and per else None,
        "rss_mb": round(rss_mb(pids), 1) if pids else None,
        # Of one core. Somebody else's work takes turns, cache and memory bandwidth: it doubled nginx's CPU per 64 KB request here.
        "foreign_share": round(max(0.0, foreign_s / elapsed_s), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask one workload of one URL for some seconds; prints JSON.")
    parser.add_argument("url")
    parser.add_argument("workload", choices=[workload.name for workload in WORKLOADS])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--warmup", type=float, default=0.5)
    parser.add_argument("--pid", type=int, action="append", default=[])
    parser.add_argument("--beside", type=int, action="append", default=[])
    options = parser.parse_args()
    workload = next(workload for workload in WORKLOADS if workload.name == options.workload)
    figures = measure(options.url, workload, options.seconds, options.warmup, pids=options.pid, beside=options.beside)
    print(json.dumps(uvloop.run(figures)))


if __name__ == "__main__":
    main()
