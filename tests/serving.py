"""A whole donut in the test's own event loop, on a real socket, with a real SQLite journal: `async with Donut(config, folder) as donut`."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

import providers.kinds
from config.catalog import load_catalog
from config.discovery import discover
from config.problems import ConfigError
from config.runtime import Runtime
from config.settings import Settings
from config.source import Loaded, parse
from providers.ports import ProviderKind
from proxy.server import server_for

KINDS = {kind.name: kind for kind in discover(providers.kinds, "KIND", ProviderKind).values()}


def load_text(text: str, environ: Mapping[str, str] | None = None, name: str = "donut.yaml") -> Loaded:
    catalog = load_catalog()
    return parse(text, name, environ or {}, KINDS, {*catalog.models, *catalog.aliases})


RETRIES = "routing: {retry: {budget: {min_per_second: 1000}}}"
"""For tests in which every request fails once: that much is a flood, and the budget would rightly stop it."""


def config_for(*ports: int, more: str = "", provider_more: str = "") -> str:
    """A config with one provider per port (`p0`, `p1` …), each serving `up-model` as the logical model `test-model`; discovery off."""
    lines = ["discovery: {local: false, environment: false}", "providers:"]
    for number, port in enumerate(ports):
        lines.append(
            f"  - {{id: p{number}, kind: openai, base_url: 'http://127.0.0.1:{port}/v1', api_key: upstream-secret-{number}, "
            f"{provider_more} "
            "models: [{upstream: up-model, model: test-model, price: {input: 1, output: 2}}]}"
        )
    return "\n".join(lines) + "\n" + more + "\n"


class Donut:
    """`runtime` is the process's composition root; `client` an httpx client on it; `lines` every access log line's fields."""

    def __init__(
        self, config: str = "", folder: Path | None = None, environ: Mapping[str, str] | None = None, *, demo: bool = False
    ) -> None:
        """`folder` keeps the journal; without it the test must not look at rows. `demo` serves the simulated fleet."""
        settings = load_text(config, environ).settings if config else Settings()
        assert folder is not None, "a journal needs a folder"
        state = settings.state.model_copy(update={"journal": settings.state.journal or f"sqlite:///{folder / 'donut.db'}", "flush_ms": 20})
        self.settings = settings.model_copy(update={"state": state})
        self.lines: list[dict[str, Any]] = []
        self.journal = folder / "donut.db"
        self._environ = dict(environ or {})
        self._demo = demo

    async def __aenter__(self) -> Donut:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.runtime = Runtime(
            self.settings, self._environ, write_lines=lambda lines: self.lines.extend(fields for _, fields in lines), demo=self._demo
        )
        self._server = server_for(self.runtime.application(), keep_alive_s=75, drain_s=2)
        self._task = asyncio.create_task(self._server._serve([self._listener]))
        while not self._server.started:
            assert not self._task.done(), "donut did not start"
            await asyncio.sleep(0.005)
        self.client = httpx.AsyncClient(base_url=self.url, timeout=20, trust_env=False)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.client.aclose()
        self._server.should_exit = True
        await asyncio.wait_for(self._task, 20)
        self._listener.close()

    async def reload(self, config: str) -> None:
        """Take over another config, as an edited file would be."""
        loaded = load_text(config, self._environ)
        settings = loaded.settings.model_copy(update={"state": self.settings.state})
        await self.runtime._apply(Loaded(settings, loaded.warnings))

    def rows(self, table: str = "exchanges") -> list[dict[str, Any]]:
        """What the journal's file holds now."""
        connection = sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [
                dict(row)
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid" if table == "exchanges" else f"SELECT * FROM {table}")
            ]
        finally:
            connection.close()

    async def wait_for_rows(self, count: int, within_s: float = 5.0) -> list[dict[str, Any]]:
        """The exchanges' rows once there are `count`; fails when there are fewer in time."""
        deadline = asyncio.get_running_loop().time() + within_s
        while len(rows := self.rows()) < count:
            assert asyncio.get_running_loop().time() < deadline, f"{len(rows)} rows after {within_s} s, expected {count}"
            await asyncio.sleep(0.02)
        return rows

    @property
    def in_flight(self) -> int:
        return self.runtime.gateway.in_flight

    @property
    def open_reservations(self) -> int:
        return self.runtime.gateway.serving.router.fleet.open_reservations


__all__ = ["ConfigError", "Donut", "config_for", "load_text"]
