"""Codex CLI. It speaks responses only; known model names of the gpt-6 family change how it offers its tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scripts.harnesses.harness import KEY, MODEL, Harness, Launch, Package, Place

_PACKAGE = Package("@openai/codex", "0.169.0", "codex")
_CONFIG = """\
model = "{model}"
model_provider = "donut"
check_for_update_on_startup = false
[analytics]
enabled = false
[otel]
exporter = "none"
[model_providers.donut]
name = "donut"
base_url = "{url}/v1"
env_key = "DONUT_KEY"
wire_api = "responses"
"""
_ALONE = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")


def _prepare(model: str) -> Callable[[Place, str], Launch]:
    def prepare(place: Place, prompt: str) -> Launch:
        folder = place.home / ".codex"
        folder.mkdir()
        (folder / "config.toml").write_text(_CONFIG.format(model=model, url=place.url))
        return Launch(["exec", *_ALONE, "-o", str(place.home / "last.txt"), prompt], {"DONUT_KEY": KEY})

    return prepare


def _last_word(stdout: str, home: Path) -> str:
    file = home / "last.txt"
    return file.read_text() if file.exists() else stdout[-400:]


CODEX = Harness("codex", "responses", _prepare(MODEL), _last_word, _PACKAGE)
CODEX_CODE_MODE = Harness("codex-gpt6", "responses", _prepare("gpt-6-astra"), _last_word, _PACKAGE)
"""The same with a name of the gpt-6 family: tools travel in an `additional_tools` item, and the shell is a custom tool that takes code."""
