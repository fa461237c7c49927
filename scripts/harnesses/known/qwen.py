"""Qwen Code. It speaks chat completions, and needs a newer Node than the others."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.harnesses.harness import KEY, MODEL, Harness, Launch, Package, Place, json_lines


def _prepare(place: Place, prompt: str) -> Launch:
    folder = place.home / ".qwen"
    folder.mkdir()
    settings = {
        "security": {"auth": {"selectedType": "openai"}},
        "general": {"disableAutoUpdate": True, "disableUpdateNag": True, "enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "model": {"name": MODEL},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    environ = {"OPENAI_BASE_URL": f"{place.url}/v1", "OPENAI_API_KEY": KEY, "OPENAI_MODEL": MODEL}
    return Launch(["-p", prompt, "--output-format", "stream-json", "--approval-mode", "yolo"], environ)


def _last_word(stdout: str, home: Path) -> str:
    results = [line for line in json_lines(stdout) if line.get("type") == "result"]
    return str(results[-1].get("result") or results[-1].get("error") or results[-1].get("subtype")) if results else stdout[-400:]


QWEN = Harness("qwen", "chat", _prepare, _last_word, Package("@qwen-code/qwen-code", "0.24.4", "qwen", needs_node=22))
