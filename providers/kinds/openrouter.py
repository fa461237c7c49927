"""OpenRouter: many hosts behind one key. Its errors carry a stable `error_type`, which is asked before anything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from providers.error_codes import ERROR_TYPES
from providers.errors import classify_openai, error_member
from providers.ports import ProviderKind
from providers.signals import openrouter
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind

_REASONS: Mapping[str, FailureKind] = {
    # Two kinds of 402 that no payment mends: open requests hold the budget for a moment, or this one alone weighs more than it.
    "in_flight_budget_exhausted": FailureKind.RATE_LIMITED,
    "weight_exceeds_budget": FailureKind.REQUEST_TOO_LARGE,
}
_WORDS: Mapping[str, FailureKind] = {**_REASONS, **ERROR_TYPES}
_CAN_AFFORD_LESS = re.compile(r"can only afford", re.IGNORECASE)
"""A 402 for one request whose `max_tokens` cost more than the credit that is left; a smaller one is still answered."""


def _told(body: bytes) -> FailureKind | None:
    """What a `reason`, and after it the stable `error_type`, says, wherever this answer keeps them; None when it has neither."""
    error = error_member(body)
    metadata = error.get("metadata")
    places: list[Mapping[str, object]] = [metadata if isinstance(metadata, dict) else {}, error]
    found = (place.get(key) for key in ("reason", "error_type", "type", "code") for place in places)
    return next((_WORDS[word] for word in found if isinstance(word, str) and word in _WORDS), None)


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's, unless it says itself what kind of error it is."""
    failure = classify_openai(status, headers, body)
    kind = _told(body) or failure.kind
    if kind is FailureKind.QUOTA_EXHAUSTED and _CAN_AFFORD_LESS.search(failure.message):
        kind = FailureKind.REQUEST_TOO_LARGE
    return replace(failure, kind=kind)


KIND = ProviderKind(
    name="openrouter",
    title="OpenRouter",
    classify=classify,
    signals=openrouter.SIGNALS,
    base_url="https://openrouter.ai/api/v1",
    key_env=("OPENROUTER_API_KEY",),
    base_url_env=("OPENROUTER_BASE_URL",),
    forward_headers=frozenset({b"http-referer", b"x-title"}),
    catalog_id="openrouter",
    docs="https://openrouter.ai/settings/keys",
)
