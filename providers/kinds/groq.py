"""Groq."""

from __future__ import annotations

from dataclasses import replace

from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.signals import groq
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind

# 498 is "flex capacity exceeded", 424 a dependency of theirs that failed, 499 a request they cancelled: none is the caller's doing.
_BUSY = frozenset({424, 498, 499})


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's, with Groq's own status codes read as what they mean."""
    failure = classify_openai(status, headers, body)
    if status in _BUSY:
        return replace(failure, kind=FailureKind.OVERLOADED)
    if status == 413:
        return replace(failure, kind=FailureKind.CONTEXT_TOO_LONG)
    return failure


KIND = ProviderKind(
    name="groq",
    title="Groq",
    classify=classify,
    signals=groq.SIGNALS,
    base_url="https://api.groq.com/openai/v1",
    dialects=("chat",),
    key_env=("GROQ_API_KEY",),
    base_url_env=("GROQ_BASE_URL",),
    catalog_id="groq",
    docs="https://console.groq.com/keys",
)
