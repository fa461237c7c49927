"""Anthropic. https://docs.anthropic.com/en/api/errors, https://docs.anthropic.com/en/api/rate-limits"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from providers.codecs.messages.failures import kind_in
from providers.errors import classify_openai, read_error, retry_after
from providers.ports import ProviderKind
from providers.transport.port import Headers, header
from routing.facts import Failure, FailureKind

API_VERSION = b"2023-06-01"
"""What donut asks for where the client does not say: the codec speaks it, and unlike 2026-10-21 it still takes `temperature`."""

_LIMITS = (b"requests", b"tokens", b"input-tokens", b"output-tokens")
_HAS_VERSION = re.compile(r"/v\d+\w*$")
_CLAIMS = {"five_hour": b"5h", "seven_day": b"7d"}
"""A subscription's window as the answer names it → as its headers are named."""


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
    kind = kind_in(status, _error(body))
    wait_s = retry_after(headers)
    if kind is FailureKind.RATE_LIMITED and wait_s is None:
        wait_s = _until_reset(headers)
    return Failure(kind, failure.message, wait_s, status)


def _error(body: bytes) -> Mapping[str, Any]:
    """The `error` member, whatever its shape."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        data = None
    error = data.get("error") if isinstance(data, dict) else None
    if isinstance(error, dict):
        return error
    code, type_, message = read_error(body)
    return {"code": code, "type": type_, "message": message}


def _until_reset(headers: Headers) -> float | None:
    """Seconds until the limit that was hit is lifted; measured against the answer's own date, so that no clock is read.

    Of the API's limits those with nothing left count; of a subscription's windows the one that the answer names.
    """
    sent = header(headers, b"date")
    now_s = None if sent is None else _http_date_s(sent.decode("latin-1"))
    if now_s is None:
        return None
    resets = [_rfc3339_s(_said(headers, b"anthropic-ratelimit-" + limit + b"-reset")) for limit in _LIMITS if _is_used_up(headers, limit)]
    if _said(headers, b"anthropic-ratelimit-unified-status") == "rejected":
        window = _CLAIMS.get(_said(headers, b"anthropic-ratelimit-unified-representative-claim"), b"5h")
        resets.append(_epoch_s(_said(headers, b"anthropic-ratelimit-unified-" + window + b"-reset")))
    waits = [reset_s - now_s for reset_s in resets if reset_s is not None]
    return max(0.0, *waits) if waits else None


def _is_used_up(headers: Headers, limit: bytes) -> bool:
    return _said(headers, b"anthropic-ratelimit-" + limit + b"-remaining") == "0"


def _said(headers: Headers, name: bytes) -> str:
    value = header(headers, name)
    return "" if value is None else value.decode("latin-1").strip()


def _rfc3339_s(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _http_date_s(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):  # what the email package raises on odd input
        return None


def _epoch_s(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


KIND = ProviderKind(
    name="anthropic",
    title="Anthropic",
    classify=classify,
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
