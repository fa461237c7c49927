"""OpenRouter: many hosts behind one key. Its errors carry a stable `error_type`, which is asked before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.transport.port import Headers
from routing.facts import Failure, FailureKind

_BY_ERROR_TYPE: Mapping[str, FailureKind] = {
    "context_length_exceeded": FailureKind.CONTEXT_TOO_LONG,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "provider_overloaded": FailureKind.OVERLOADED,
    "payment_required": FailureKind.UNAUTHORIZED,
    "not_found": FailureKind.NOT_FOUND,
    # Both mean "no" to the content. Shopping for a laxer host is not donut's business.
    "content_policy_violation": FailureKind.BAD_REQUEST,
    "refusal": FailureKind.BAD_REQUEST,
    # Two kinds of 402 that no payment mends: open requests hold the budget for a moment, or this one alone weighs more than it.
    "in_flight_budget_exhausted": FailureKind.RATE_LIMITED,
    "weight_exceeds_budget": FailureKind.CONTEXT_TOO_LONG,
}


def _error_type(body: bytes) -> str:
    """The `error_type` wherever this answer keeps it; empty when it has none."""
    try:
        data: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    error = data.get("error") if isinstance(data, dict) else None
    if not isinstance(error, dict):
        return ""
    metadata = error.get("metadata")
    places: list[Any] = [metadata if isinstance(metadata, dict) else {}, error, data]
    found = (place.get(key) for place in places for key in ("error_type", "type", "reason", "code"))
    return next((value for value in found if isinstance(value, str) and value in _BY_ERROR_TYPE), "")


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """As OpenAI's, unless `error_type` says it better."""
    failure = classify_openai(status, headers, body)
    error_type = _error_type(body)
    return replace(failure, kind=_BY_ERROR_TYPE[error_type]) if error_type else failure


KIND = ProviderKind(
    name="openrouter",
    title="OpenRouter",
    classify=classify,
    base_url="https://openrouter.ai/api/v1",
    key_env=("OPENROUTER_API_KEY",),
    base_url_env=("OPENROUTER_BASE_URL",),
    forward_headers=frozenset({b"http-referer", b"x-title"}),
    catalog_id="openrouter",
    docs="https://openrouter.ai/settings/keys",
)
