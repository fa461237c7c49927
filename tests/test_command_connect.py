"""`donut connect`: what it prints, what it writes and takes back, and how it starts a harness; in a home of its own."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from config.commands.connect import _RECIPES, COMMAND

ROOT = Path(__file__).parent.parent
WITH_FILES = ("claude", "codex", "gemini", "opencode", "qwen")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME", "DONUT_KEY", "DONUT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def connect(*args: str) -> Result:
    return CliRunner().invoke(COMMAND, list(args), catch_exceptions=False)


def files(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize("word", sorted(_RECIPES))
def test_printing_changes_nothing(word: str, home: Path) -> None:
    result = connect(word, "--key", "sk-mine-1", "--model", "mid")
    assert result.exit_code == 0
    assert "http://127.0.0.1:8317" in result.stdout
    assert "sk-mine-1" in result.stdout
    assert "mid" in result.stdout
    assert files(home) == {}


def test_what_is_printed_can_be_pasted(home: Path) -> None:
    codex = tomllib.loads(connect("codex").stdout)
    assert codex["model_providers"]["donut"]["base_url"] == "http://127.0.0.1:8317/v1"
    assert "env_key" not in codex["model_providers"]["donut"], "Codex stops without the variable, and no key is asked for"
    claude = json.loads(connect("claude").stdout)
    assert claude["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8317"
    assert claude["env"]["CLAUDE_CODE_GATEWAY_HINT_HEADERS"] == "1"


def test_the_address_is_the_configs(home: Path) -> None:
    (home / "donut.yaml").write_text("server: {host: 0.0.0.0, port: 9999, api_keys: [sk-one-of-mine-77]}\n")
    assert "sk-one-of-mine-77" not in (refused := connect("codex")).output
    assert refused.exit_code == 2
    assert "wants a key" in refused.output
    assert "http://127.0.0.1:9999/v1" in connect("codex", "--key", "k1").stdout


@pytest.mark.parametrize("word", WITH_FILES)
def test_write_and_undo(word: str, home: Path) -> None:
    before = files(home)
    written = connect(word, "--write", "--key", "sk-mine-1")
    assert written.exit_code == 0
    assert "+++ " in written.stdout
    made = [path for path in files(home) if ".donut-" not in path]
    assert made
    for path in made:
        assert stat.S_IMODE((home / path).stat().st_mode) == 0o600, "there may be a key in it"
    again = connect(word, "--write", "--key", "sk-mine-1")
    assert (again.exit_code, again.stdout) == (0, "")
    undone = connect(word, "--undo")
    assert undone.exit_code == 0
    assert {path: text for path, text in files(home).items() if ".undone" not in path} == before
    assert connect(word, "--undo").exit_code == 1


def test_a_lived_in_file_comes_back_byte_for_byte(home: Path) -> None:
    path = home / ".claude" / "settings.json"
    path.parent.mkdir()
    mine = b'{"permissions": {"allow": ["Bash(ls:*)"]},\n  "env": {"MINE": "\xc3\xa4"}}'
    path.write_bytes(mine)
    path.chmod(0o644)
    result = connect("claude", "--write")
    assert result.exit_code == 0
    now = json.loads(path.read_bytes())
    assert now["permissions"] == {"allow": ["Bash(ls:*)"]}
    assert now["env"]["MINE"] == "ä"
    assert now["env"]["ANTHROPIC_MODEL"] == "auto"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    connect("claude", "--write", "--model", "mid")
    assert json.loads(path.read_bytes())["env"]["ANTHROPIC_MODEL"] == "mid"
    connect("claude", "--undo")
    assert json.loads(path.read_bytes())["env"]["ANTHROPIC_MODEL"] == "auto"
    connect("claude", "--undo")
    assert path.read_bytes() == mine


def test_what_was_changed_since_is_kept_by_undo(home: Path) -> None:
    connect("codex", "--write")
    path = home / ".codex" / "config.toml"
    path.write_text(path.read_text() + "# written later\n")
    connect("codex", "--undo")
    assert not path.exists()
    (kept,) = path.parent.glob("*.undone")
    assert "# written later" in kept.read_text()


def test_a_link_into_a_repository_stays_a_link(home: Path) -> None:
    real = home / "dotfiles" / "codex.toml"
    real.parent.mkdir()
    real.write_text('model = "x"\n')
    link = home / ".codex" / "config.toml"
    link.parent.mkdir()
    link.symlink_to(real)
    connect("codex", "--write")
    assert link.is_symlink()
    assert 'model = "auto"' in real.read_text()
    connect("codex", "--undo")
    assert link.is_symlink()
    assert real.read_text() == 'model = "x"\n'


def test_a_broken_file_stops_before_any_is_touched(home: Path) -> None:
    (home / ".qwen").mkdir()
    (home / ".qwen" / "settings.json").write_text("{oops")
    before = files(home)
    result = connect("qwen", "--write")
    assert result.exit_code == 1
    assert "line 1, column 2" in result.stderr
    assert files(home) == before


def test_the_harnesss_own_folder_variables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", str(home / "elsewhere"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    (home / "xdg" / "opencode").mkdir(parents=True)
    (home / "xdg" / "opencode" / "opencode.jsonc").write_text("{ // mine\n}\n")
    connect("codex", "--write")
    connect("opencode", "--write")
    assert (home / "elsewhere" / "config.toml").is_file()
    assert "// mine" in (home / "xdg" / "opencode" / "opencode.jsonc").read_text()
    assert not (home / ".config").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "name one harness"),
        (("emacs",), "does not know the harness"),
        (("codex", "claude"), "name one harness"),
        (("codex", "--write", "--undo"), "exclude each other"),
        (("codex", "--run", "codex", "--write"), "exclude each other"),
        (("openai", "--write"), "has no config file"),
        (("litellm", "--undo"), "nothing to undo"),
        (("codex", "--url", "box:8317"), "begins with http"),
        (("codex", "--url", 'http://x"'), "no blanks or quotes"),
        (("codex", "--key", "a b"), "no HTTP header"),
        (("codex", "--model", 'a"b'), "no quotes"),
        (("--run", "litellm"), "can not start"),
        (("--run", "openai"), "say what to start"),
    ],
)
def test_wrong_usage(args: tuple[str, ...], words: str, home: Path) -> None:
    result = connect(*args)
    assert result.exit_code == 2
    assert words in result.output
    assert files(home) == {}


SHOWS_ITSELF = """\
#!/bin/sh
for argument in "$@"; do echo "argument $argument"; done
env
exit 7
"""


def started(home: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A real process: `--run` becomes the program."""
    folder = home / "bin"
    folder.mkdir()
    for program in ("claude", "codex", "gemini", "opencode", "qwen"):
        (folder / program).write_text(SHOWS_ITSELF)
        (folder / program).chmod(0o755)
    environ = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(home), "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", "config.cli", "connect", *args]
    return subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_run_claude(home: Path) -> None:
    result = started(home, "--run", "claude", "--key", "k1", "--", "-p", "hi there", "--model=x", ANTHROPIC_API_KEY="theirs", MINE="1")
    assert result.returncode == 7, "the harness's own"
    lines = result.stdout.splitlines()
    assert lines[:3] == ["argument -p", "argument hi there", "argument --model=x"]
    assert {"ANTHROPIC_BASE_URL=http://127.0.0.1:8317", "ANTHROPIC_AUTH_TOKEN=k1", "MINE=1", "CLAUDE_CODE_GATEWAY_HINT_HEADERS=1"} <= {
        *lines
    }
    assert "ANTHROPIC_API_KEY=theirs" not in lines
    assert not (home / ".claude").exists()


