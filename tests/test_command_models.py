"""`donut models`: of a running server, and of what would be served when none runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.commands.models import COMMAND
from tests.local_servers import page, serving
from tests.test_command_doctor import configured, home
from tests.upstreams import ScriptedUpstream

__all__ = ["home"]

SERVER = {
    "/healthz": page({"status": "ok", "service": "donut"}),
    "/v1/models": page(
        {
            "object": "list",
            "data": [
                {"id": "auto", "object": "model", "owned_by": "donut"},
                {"id": "m", "tier": "small", "context_window": 4096, "local": True, "replicas": ["ollama/m:8b"]},
                {"id": "ollama/m:8b", "tier": "small", "context_window": 4096, "local": True, "replicas": ["ollama/m:8b"]},
            ],
        }
    ),
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(COMMAND, [*arguments])


def listed(result: Result) -> list[dict[str, Any]]:
    rows = json.loads(result.stdout)["models"]
    assert isinstance(rows, list)
    return rows


def test_without_a_server_it_says_what_would_be_served(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "sk-canary-1234567890")
    text = "providers: [{id: box, kind: ollama, base_url: 'http://127.0.0.1:1/v1', models: [{upstream: 'qwen3:8b'}]}]"
    path = configured(home, text)
    result = run("--json", "--config", str(path))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["from"] == "discovery"
    rows = listed(result)
    assert rows[0]["replica"] == "box/qwen3:8b"
    assert (rows[0]["local"], rows[0]["source"], rows[0]["price"]) == (True, "config", {"input": 0.0, "output": 0.0})
    groq = {row["model"]: row for row in rows if row["replica"].startswith("groq/")}
    assert groq["gpt-oss-120b"]["source"] == "environment"
    assert not groq["gpt-oss-120b"]["local"]
    table = run("--config", str(path)).output
    assert "no server runs" in table
    assert "box/qwen3:8b" in table
    assert "free" in table
    assert "canary" not in table + result.output


def test_nothing_to_list_is_exit_code_1(home: Path) -> None:
    result = run("--config", str(configured(home)))
    assert result.exit_code == 1
    assert "donut doctor" in result.output


async def test_a_running_server_is_asked(home: Path) -> None:
    async with ScriptedUpstream(serving(SERVER)) as server:
        path = configured(home, port=server.port)
        result = await asyncio.to_thread(run, "--json", "--config", str(path))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["from"] == "server"
    (row,) = listed(result)
    assert (row["model"], row["replica"], row["tier"], row["context_window"], row["local"]) == ("m", "ollama/m:8b", "small", 4096, True)


async def test_a_server_that_wants_a_key_gets_it_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, open_ = serving(SERVER, key="client-key"), serving(SERVER)

    async def handle(request: Any, writer: asyncio.StreamWriter) -> None:
        await (open_ if b" /healthz " in request.head else locked)(request, writer)

    async with ScriptedUpstream(handle) as server:
        path = configured(home, port=server.port)
        refused = await asyncio.to_thread(run, "--config", str(path))
        assert refused.exit_code == 1
        assert "export DONUT_KEY=" in refused.output
        monkeypatch.setenv("DONUT_KEY", "client-key")
        assert (await asyncio.to_thread(run, "--config", str(path))).exit_code == 0


def test_help_is_a_page_to_act_on() -> None:
    output = run("--help").output
    for word in ("Examples", "Exit codes", "--json", "DONUT_KEY"):
        assert word in output
