"""The errors that come inside a Responses answer and ours, both ways. https://platform.openai.com/docs/api-reference/responses/object"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.errors import MESSAGE_LIMIT, kind_of
from routing.facts import Failure, FailureKind

_ABOUT_THE_REQUEST = ("invalid_", "image_", "unsupported_", "empty_", "failed_to_download", "bio_policy", "misalignment_policy")
"""How codes begin that blame what the client sent."""

_CODES: Mapping[FailureKind, str] = {
    FailureKind.RATE_LIMITED: "rate_limit_exceeded",
    FailureKind.CONTEXT_TOO_LONG: "context_length_exceeded",
    FailureKind.REQUEST_TOO_LARGE: "context_length_exceeded",
    FailureKind.QUOTA_EXHAUSTED: "insufficient_quota",
    FailureKind.BAD_REQUEST: "invalid_prompt",
    FailureKind.CONTENT_POLICY: "invalid_prompt",
    FailureKind.NOT_FOUND: "model_not_found",
}
"""Codex retries after `server_error` and `rate_limit_exceeded`, and stops at the others (reference/clients.md). It stops at
`server_is_overloaded` as well, so an overload is told as `server_error`: trying again is right."""


def code_of(kind: FailureKind) -> str:
    """What the client is told in `error.code`."""
    return _CODES.get(kind, "server_error")


def error_member(kind: FailureKind, message: str, donuts_code: str) -> dict[str, Any]:
    """`response.error`. Donut's own stable word stands in `type`, which the API gives to the original error's."""
    return {"code": code_of(kind), "message": message, "type": donuts_code, "param": None}


def failure_in(error: object) -> Failure:
    """The failure behind `response.error`, an `error` event, or the `error` member of a body inside a 200."""
    if not isinstance(error, Mapping):
        told = str(error or "the upstream sent an error without words")[:MESSAGE_LIMIT]
        return Failure(kind_of(500, "", "", told), told)
    code, type_ = str(error.get("code") or ""), str(error.get("type") or "")
    message = str(error.get("message") or "")[:MESSAGE_LIMIT]
    status = 400 if code.startswith(_ABOUT_THE_REQUEST) or type_ == "invalid_request_error" else 500
    kind = kind_of(status, code, type_, message)
    return Failure(kind, message or f"the upstream sent the error `{code or type_}` inside its answer")
