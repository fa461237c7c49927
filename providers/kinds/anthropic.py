"""Anthropic. https://docs.anthropic.com/en/api/errors, https://docs.anthropic.com/en/api/rate-limits"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from providers.codecs.messages.failures import kind_in
from providers.errors import classify_openai, error_member
from providers.ports import ProviderKind
from providers.signals import anthropic
from providers.transport.port import Headers
from providers.waits import sent_s
from routing.facts import Failure, FailureKind

API_VERSION = b"2023-06-01"
"""What donut asks for where the client does not say: the codec speaks it, and unlike 2026-10-21 it still takes `temperature`."""

_HAS_VERSION = re.compile(r"/v\d+\w*$")


def target(base_path: str, paths: Mapping[str, str], dialect: str, upstream_model: str) -> str:
    """`ANTHROPIC_BASE_URL` is written without `/v1` by convention (the SDKs add it), donut's `base_url`s with it: both are fine."""
    del upstream_model
    base = base_path.rstrip("/")
    return (base if _HAS_VERSION.search(base) else f"{base}/v1") + paths[dialect]


def api_key(key: str) -> Headers:
    return [(b"x-api-key", key.encode())]


def classify(status: int, headers: Headers, body: bytes) -> Failure:
    """The failure behind an error answer. Pure; never raises."""
    failure = classify_openai(status, headers, body)
    if status < 400:
        return failure
    kind, wait_s = kind_in(status, error_member(body)), failure.retry_after_s
    if kind is FailureKind.BAD_REQUEST:
        kind = failure.kind  # which knows whether the answer's headers ask for another try
    if kind is FailureKind.RATE_LIMITED and wait_s is None:
        wait_s = _until_reset(headers)
    return replace(failure, kind=kind, retry_after_s=wait_s)


def _until_reset(headers: Headers) -> float | None:
    """Seconds until every limit that was hit is lifted; measured against the answer's own date, so that no clock is read."""
    now_s = sent_s(headers)
    limits = () if now_s is None else anthropic.SIGNALS.read_headers(headers, now_s)
    waits = [limit.resets_in_s for limit in limits if (limit.is_spent or limit.left == 0.0) and limit.resets_in_s is not None]
    return max(waits, default=None)


KIND = ProviderKind(
    name="anthropic",
    title="Anthropic",
    classify=classify,
    signals=anthropic.SIGNALS,
    base_url="https://api.anthropic.com/v1",
    dialects=("messages",),
    target=target,
    auth=api_key,
    key_env=("ANTHROPIC_API_KEY",),
    base_url_env=("ANTHROPIC_BASE_URL",),
    default_headers=((b"anthropic-version", API_VERSION),),
    forward_headers=frozenset({b"anthropic-beta", b"anthropic-version"}),
    catalog_id="anthropic",
    docs="https://console.anthropic.com/settings/keys",
)
