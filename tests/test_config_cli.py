"""The command line as a person meets it: real processes, exit codes, no tracebacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import config.commands
from config.cli import LazyGroup, cli, summary, with_serve
from config.discovery import load_one, module_names
from config.problems import ConfigError, Problem

ROOT = Path(__file__).parent.parent


def donut(*args: str, module: str = "config.cli") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", module, *args], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("args", "plain"),
    [
        (["-config", "f"], ["serve", "--config", "f"]),
        (["--config", "f", "--port", "1"], ["serve", "--config", "f", "--port", "1"]),
        (["-config=f"], ["serve", "--config=f"]),
        (["--port", "1", "-config", "f"], ["serve", "--port", "1", "--config", "f"]),
        (["serve", "-config", "f"], ["serve", "--config", "f"]),
        (["check", "f"], ["check", "f"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
        (["--version"], ["--version"]),
        ([], []),
    ],
)
def test_serve_is_implied(args: list[str], plain: list[str]) -> None:
    assert with_serve(args) == plain


def test_alone_it_prints_help() -> None:
    alone, asked = donut(), donut("--help")
    assert (alone.returncode, asked.returncode) == (0, 0)
    assert alone.stdout == asked.stdout
    assert "Usage: donut" in alone.stdout
    for name in module_names(config.commands):
        assert f"\n  {name} " in alone.stdout


def test_python_m_proxy_is_donut() -> None:
    assert donut("--help", module="proxy").stdout == donut("--help").stdout


def test_the_version() -> None:
    assert donut("--version").stdout.startswith("donut, version ")


@pytest.mark.parametrize("args", [["no-such-command"], ["check", "--no-such-option"], ["check", "a", "b"]])
def test_wrong_usage_is_2_on_stderr(args: list[str]) -> None:
    done = donut(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: donut" in done.stderr
    assert "Traceback" not in done.stderr


HELP_AND_WHAT_IT_IMPORTED = """
import sys
from config.cli import cli
cli.main(["--help"], standalone_mode=False)
print([name for name in sys.modules if name.startswith(("config.commands.", "pydantic", "starlette"))])
"""


def test_help_imports_no_command() -> None:
    command = [sys.executable, "-c", HELP_AND_WHAT_IT_IMPORTED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", module_names(config.commands))
def test_every_command_has_a_page_with_examples(name: str) -> None:
    command = load_one(config.commands, name, "COMMAND", click.Command)
    page = command.get_help(click.Context(command, info_name=name, parent=click.Context(cli, info_name="donut")))
    assert f"Usage: donut {name}" in page
    assert f"\n    donut {name}" in page
    assert summary(name)


def test_a_configuration_error_in_any_command_is_2_without_a_traceback() -> None:
    def broken() -> None:
        raise ConfigError([Problem("donut.yaml", 1, 1, "server", "is wrong")])

    class OneCommand(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return click.Command(cmd_name, callback=broken)

    result = CliRunner().invoke(OneCommand("donut"), ["broken"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: donut.yaml: 1 problem\n  donut.yaml:1:1: server: is wrong\n"


def test_a_server_starts_without_what_few_need_and_finds_it_when_asked() -> None:
    """2 MB each, and a part of every start: tables for people, an HTTP client, coloured tracebacks."""
    code = """
import sys
from config.cli import main
sys.argv = ["donut", "serve", "--help"]
try:
    main()
except SystemExit as error:
    assert error.code == 0
loaded = [name for name in ("rich", "httpx._client", "httpcore", "h2", "pygments") if name in sys.modules]
import httpx, rich.console
assert issubclass(httpx.AsyncClient, object) and httpx.AsyncClient is sys.modules["httpx"].AsyncClient
assert rich.console.Console().width
print("loaded:", loaded)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["loaded: []"]), done.stderr
