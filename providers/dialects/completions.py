"""OpenAI's legacy text completions: editors still use it to fill in the middle. https://platform.openai.com/docs/api-reference/completions"""

from __future__ import annotations

from functools import partial
from typing import Any

from providers.dialects import Ask, BadRequestError, Dialect, _openai
from providers.dialects.chat import asks_for_usage, prepare
from providers.dialects.excerpts import completions_excerpt
from routing.calibration import tokens_from_bytes


def read(data: dict[str, Any], size: int) -> Ask:
    model = _openai.read_model(data)
    prompt = data.get("prompt")
    if prompt is None or not isinstance(prompt, str | list):
        raise BadRequestError(
            "`prompt` must be a string or an array", "prompt", "invalid_type" if "prompt" in data else "missing_required_parameter"
        )
    stream = _openai.read_stream(data)
    prompts = len(prompt) if isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list) else 1
    ask = Ask(model, stream, 0, tokens_from_bytes(size), _openai.read_count(data, "max_tokens"))
    ask.answers = (_openai.read_count(data, "n") or 1) * prompts
    ask.strip_usage = stream and not asks_for_usage(data)
    return ask


def _is_content(choice: dict[str, Any]) -> bool:
    return bool(choice.get("text"))


def _text_size(data: dict[str, Any]) -> int:
    choices = data.get("choices")
    return sum(len(str(choice.get("text") or "")) for choice in choices if isinstance(choice, dict)) if isinstance(choices, list) else 0


DIALECT = Dialect(
    name="completions",
    paths=("/v1/completions", "/completions"),
    read=read,
    prepare=prepare,
    new_scanner=lambda ask: _openai.ChoiceScanner(ask, _is_content),
    read_answer=partial(_openai.read_answer, text_of=_text_size),
    read_large_answer=_openai.read_large_answer,
    error_body=_openai.error_body,
    error_events=_openai.error_events,
    end_events=_openai.END_EVENTS,
    excerpt=lambda data, harness, hints: completions_excerpt(data, harness=harness, hints=hints),
)
