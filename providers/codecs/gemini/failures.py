"""Google's error object and ours, both ways. https://cloud.google.com/apis/design/errors, https://ai.google.dev/gemini-api/docs/troubleshooting"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers.errors import MESSAGE_LIMIT, kind_of
from providers.waits import seconds_until
from routing.facts import Failure, FailureKind

_WORD_OF: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
_STATUS_OF: Mapping[str, int] = {word: status for status, word in sorted(_WORD_OF.items(), reverse=True)}
_TYPE = "type.googleapis.com/google.rpc."

_REASONS: Mapping[str, FailureKind] = {
    "API_KEY_INVALID": FailureKind.UNAUTHORIZED,  # with a 400
    "API_KEY_EXPIRED": FailureKind.UNAUTHORIZED,
    "SERVICE_DISABLED": FailureKind.UNAUTHORIZED,
    "CONSUMER_SUSPENDED": FailureKind.UNAUTHORIZED,
    "BILLING_DISABLED": FailureKind.QUOTA_EXHAUSTED,
    "INSUFFICIENT_G1_CREDITS_BALANCE": FailureKind.QUOTA_EXHAUSTED,
    # With the 429 of a rate limit, which it is not: the model is short of machines, whoever asks.
    "MODEL_CAPACITY_EXHAUSTED": FailureKind.OVERLOADED,
}
"""`ErrorInfo.reason` where it says better than the status what is wrong."""
LONG_WAIT_S = 3600.0
"""A quota per day ends at midnight in California, whatever `retryDelay` says: stay away for as long as the router believes anybody."""


def error_object(status: int, code: str, message: str, retry_after_s: float | None = None) -> dict[str, Any]:
    """`code` is donut's stable word; Google has `ErrorInfo.reason` for such. Gemini CLI waits as long as `RetryInfo` says."""
    details: list[dict[str, Any]] = [{"@type": f"{_TYPE}ErrorInfo", "reason": code, "domain": "donut"}]
    if retry_after_s is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{retry_after_s:g}s"})
    word = _WORD_OF.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    return {"error": {"code": status, "message": message, "status": word, "details": details}}


def failure_of(status: int, error: Mapping[str, Any]) -> Failure:
    """The failure behind the `error` member of an answer with this status."""
    message = str(error.get("message") or "")[:MESSAGE_LIMIT]
    kind = _kind(status, error, message)
    return Failure(kind, message, _wait_s(error) if kind is FailureKind.RATE_LIMITED else None, status)


def _kind(status: int, error: Mapping[str, Any], message: str) -> FailureKind:
    for detail in _details(error):
        if (kind := _REASONS.get(str(detail.get("reason")))) is not None:
            return kind
    if error.get("status") == "FAILED_PRECONDITION":  # no free tier in the account's country, billing is off
        return FailureKind.UNAUTHORIZED
    return kind_of(status, str(error.get("code") or ""), str(error.get("status") or ""), message)


def failure_inside(data: Mapping[str, Any]) -> Failure:
    """The failure behind an error that came inside a 200."""
    error = data.get("error")
    if not isinstance(error, Mapping):
        return Failure(FailureKind.OVERLOADED, str(error)[:MESSAGE_LIMIT] if error else "the upstream sent an error without words")
    code = error.get("code")
    is_status = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600
    status = code if is_status and isinstance(code, int) else _STATUS_OF.get(str(error.get("status")), 500)
    failure = failure_of(status, error)
    words = failure.message or f"the upstream sent `{error.get('status')}` inside its answer"
    return Failure(failure.kind, words, failure.retry_after_s)


def status_of(failure: Failure) -> int:
    """The status under which a client of this format would expect the failure."""
    return failure.policy.client_status or failure.upstream_status or 400


def _wait_s(error: Mapping[str, Any]) -> float | None:
    for detail in _details(error):
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, Mapping) and "PerDay" in str(violation.get("quotaId")):
                return LONG_WAIT_S
        if detail.get("reason") == "QUOTA_EXHAUSTED":
            return LONG_WAIT_S
    waits = (seconds_until(delay) for detail in _details(error) if isinstance(delay := detail.get("retryDelay"), str))
    return next((wait for wait in waits if wait is not None), None)


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    details = error.get("details")
    return (detail for detail in (details if isinstance(details, list) else ()) if isinstance(detail, Mapping))
