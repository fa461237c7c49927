"""One file per harness."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.harnesses.harness import Harness
from scripts.harnesses.known import claude, codex, gemini, opencode, qwen, sdks

HARNESSES: Mapping[str, Harness] = {
    harness.name: harness
    for harness in (codex.CODEX, codex.CODEX_CODE_MODE, claude.CLAUDE, *opencode.OPENCODES, qwen.QWEN, gemini.GEMINI, *sdks.SDKS)
}
