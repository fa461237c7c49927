"""`donut check` with the real kinds, factors and catalog, in process and as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from config.cli import cli
from tests.test_config_source import CONTRACT

ROOT = Path(__file__).parent.parent


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DONUT_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DONUT_KEY", "sk-canary-1")
    monkeypatch.setenv("BOX_KEY", "sk-canary-2")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "donut.yaml"
    file.write_text(CONTRACT)
    return file


def check(*args: str) -> Result:
    return CliRunner().invoke(cli, ["check", *args])


@pytest.mark.parametrize("args", [["donut.yaml"], ["--config", "donut.yaml"], []])
def test_a_right_file(path: Path, args: list[str]) -> None:
    result = check(*args)
    assert (result.exit_code, result.stderr) == (0, "")
    for words in (
        "127.0.0.1:8317",
        "http://127.0.0.1:9001/v1",
        "up-model → qwen3-coder-30b",
        "my-small",
        "client keys │ 1",
        "claude-* → auto",
        "100,000 tokens per hour",
        "$50.00 per month",
        "$5.00 per day",
    ):
        assert words in result.stdout
    assert "WARNING " not in result.stdout
    assert "canary" not in result.stdout


def test_a_wrong_file(path: Path) -> None:
    path.write_text("server:\n  prot: 1\n")
    result = check("donut.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "donut.yaml:2:3: server.prot: unknown key `prot`; did you mean `port`?" in result.stderr


def test_json(path: Path) -> None:
    right = json.loads(check("--json", "donut.yaml").stdout)
    assert (right["ok"], right["problems"], len(right["warnings"])) == (True, [], 0)
    path.write_text("server:\n  prot: 1\n")
    result = check("--json", "donut.yaml")
    wrong = json.loads(result.stdout)
    assert result.exit_code == 1
    assert not wrong["ok"]
    assert {key: wrong["problems"][0][key] for key in ("file", "line", "column", "key")} == {
        "file": "donut.yaml",
        "line": 2,
        "column": 3,
        "key": "server.prot",
    }


def test_schema() -> None:
    schema = json.loads(check("--schema").stdout)
    assert "openai" in schema["$defs"]["ProviderSettings"]["properties"]["kind"]["anyOf"][0]["enum"]


def test_wrong_usage(path: Path) -> None:
    assert check("donut.yaml", "--config", "donut.yaml").exit_code == 2
    path.unlink()
    nothing = check()
    assert nothing.exit_code == 2
    assert "./donut.yaml" in nothing.stderr
    assert check("donut.yaml").exit_code == 1


def test_text_from_the_file_is_not_markup(path: Path) -> None:
    path.write_text("providers: [{id: box, kind: openai, models: [{upstream: '[red]x[/red] :smile:'}]}]\n")
    assert "[red]x[/red] :smile:" in check("donut.yaml").stdout


def test_as_a_process(path: Path) -> None:
    path.write_text("server: {host: 0.0.0.0}\n")
    done = subprocess.run(
        [sys.executable, "-m", "proxy", "check", str(path)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "refused: 0.0.0.0 can be reached from other machines; set server.api_keys or bind 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_policies_are_shown_when_the_file_mentions_one(path: Path) -> None:
    assert "Policies" not in check("donut.yaml").stdout
    path.write_text(
        "server: {api_keys: [{name: team-a, key: k, policy: ops}]}\n"
        "policies: [{name: mine, models: [gpt-6-astra, mid], tiers: {code: mid, title: micro}, max_cost: 0.2}]\n"
        "routing: {policy: mine, profile: strong, rules: [{policy: code, harness: codex, role: subagent}]}\n"
    )
    shown = check("donut.yaml").stdout
    for words in (
        "profile strong",
        "key team-a → ops",
        "1. harness codex, role subagent → code",
        "else → mine",
        "gpt-6-astra, mid",
        "mid: code",
        "at most $ 0.2",
    ):
        assert words in shown
    assert "deep_research" not in shown
