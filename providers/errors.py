"""Reads an upstream's refusal. Order: status, typed code, message patterns last (`reference/provider-signals.md`); status codes lie.

`classify_openai` fits OpenAI and everyone who copied its error body; a kind with a dialect of its own wraps or replaces it.
"""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Callable

import orjson

from providers.transport.port import Headers, header
from routing.facts import Failure, FailureKind

MESSAGE_LIMIT = 500
"""Characters of an upstream's message that donut repeats: enough to act on, too few to carry a prompt."""

_CONTEXT = re.compile(
    r"context[ _]length|context[ _]window|context size|maximum context|prompt is too long|maximum prompt length|"
    r"input token count .* exceeds|prompt token count|range of input length",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"credit balance|insufficient balance|used all available credits|monthly spending limit|insufficient_quota", re.IGNORECASE
)
_TOO_LARGE_FOR_LIMIT = re.compile(r"request too large", re.IGNORECASE)
_ABOUT_THE_REQUEST = frozenset({400, 404, 413, 422})
# Such a message may repeat what the client wrote (`Invalid value: 'insufficient_quota'`), and nobody must be able to talk donut into
# ejecting a replica: of our own trouble only a sentence that begins with it is believed.
_OUR_TROUBLE = re.compile(r"\s*(?:api key not valid|invalid api key|incorrect api key|your credit balance)", re.IGNORECASE)
_OVERLOAD_CODES = frozenset({"overloaded_error", "server_is_overloaded", "provider_overloaded", "capacity_exceeded"})
_CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_CREDIT_CODES = frozenset({"insufficient_quota", "billing_error", "payment_required", "quota_exceeded", "usage_limit_reached"})
# Bedrock's throttling text reads like a context error; the type says otherwise and is asked first.
_RATE_CODES = frozenset({"rate_limit_exceeded", "rate_limited", "rate_limit_error", "ThrottlingException"})
_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_GO_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_until(value: str, now_epoch_s: float | None = None) -> float | None:
    """A wait in seconds from any of: seconds (`20`, `1.5`), a Go duration (`6m0s`, `20ms`), an HTTP date. None if it is neither.

    An HTTP date needs `now_epoch_s`; without it (pure callers have no clock) the answer's own Date header does, see `retry_after`.
    """
    text = value.strip()
    try:
        return _wait(float(text))
    except ValueError:
        pass
    parts = _GO_DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return _wait(sum(float(number) * _GO_UNIT_S[unit] for number, unit in parts))
    until_epoch_s = _epoch_s(text)
    return None if now_epoch_s is None or until_epoch_s is None else _wait(until_epoch_s - now_epoch_s)


def _wait(seconds: float) -> float | None:
    """A wait is never negative; one that is no number, or endless, says nothing."""
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _epoch_s(date: str) -> float | None:
    """An HTTP date in seconds since 1970, or None."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):  # what the email package raises on odd input
        return None


def retry_after(headers: Headers) -> float | None:
    """`retry-after-ms` before `retry-after`; a date is measured against the answer's own Date header, so no clock is read."""
    millis = header(headers, b"retry-after-ms")
    if millis is not None:
        try:
            return _wait(float(millis) / 1000)
        except ValueError:
            pass
    value = header(headers, b"retry-after")
    if value is None:
        return None
    sent = header(headers, b"date")
    return seconds_until(value.decode("latin-1"), None if sent is None else _epoch_s(sent.decode("latin-1")))


def read_error(body: bytes) -> tuple[str, str, str]:
    """(code, type, message) of an error body in any of the shapes seen in the wild; empty strings where there is none."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", "", body[:MESSAGE_LIMIT].decode("utf-8", "replace").strip()
    if isinstance(data, list) and data:  # Gemini's OpenAI endpoint wraps the object into a list
        data = data[0]
    if not isinstance(data, dict):
        return "", "", ""
    error = data.get("error", data)
    if isinstance(error, str):
        return str(data.get("code") or ""), "", error[:MESSAGE_LIMIT]
    if not isinstance(error, dict):
        return "", "", ""
    message = error.get("message") or data.get("message") or data.get("detail") or ""
    return str(error.get("code") or ""), str(error.get("type") or ""), str(message)[:MESSAGE_LIMIT]


def kind_of(status: int, code: str, type_: str, message: str) -> FailureKind:
    """The kind of a failure from its status and the three words of its body: the first rule that fits."""
    words = frozenset({code, type_})
    return next((kind for kind, fits in _RULES if fits(status, words, message)), FailureKind.BAD_REQUEST)


_Rule = Callable[[int, frozenset[str], str], bool]

_RULES: tuple[tuple[FailureKind, _Rule], ...] = (
    (FailureKind.PROTOCOL, lambda status, words, message: 300 <= status < 400),
    (
        FailureKind.UNAUTHORIZED,
        lambda status, words, message: (
            status in (401, 402, 403) or bool(words & _CREDIT_CODES) or (status not in _ABOUT_THE_REQUEST and bool(_CREDIT.search(message)))
        ),
    ),
    (
        FailureKind.CONTEXT_TOO_LONG,
        lambda status, words, message: bool(words & _CONTEXT_CODES) or (status in (400, 413, 422) and bool(_CONTEXT.search(message))),
    ),
    # One request above the per-minute limit: the same key will never take it, a larger window or limit may.
    (FailureKind.CONTEXT_TOO_LONG, lambda status, words, message: status == 429 and bool(_TOO_LARGE_FOR_LIMIT.search(message))),
    (FailureKind.RATE_LIMITED, lambda status, words, message: status == 429 or bool(words & _RATE_CODES)),
    (FailureKind.OVERLOADED, lambda status, words, message: status >= 500 or status == 498 or bool(words & _OVERLOAD_CODES)),
    (FailureKind.NOT_FOUND, lambda status, words, message: status == 404 or "model_not_found" in words),
    (FailureKind.STALLED, lambda status, words, message: status == 408),
    (FailureKind.UNAUTHORIZED, lambda status, words, message: status == 400 and bool(_OUR_TROUBLE.match(message))),
)


def classify_openai(status: int, headers: Headers, body: bytes) -> Failure:
    """The failure behind an OpenAI-style error answer."""
    code, type_, message = read_error(body)
    kind = kind_of(status, code, type_, message)
    if 300 <= status < 400:
        message = f"the upstream answered with a redirect ({status}), which donut does not follow"
    return Failure(kind, message or f"HTTP {status} with no message", retry_after(headers), status)
