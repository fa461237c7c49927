"""OpenAI's error object: what it says inside an answer, and how ours are written in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from providers.errors import MESSAGE_LIMIT, classify_openai, read_error
from routing.facts import Failure, FailureKind

_STATUS = re.compile(r"[45]\d\d", re.ASCII)
_ERROR_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}


def failure_in(data: Mapping[str, Any], raw: bytes) -> Failure | None:
    """The error object that an upstream hid inside a 200, if there is one. `raw` is `data` before it was parsed."""
    error = data.get("error")
    if not error:
        return None
    code, _, message = read_error(raw)
    status = int(code) if _STATUS.fullmatch(code) else 500
    failure = classify_openai(status, [], raw)
    if failure.kind is FailureKind.OVERLOADED and not message:
        return Failure(failure.kind, f"the upstream sent an error inside its answer: {raw[:MESSAGE_LIMIT].decode('utf-8', 'replace')}")
    return Failure(failure.kind, failure.message, failure.retry_after_s, None)


def error_object(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """`code` is always a string: Qwen Code dies on an integer (reference/clients.md)."""
    type_ = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


def error_of(failure: Failure) -> dict[str, Any]:
    """A failure inside an answer, as a client of this format would expect it."""
    status = failure.policy.client_status or failure.upstream_status or 400
    return error_object(status, failure.policy.error_code, failure.message)
