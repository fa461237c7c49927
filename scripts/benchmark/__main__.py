"""Runs the benchmark: compiles the mock upstream, starts the contestants beside it, measures them in turns, prints the table.

The contestants share one core, of which whoever is asked has all: the others sleep. The upstream and the load generator share another one.
Each round asks every contestant, so that a machine that grows slower or noisier does so for all of them. Figures are the median of several
rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from routing.headroom.limits import NO_LIMITS
from scripts.benchmark import decide, translate
from scripts.benchmark.contestants import CACHE, PREPARE, ROOT, Contestant, UnavailableError
from scripts.benchmark.report import Figures, Result, as_json, markdown
from scripts.benchmark.workload import KEY, LATENCY, PATH, WORKLOADS, Workload, mistake, request_body

START_TIMEOUT_S = 120.0
POLL_S = 0.01
STOP_TIMEOUT_S = 10.0


class BenchError(Exception):
    """The bench itself can't run; `str()` says what is missing."""


def cores() -> tuple[str, str]:
    """(the contestant's core, everybody else's), as taskset wants them."""
    if shutil.which("taskset") is None:
        raise BenchError("taskset is missing; on Debian and Ubuntu: apt install util-linux")
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        print("bench: only one core, shared by all: latencies mean little, CPU per request still holds", file=sys.stderr)
    return str(allowed[0]), str(allowed[-1])


