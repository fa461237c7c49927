"""The official Python SDKs, each driven through its streaming accumulators by `scripts.harnesses.sdk_task`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scripts.harnesses.harness import Harness, Launch, Place


def _prepare(task: str) -> Callable[[Place, str], Launch]:
    def prepare(place: Place, prompt: str) -> Launch:
        return Launch(["-m", "scripts.harnesses.sdk_task", task, place.url, prompt])

    return prepare


def _last_word(stdout: str, home: Path) -> str:
    return stdout.strip()[-400:]


SDKS = (
    Harness("openai-chat", "chat", _prepare("openai-chat"), _last_word, distribution="openai"),
    Harness("openai-responses", "responses", _prepare("openai-responses"), _last_word, distribution="openai"),
    Harness("anthropic", "messages", _prepare("anthropic"), _last_word, distribution="anthropic"),
)
