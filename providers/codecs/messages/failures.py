"""Anthropic's error object and ours, both ways. https://docs.anthropic.com/en/api/errors"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.errors import MESSAGE_LIMIT, kind_of
from routing.facts import Failure, FailureKind

_STATUS_OF: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TYPE_OF: Mapping[int, str] = {
    **{status: type_ for type_, status in _STATUS_OF.items()},
    503: "overloaded_error",
}
TOO_LONG = "prompt is too long"
"""The words by which Claude Code knows that it has to compact (recorded: it does so on a 400 that says them)."""

_PARKED = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached", "linked_organization_spend_limit_reached",
                     "linked_organization_billing_unavailable", "organization_on_hold"})  # fmt: skip
"""`error.details.error_code` of accounts that will not answer before a person does something."""
_OVER_THE_WINDOW = ("exceed context limit", "exceeds the maximum allowed number of input tokens")


def error_type(status: int) -> str:
    """Anthropic's word for an HTTP status."""
    return _TYPE_OF.get(status, "invalid_request_error" if status < 500 else "api_error")


def error_object(status: int, code: str, message: str) -> dict[str, Any]:
    """`code` is donut's stable word, which Anthropic's format has no member for; its clients pass over what they do not know."""
    if code == "context_length_exceeded" and TOO_LONG not in message.lower():
        message = f"{TOO_LONG}: {message}"
    return {"type": "error", "error": {"type": error_type(status), "message": message, "code": code}}


def kind_in(status: int, error: Mapping[str, Any]) -> FailureKind:
    """What kind of failure the `error` member of a body with this status is."""
    type_, message = str(error.get("type") or ""), str(error.get("message") or "")
    details = error.get("details")
    if isinstance(details, Mapping) and details.get("error_code") in _PARKED:
        return FailureKind.QUOTA_EXHAUSTED
    if status == 413 or (status == 400 and any(words in message for words in _OVER_THE_WINDOW)):
        return FailureKind.CONTEXT_TOO_LONG
    return kind_of(status, str(error.get("code") or ""), type_, message)


def failure_inside(data: Mapping[str, Any]) -> Failure:
    """The failure behind an error that came inside a 200: an `error` event, or a body of type `error`."""
    error = data.get("error")
    if not isinstance(error, Mapping):
        told = str(error or "the upstream sent an error without words")[:MESSAGE_LIMIT]
        return Failure(kind_of(500, "", "", told), told)
    status = _STATUS_OF.get(str(error.get("type")), 500)
    message = str(error.get("message") or "")[:MESSAGE_LIMIT]
    return Failure(kind_in(status, error), message or f"the upstream sent `{error.get('type')}` inside its answer")


def status_of(failure: Failure) -> int:
    """The status under which a client of this format would expect the failure: what names its error type in a stream."""
    return failure.policy.client_status or failure.upstream_status or 400
