"""Apfel: Apple's on-device model. Chat only, no pictures, and a window of 4096 or 8192 tokens."""

from __future__ import annotations

from dataclasses import replace

from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's, but 501 is "this cannot be done here", which is no ground to think the server ill."""
    failure = classify_openai(status, headers, body)
    return replace(failure, kind=FailureKind.BAD_REQUEST) if status == 501 else failure


KIND = ProviderKind(
    name="apfel",
    title="Apfel",
    classify=classify,
    base_url="http://127.0.0.1:11434/v1",
    dialects=("chat",),
    key_env=("APFEL_TOKEN",),
    is_local=True,
    docs="the value that apfel was started with: --token",
)