def test_run_codex_has_its_key_in_the_environment_only(home: Path) -> None:
    result = started(home, "--run", "codex", "--", "exec", "hi", DONUT_KEY="k1")
    lines = result.stdout.splitlines()
    said = [line.removeprefix("argument ") for line in lines if line.startswith("argument ")]
    assert said[-2:] == ["exec", "hi"]
    overrides = tomllib.loads("\n".join(said[1:-2:2]))
    assert overrides["model_providers"]["donut"]["env_key"] == "DONUT_KEY"
    assert "DONUT_KEY=k1" in lines
    assert not (home / ".codex").exists()


def test_run_anything_with_an_sdk(home: Path) -> None:
    code = "import os; print(os.environ['OPENAI_BASE_URL'])"
    result = started(home, "--run", "openai", "--", sys.executable, "-c", code)
    assert (result.returncode, result.stdout) == (0, "http://127.0.0.1:8317/v1\n")


def test_run_something_that_is_not_there(home: Path) -> None:
    result = started(home, "--run", "codex", PATH=str(home))
    assert result.returncode == 1
    assert "codex is not on the PATH" in result.stderr


def test_run_gemini_in_a_home_of_donuts_own(home: Path) -> None:
    result = started(home, "--run", "gemini", "--", "-p", "hi")
    lines = result.stdout.splitlines()
    assert lines[:4] == ["argument -m", "argument donut/auto", "argument -p", "argument hi"]
    (path,) = (line.partition("=")[2] for line in lines if line.startswith("GEMINI_CLI_HOME="))
    assert json.loads((Path(path) / ".gemini" / "settings.json").read_bytes()) == {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    assert not (home / ".gemini").exists()


def test_the_window_is_the_servers(home: Path) -> None:
    """Real server, real socket: a harness that does not know the model would guess it."""
    catalogue = {"models": [{"slug": "auto", "context_window": 64000}]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/v1/models?client_version=0"
            body = json.dumps(catalogue).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}"
            assert tomllib.loads(connect("codex", "--url", url).stdout)["model_context_window"] == 64000
            assert tomllib.loads(connect("codex", "--url", url, "--window", "9000").stdout)["model_context_window"] == 9000
            limit = json.loads(connect("opencode", "--url", url).stdout)["provider"]["donut"]["models"]["auto"]["limit"]
            assert limit == {"context": 64000, "output": 16000}
            assert (
                json.loads(connect("claude", "--url", url, "--model", "other").stdout)["env"]["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "128000"
            )
        finally:
            server.shutdown()
            thread.join()
