"""Claude Code. It speaks messages."""

from __future__ import annotations

from pathlib import Path

from scripts.harnesses.harness import KEY, MODEL, Harness, Launch, Package, Place, json_lines


def _prepare(place: Place, prompt: str) -> Launch:
    environ = {
        "ANTHROPIC_BASE_URL": place.url,
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_MODEL": MODEL,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": MODEL,
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
    }
    return Launch(["-p", prompt, "--output-format", "stream-json", "--verbose", "--allowedTools", "Bash", "Read"], environ)


def _last_word(stdout: str, home: Path) -> str:
    results = [line for line in json_lines(stdout) if line.get("type") == "result"]
    return str(results[-1].get("result") or results[-1].get("errors") or results[-1].get("subtype")) if results else stdout[-400:]


CLAUDE = Harness(
    "claude", "messages", _prepare, _last_word, Package("@anthropic-ai/claude-code", "2.1.329", "claude", runs_install_script=True)
)
