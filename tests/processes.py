"""`donut serve` as a process of its own: what only a process can show (signals, a crash, standard error, the exit code)."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
START_S = 15.0
"""Long enough for a machine that is busy with something else."""


def clean_environ(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a user with an empty home directory and no key."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
        **(more or {}),
    }


class DonutProcess:
    """`async with DonutProcess(folder, config) as donut`: started, listening on `donut.url`; ended by its id when the block ends."""

    def __init__(
        self,
        folder: Path,
        config: str | None = None,
        *,
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "proxy"),
    ) -> None:
        """`folder` is its home and its working directory, and holds config and journal. Without `config` there is no file."""
        self.folder = folder
        self.config = folder / "donut.yaml"
        self.journal = folder / "donut.db"
        if config is not None:
            self.config.write_text(config)
        named = ["--config", str(self.config)] if config is not None else []
        self._command = [*command, "serve", *named, *arguments]
        if "--port" not in arguments:
            self._command += ["--port", "0"]
        self._environ = clean_environ(folder, {"DONUT_DATA": str(folder), **(environ or {})})
        self.stderr: list[bytes] = []
        self.stdout: list[bytes] = []

    async def __aenter__(self) -> DonutProcess:
        self.process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self.folder,
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        self._readers = [
            asyncio.create_task(self._collect(self.process.stdout, self.stdout)),
            asyncio.create_task(self._collect(self.process.stderr, self.stderr)),
        ]
        try:
            serving = await self.said("serving", START_S)
        except BaseException:
            await self._end()
            raise
        self.url = str(serving["url"]).removesuffix("/v1")
        self.port = int(self.url.rpartition(":")[2])
        self.client = httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.client.aclose()
        await self._end()

    async def _end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await asyncio.gather(*self._readers)

    @staticmethod
    async def _collect(stream: asyncio.StreamReader | None, into: list[bytes]) -> None:
        assert stream is not None
        while line := await stream.readline():
            into.append(line)

    async def ends(self, within_s: float = 20) -> int:
        """Wait for the process to end by itself; its exit code."""
        code = await asyncio.wait_for(self.process.wait(), within_s)
        await asyncio.gather(*self._readers)
        return code

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log lines so far. Every line must be one JSON object: that is what a log shipper reads."""
        return [json.loads(line) for line in self.stderr]

    async def said(self, event: str, within_s: float = 5.0, count: int = 1) -> dict[str, Any]:
        """The `count`th log line called `event`, once it is there."""
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            found = [line for line in self.events if line.get("event") == event]
            if len(found) >= count:
                return found[count - 1]
            is_late = asyncio.get_running_loop().time() > deadline
            assert not is_late and self.process.returncode is None, f"no {event!r} in:\n{b''.join(self.stderr).decode()}"  # noqa: PT018 - one story
            await asyncio.sleep(0.02)

    def rows(self, table: str = "exchanges") -> list[dict[str, Any]]:
        return read_rows(self.journal, table)

    async def wait_for_rows(self, count: int, within_s: float = 5.0) -> list[dict[str, Any]]:
        deadline = asyncio.get_running_loop().time() + within_s
        while len(rows := self.rows()) < count:
            assert asyncio.get_running_loop().time() < deadline, f"{len(rows)} rows after {within_s} s, expected {count}"
            await asyncio.sleep(0.02)
        return rows


def read_rows(journal: Path, table: str = "exchanges") -> list[dict[str, Any]]:
    """What a journal's file holds now."""
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=5)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # a constant of the test
    finally:
        connection.close()


async def run_donut(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, within_s: float = 30) -> tuple[int, str, str]:
    """Run `donut ARGUMENTS` to its end: (exit code, standard output, standard error)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "proxy",
        *arguments,
        cwd=folder,
        env=clean_environ(folder, {"DONUT_DATA": str(folder), **(environ or {})}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), within_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
