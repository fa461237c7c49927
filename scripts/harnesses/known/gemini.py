"""Gemini CLI. It speaks Gemini; with a model named it skips the classifier request before each prompt."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.harnesses.harness import KEY, MODEL, Harness, Launch, Package, Place, json_lines


def _prepare(place: Place, prompt: str) -> Launch:
    folder = place.home / ".gemini"
    folder.mkdir()
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "general": {"enableAutoUpdate": False, "disableAutoUpdate": True, "disableUpdateNag": True},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    environ = {"GOOGLE_GEMINI_BASE_URL": place.url, "GEMINI_API_KEY": KEY, "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    return Launch(["-p", prompt, "-m", MODEL, "--output-format", "stream-json", "--approval-mode", "yolo"], environ)


def _last_word(stdout: str, home: Path) -> str:
    """The pieces of text after the last tool."""
    said = ""
    for line in json_lines(stdout):
        if line.get("type") == "message" and line.get("role") == "assistant":
            said += str(line.get("content") or "")
        elif line.get("type") in ("tool_use", "tool_result"):
            said = ""
        elif line.get("error"):
            said += f" ERROR {json.dumps(line['error'])}"
    return said


GEMINI = Harness("gemini", "gemini", _prepare, _last_word, Package("@google/gemini-cli", "0.61.0", "gemini"))