def compile_upstream() -> Path:
    """The mock upstream's binary, compiled when its source is newer."""
    source, binary = Path(__file__).parent / "upstream.c", CACHE / "upstream"
    if binary.exists() and binary.stat().st_mtime > source.stat().st_mtime:
        return binary
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise BenchError("no C compiler for the mock upstream; on Debian and Ubuntu: apt install gcc libc6-dev")
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run([compiler, "-O2", "-Wall", "-o", str(binary), str(source)], check=True)
    return binary


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: Sequence[str], core: str, log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The command on one core, its output in `log`; asked to stop at the end, killed when it does not."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", core, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=env, cwd=log.parent
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def ask_once(port: int, workload: Workload) -> tuple[int, bytes]:
    """One request over a fresh connection: (status, body). Raises OSError while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
        connection.request("POST", PATH, request_body(workload), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def seconds_until_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> float:
    """From the start of the process to the end of its first good answer. Raises UnavailableError when it ends or takes too long."""
    started_s = time.perf_counter()
    problem = "it never listened"
    while time.perf_counter() - started_s < START_TIMEOUT_S:
        if process.poll() is not None:
            raise UnavailableError(f"it ended with {process.returncode}: {_last_line(log)}")
        try:
            problem = mistake(WORKLOADS[0], *ask_once(port, WORKLOADS[0])) or ""
            if not problem:
                return time.perf_counter() - started_s
        except (OSError, http.client.HTTPException) as error:
            problem = str(error)
        time.sleep(POLL_S)
    raise UnavailableError(f"no good answer within {START_TIMEOUT_S:.0f} s: {problem}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


class Bench:
    """One run: the same mock upstream, cores, length and rounds for everybody."""

    def __init__(self, folder: Path, rounds: int, seconds: float) -> None:
        self._folder = folder
        self._rounds = rounds
        self._seconds = seconds
        self._contestant_core, self._load_core = cores()
        self._upstream_pid = 0
        self.upstream_port = free_port()

    @contextlib.contextmanager
    def upstream(self) -> Iterator[None]:
        """The mock upstream, from its first answer to the end of the block."""
        command, log = [str(compile_upstream()), str(self.upstream_port)], self._folder / "upstream.log"
        with running(command, self._load_core, log) as process:
            seconds_until_answer(process, self.upstream_port, log)
            self._upstream_pid = process.pid
            yield

    def run(self, names: Sequence[str]) -> tuple[list[Result], dict[str, str]]:
        """(what was measured, `direct` first; who of `names` can't be installed or started, and why)."""
        # Nobody stands between the load generator and the mock upstream: what latencies are measured from.
        results: list[tuple[Result, Contestant, int | None]] = [
            (Result("direct", ""), Contestant("direct", "", (), self.upstream_port), None)
        ]
        skipped: dict[str, str] = {}
        with contextlib.ExitStack() as stack:
            for name in names:
                try:
                    results.append(self._start(stack, name))
                except UnavailableError as reason:
                    skipped[name] = str(reason)
            for workload in WORKLOADS:
                self._measure(workload, [each for each in results if workload.name == LATENCY or each[2] is not None])
        return [result for result, _, _ in results], skipped

    def _start(self, stack: contextlib.ExitStack, name: str) -> tuple[Result, Contestant, int]:
        """A contestant that runs until `stack` ends, and its process id. Raises UnavailableError when it can't be installed or started."""
        print(f"bench: {name}: start", file=sys.stderr)
        folder = self._folder / name
        folder.mkdir()
        contestant: Contestant = PREPARE[name](folder, free_port(), self.upstream_port)
        result = Result(name, contestant.version)
        log = folder / "log"
        process = stack.enter_context(running(contestant.command, self._contestant_core, log, {**os.environ, **contestant.env}))
        result.start_s = round(seconds_until_answer(process, contestant.port, log), 3)
        return result, contestant, process.pid

    def _measure(self, workload: Workload, asked: Sequence[tuple[Result, Contestant, int | None]]) -> None:
        """All rounds of one workload: the raw figures and each one's median go into the results."""
        for number in range(self._rounds * workload.times_rounds):
            for result, contestant, pid in asked:
                if workload.name in result.broken:
                    continue
                print(f"bench: {workload.title}, round {number + 1}: {result.name}", file=sys.stderr)
                problem = self._try(contestant, workload) if number == 0 else None
                if problem is None:
                    figures = self._round(contestant.url, workload, pid)
                    result.rounds.setdefault(workload.name, []).append(figures)
                    problem = f"{figures['errors']} requests failed under load" if figures["errors"] else None
                if problem is not None:
                    result.broken[workload.name] = problem
        for result, _, _ in asked:
            if rounds := result.rounds.get(workload.name):
                result.figures[workload.name] = _medians(rounds)

    @staticmethod
    def _try(contestant: Contestant, workload: Workload) -> str | None:
        """What is wrong with its answer, if anything."""
        try:
            return mistake(workload, *ask_once(contestant.port, workload))
        except (OSError, http.client.HTTPException) as error:
            return f"no complete answer: {error}"

    def _round(self, url: str, workload: Workload, pid: int | None) -> Figures:
        command = ["taskset", "--cpu-list", self._load_core, sys.executable, "-m", "scripts.benchmark.load", url, workload.name]
        command += ["--seconds", str(self._seconds), "--warmup", str(self._seconds / 4)]
        command += ["--beside", str(self._upstream_pid)]
        command += ["--pid", str(pid)] if pid is not None else []
        output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        figures: dict[str, float | int | None] = json.loads(output)
        return figures


def _medians(rounds: Sequence[Figures]) -> Figures:
    median: dict[str, float | int | None] = {}
    for key in rounds[0]:
        values = [value for figures in rounds if (value := figures[key]) is not None]
        median[key] = statistics.median(values) if values else None
    return median


def machine() -> dict[str, Any]:
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def decisions(json_file: str | None) -> None:
    """The router alone, on whatever core it gets."""
    figures = [decide.measure(size, limits) for size in decide.SIZES for limits in (NO_LIMITS, decide.LIMITS)]
    print(f"One decision, {', '.join(f'{key} {value}' for key, value in machine().items())}\n\n{decide.markdown(figures)}")
    if json_file:
        report = {"machine": machine(), "decide": [each._asdict() for each in figures]}
        Path(json_file).write_text(json.dumps(report, indent=2) + "\n")


def translations(json_file: str | None) -> None:
    """The codecs alone, beside other translators. Exits with 1 when donut is over its budget."""
    given = translate.corpus()
    donut = translate.measure_donut(given)
    results, skipped = [donut], dict[str, str]()
    with tempfile.TemporaryDirectory(prefix="donut-bench-") as folder:
        peers = {"linguafranca": translate.measure_linguafranca(given), "litellm": translate.measure_litellm(given, Path(folder))}
    for name, found in peers.items():
        if isinstance(found, str):
            skipped[name] = found
        else:
            results.append(found)
    about = ", ".join(f"{key} {value}" for key, value in machine().items())
    print(f"CPU per translated event and per translated request, {about}\n\n{translate.markdown(results, skipped)}")
    if json_file:
        figures = [
            {
                "name": each.name,
                "per_event_us": {" ".join(key): us for key, us in each.per_event.items()},
                "per_request_us": {" ".join(key): us for key, us in each.per_request.items()},
            }
            for each in results
        ]
        Path(json_file).write_text(json.dumps({"machine": machine(), "translate": figures, "skipped": skipped}, indent=2) + "\n")
    if over := translate.over_budget(donut):
        sys.exit("bench: over budget: " + "; ".join(over))


def main() -> None:
    names = list(PREPARE)
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure donut and its peers in front of the same mock upstream.")
    parser.add_argument("--quick", action="store_true", help="one short round each: rough figures in a minute")
    parser.add_argument("--only", metavar="NAMES", help=f"comma-separated, of: {', '.join(names)}")
    parser.add_argument("--decide", action="store_true", help="measure the router alone: one decision over 1, 50 and 500 replicas")
    parser.add_argument("--translate", action="store_true", help="measure the codecs alone: one streamed event, one request of 64 KB")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    if options.decide:
        decisions(options.json)
        return
    if options.translate:
        translations(options.json)
        return
    wanted = options.only.split(",") if options.only else names
    if unknown := [name for name in wanted if name not in PREPARE]:
        parser.error(f"unknown contestant {', '.join(unknown)}; there are: {', '.join(names)}")
    with tempfile.TemporaryDirectory(prefix="donut-bench-") as folder:
        bench = Bench(Path(folder), rounds=1 if options.quick else 3, seconds=1.0 if options.quick else 3.0)
        with bench.upstream():
            results, skipped = bench.run(wanted)
    about = machine()
    print(
        f"CPU per request (user + system), one core each, 16 connections; {', '.join(f'{key} {value}' for key, value in about.items())}\n"
    )
    print(markdown(results, skipped))
    if options.json:
        Path(options.json).write_text(json.dumps(as_json(results, skipped, about), indent=2) + "\n")
    # A peer may be missing; donut may not.
    if "donut" in skipped or any(result.broken for result in results if result.name == "donut"):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except (BenchError, UnavailableError) as problem:
        sys.exit(f"bench: {problem}")
