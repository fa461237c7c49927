"""`donut doctor`: what it looks for, what it says, and when it exits with what. Real files, ports and servers, all on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.catalog import load_catalog
from config.commands._checks import check_local, write_probe
from config.commands._local import load_kinds
from config.commands.doctor import COMMAND
from config.settings import Settings
from config.survey import survey
from tests.local_servers import LLAMA_SERVER, OLLAMA, VLLM, methods, page, serving
from tests.upstreams import ScriptedUpstream

SECRET = "sk-canary-1234567890"
HOST = "127.0.0.1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it: no config, no keys, an empty home."""
    for kind in load_kinds().values():
        for variable in (*kind.key_env, *kind.base_url_env):
            monkeypatch.delenv(variable, raising=False)
    for variable in ("DONUT_CONFIG", "DONUT_DATA", "DONUT_KEY", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configured(home: Path, text: str = "", port: int | None = None) -> Path:
    """A config that looks at no port of this machine but its own."""
    path = home / "my.yaml"
    path.write_text(f"server: {{port: {port if port is not None else free_port()}}}\ndiscovery: {{local: false}}\n{text}")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(COMMAND, [*arguments])


def report(path: Path) -> tuple[int, dict[str, Any]]:
    """(exit code, the JSON report)."""
    result = run("--json", "--config", str(path))
    return result.exit_code, json.loads(result.stdout)


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {finding["name"]: finding["state"] for finding in answer["findings"]}


def test_nothing_but_the_simulated_fleet_is_exit_code_1(home: Path) -> None:
    code, answer = report(configured(home))
    assert (code, answer["ok"]) == (1, False)
    found = states(answer)
    assert found["models"] == "warning"
    assert found["file"] == found["python"] == found["packages"] == found["journal"] == found["port"] == "ok"
    assert found["OPENAI_API_KEY"] == "missing"
    fixes = {finding["name"]: finding["fix"] for finding in answer["findings"]}
    assert fixes["OPENAI_API_KEY"].startswith("export OPENAI_API_KEY=")


def test_a_key_is_enough_to_serve_and_is_never_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", SECRET)
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    path = configured(home)
    code, answer = report(path)
    assert (code, answer["ok"]) == (0, True)
    found = states(answer)
    assert (found["GROQ_API_KEY"], found["GEMINI_API_KEY"]) == ("ok", "ok")
    for output in (json.dumps(answer), run("--config", str(path)).output):
        assert SECRET not in output


def test_a_provider_in_the_config_is_enough_to_serve(home: Path) -> None:
    path = configured(home, "providers: [{id: box, kind: openai, base_url: 'http://127.0.0.1:1/v1', local: true, models: [{upstream: m}]}]")
    code, _ = report(path)
    assert code == 0


def test_a_provider_that_lists_its_own_models_counts(home: Path) -> None:
    path = configured(home, "providers: [{id: far, kind: openai, base_url: 'https://gw.example.com/v1', api_key: k}]")
    code, answer = report(path)
    assert code == 0
    assert any("far lists" in finding["detail"] for finding in answer["findings"])


def test_a_simulated_provider_alone_is_not_enough(home: Path) -> None:
    path = configured(home, "providers: [{id: demo, kind: sim, models: [{upstream: sim-small}]}]")
    assert report(path)[0] == 1


def test_a_broken_config_is_said_with_file_line_and_fix(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", SECRET)
    path = home / "broken.yaml"
    path.write_text("server: {prot: 1}\n")
    result = run("--json", "--config", str(path))
    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    (bad,) = [finding for finding in answer["findings"] if finding["group"] == "config"]
    assert bad["state"] == "bad"
    assert f"{path}:1" in bad["detail"]
    assert "port" in bad["fix"]


def test_a_config_that_does_not_exist_is_bad(home: Path) -> None:
    _, answer = report(home / "nowhere.yaml")
    assert states(answer)["file"] == "bad"


def test_a_port_in_use_is_bad_and_the_next_one_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        _, answer = report(configured(home, port=port))
    (finding,) = [finding for finding in answer["findings"] if finding["name"] == "port"]
    assert (finding["state"], finding["fix"]) == ("bad", f"donut serve --port {port + 1}")


async def test_a_donut_that_runs_is_no_stranger(home: Path) -> None:
    async with ScriptedUpstream(serving({"/healthz": page({"status": "ok", "service": "donut"})})) as server:
        path = configured(home, port=server.port)
        _, answer = await asyncio.to_thread(report, path)
    (finding,) = [finding for finding in answer["findings"] if finding["name"] == "port"]
    assert finding["state"] == "ok"
    assert "donut is running" in finding["detail"]


def test_a_journal_that_cannot_be_written_is_bad(home: Path) -> None:
    (home / "file").write_text("in the way")
    path = configured(home, f"state: {{journal: 'sqlite:////{home}/file/donut.db'}}")
    _, answer = report(path)
    assert states(answer)["journal"] == "bad"
    assert write_probe(home) == "is a folder"


def test_the_table_is_for_people(home: Path) -> None:
    result = run("--config", str(configured(home)))
    assert result.exit_code == 1
    assert "donut doctor" in result.output
    assert "to fix it" in result.output
    assert "only the simulated fleet" in " ".join(result.output.split())


def test_help_says_what_is_checked() -> None:
    output = run("--help").output
    for word in ("Examples", "Exit codes", "States", "--json", "--config"):
        assert word in output


async def test_local_servers_are_listed_by_port() -> None:
    """Found, locked and without a model: each with its line."""
    async with (
        ScriptedUpstream(serving(LLAMA_SERVER)) as good,
        ScriptedUpstream(serving(VLLM, key="k")) as locked,
        ScriptedUpstream(serving({**OLLAMA, "/api/tags": page({"models": []})})) as empty,
        ScriptedUpstream(serving(OLLAMA)) as ollama,
    ):
        ports = [(HOST, server.port) for server in (good, locked, empty, ollama)]
        seen = await survey(Settings(), {}, load_kinds(), load_catalog(), ports, timeout_s=10)
        assert methods(good) == {b"GET"}
    by_port = {finding.name: finding for finding in check_local(seen, Settings())}
    assert by_port[f"port {good.port}"].state == "ok"
    assert "tiny" in by_port[f"port {good.port}"].detail
    assert by_port[f"port {locked.port}"].state == "warning"
    assert "wants a key" in by_port[f"port {locked.port}"].fix
    assert "ollama pull" in by_port[f"port {empty.port}"].fix
    assert "gpt-oss:120b-cloud (not local: runs elsewhere)" in by_port[f"port {ollama.port}"].detail
    assert by_port["port 1234"].state == "missing"
    assert "LM Studio" in by_port["port 1234"].detail
    assert by_port["port 1234"].fix
    replicas = {replica.upstream_model: replica for replica, _ in seen.replicas()}
    assert replicas["tiny"].is_local
    assert not replicas["gpt-oss:120b-cloud"].is_local
