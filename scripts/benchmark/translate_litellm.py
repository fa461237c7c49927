"""Runs inside LiteLLM's own environment: `python translate_litellm.py CORPUS.json` prints its figures as one line of JSON.

Its translators are internal functions that move between releases (these paths: 1.106.2): one that is not where it was is left out.
"""

# ruff: noqa: PLC0415 - each function imports what it measures, so that one which is gone leaves the others
from __future__ import annotations

import copy
import gc
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 5
REQUESTS_PER_ROUND = 10


def cpu_us(work: Callable[[], object], times: int) -> float:
    """As in translate.py, which this environment cannot import."""
    rounds = []
    for _ in range(ROUNDS + 1):
        gc.collect()
        began_ns = time.process_time_ns()
        for _ in range(times):
            work()
        rounds.append((time.process_time_ns() - began_ns) / times / 1000)
    return min(rounds[1:])


def messages_to_chat_request(body: dict[str, Any]) -> Callable[[], object]:
    from litellm.llms.anthropic.pass_through.adapters.transformation import LiteLLMAnthropicMessagesAdapter

    adapter = LiteLLMAnthropicMessagesAdapter()
    return lambda: json.dumps(_plain(adapter.translate_anthropic_to_openai(anthropic_message_request=copy.copy(body))), default=dict)


def chat_to_messages_request(body: dict[str, Any]) -> Callable[[], object]:
    from litellm.llms.anthropic.chat.transformation import AnthropicConfig

    config, model = AnthropicConfig(), "claude-sonnet-4-5"
    given = {key: body[key] for key in ("tools", "max_tokens") if key in body}

    def work() -> str:
        optional = config.map_openai_params(copy.deepcopy(given), {}, model, drop_params=True)
        return json.dumps(config.transform_request(model, copy.deepcopy(body["messages"]), optional, {}, {}))

    return work


def chat_to_messages_stream(chunks: list[dict[str, Any]]) -> Callable[[], object]:
    from litellm.llms.anthropic.pass_through.adapters.streaming_iterator import AnthropicStreamWrapper
    from litellm.types.utils import ModelResponseStream

    def work() -> int:
        said = (ModelResponseStream(**chunk) for chunk in chunks)
        return sum(len(json.dumps(_plain(event), default=str)) for event in AnthropicStreamWrapper(completion_stream=said, model="m"))

    return work


def messages_to_chat_stream(events: list[dict[str, Any]]) -> Callable[[], object]:
    from litellm.llms.anthropic.chat.handler import ModelResponseIterator

    def work() -> int:
        reader = ModelResponseIterator(streaming_response=iter(()), sync_stream=True)
        return sum(len(reader.chunk_parser(copy.deepcopy(event)).model_dump_json()) for event in events)

    return work


def _plain(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def main() -> None:
    corpus = json.loads(Path(sys.argv[1]).read_text())
    streams, requests = corpus["streams"], corpus["requests"]
    figures: dict[str, Any] = {"version": importlib.metadata.version("litellm"), "per_event": {}, "per_request": {}}
    asked, told = figures["per_request"], figures["per_event"]
    _note(asked, "chat messages", lambda: chat_to_messages_request(requests["chat"]), REQUESTS_PER_ROUND)
    _note(asked, "messages chat", lambda: messages_to_chat_request(requests["messages"]), REQUESTS_PER_ROUND)
    _note(told, "chat messages", lambda: chat_to_messages_stream(streams["chat"]), 1, len(streams["chat"]))
    _note(told, "messages chat", lambda: messages_to_chat_stream(streams["messages"]), 1, len(streams["messages"]))
    print(json.dumps(figures))


def _note(figures: dict[str, float], key: str, work: Callable[[], Callable[[], object]], times: int, events: int = 1) -> None:
    try:
        figures[key] = cpu_us(work(), times) / events
    except Exception as error:  # noqa: BLE001 - whatever a foreign function raises, the other figures are still worth having
        print(f"litellm, {key}: {error!r}", file=sys.stderr)


if __name__ == "__main__":
    main()
