"""Cerebras. A prompt that is too long is refused with 400 or 413 and no body at all."""

from __future__ import annotations

from dataclasses import replace

from providers.errors import classify_openai, read_error
from providers.ports import ProviderKind
from providers.signals import cerebras
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's, with the empty refusal read as "too long" and a full queue as theirs."""
    failure = classify_openai(status, headers, body)
    if status in (400, 413) and not body.strip():
        return replace(failure, kind=FailureKind.CONTEXT_TOO_LONG, message="the prompt is longer than the model's context (empty refusal)")
    if "queue_exceeded" in read_error(body)[:2]:
        return replace(failure, kind=FailureKind.OVERLOADED)
    return failure


KIND = ProviderKind(
    name="cerebras",
    title="Cerebras",
    classify=classify,
    signals=cerebras.SIGNALS,
    base_url="https://api.cerebras.ai/v1",
    dialects=("chat", "completions"),
    key_env=("CEREBRAS_API_KEY",),
    base_url_env=("CEREBRAS_BASE_URL",),
    catalog_id="cerebras",
    docs="https://cloud.cerebras.ai",
)
