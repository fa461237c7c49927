"""OpenCode. Which dialect it speaks depends on the AI-SDK package that its configuration names; all three are driven."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from scripts.harnesses.harness import KEY, MODEL, Harness, Launch, Package, Place, json_lines

_PACKAGE = Package("opencode-ai", "1.18.33", "opencode", runs_install_script=True)
_QUIET = ("AUTOUPDATE", "MODELS_FETCH", "DEFAULT_PLUGINS", "LSP_DOWNLOAD", "SHARE")


def _prepare(npm: str) -> Callable[[Place, str], Launch]:
    def prepare(place: Place, prompt: str) -> Launch:
        folder = place.home / ".config" / "opencode"
        folder.mkdir(parents=True)
        model = {"name": MODEL, "tool_call": True, "reasoning": True, "limit": {"context": 200_000, "output": 32_000}}
        provider = {"npm": npm, "name": "donut", "options": {"baseURL": f"{place.url}/v1", "apiKey": KEY}, "models": {MODEL: model}}
        config = {
            "autoupdate": False,
            "share": "disabled",
            "model": f"donut/{MODEL}",
            "permission": {"*": "allow"},
            "provider": {"donut": provider},
        }
        (folder / "opencode.json").write_text(json.dumps(config))
        return Launch(["run", "--format", "json", prompt], {f"OPENCODE_DISABLE_{what}": "1" for what in _QUIET})

    return prepare


def _last_word(stdout: str, home: Path) -> str:
    said = stdout[-400:]
    for line in json_lines(stdout):
        if line.get("type") == "text":
            said = str(line["part"].get("text", ""))
        elif line.get("type") == "error":
            said = f"ERROR {json.dumps(line.get('error'))}"
    return said


OPENCODES = (
    Harness("opencode", "chat", _prepare("@ai-sdk/openai-compatible"), _last_word, _PACKAGE),
    Harness("opencode-messages", "messages", _prepare("@ai-sdk/anthropic"), _last_word, _PACKAGE),
    Harness("opencode-responses", "responses", _prepare("@ai-sdk/openai"), _last_word, _PACKAGE),
)
