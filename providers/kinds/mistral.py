"""Mistral AI."""

from __future__ import annotations

import re
from dataclasses import replace

from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.signals import mistral
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind

_CAPACITY = re.compile(r"service tier capacity exceeded", re.IGNORECASE)


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's; a 429 for the model's capacity is their shortage, not our rate."""
    failure = classify_openai(status, headers, body)
    return replace(failure, kind=FailureKind.OVERLOADED) if _CAPACITY.search(failure.message) else failure


KIND = ProviderKind(
    name="mistral",
    title="Mistral",
    classify=classify,
    signals=mistral.SIGNALS,
    base_url="https://api.mistral.ai/v1",
    dialects=("chat", "embeddings"),
    key_env=("MISTRAL_API_KEY",),
    base_url_env=("MISTRAL_BASE_URL",),
    catalog_id="mistral",
    docs="https://console.mistral.ai/api-keys",
)
