"""Anthropic as a provider: its errors and waits, its addresses, and which of a client's headers reach it."""

from __future__ import annotations

import orjson
import pytest

from providers.kinds.anthropic import API_VERSION, KIND
from providers.transport.port import Headers
from proxy.headers import to_upstream
from routing.facts import FailureKind

DATE = (b"date", b"Sat, 21 Nov 2026 12:00:00 GMT")


def failing(
    status: int, type_: str, message: str = "x", headers: Headers | None = None, **details: str
) -> tuple[FailureKind, float | None]:
    body = {
        "type": "error",
        "error": {"type": type_, "message": message, **({"details": details} if details else {})},
        "request_id": "req_1",
    }
    failure = KIND.classify(status, headers or [], orjson.dumps(body))
    assert failure.message == message
    return failure.kind, failure.retry_after_s


@pytest.mark.parametrize(
    ("status", "type_", "message", "kind"),
    [
        (529, "overloaded_error", "Overloaded", FailureKind.OVERLOADED),
        (500, "api_error", "Internal server error", FailureKind.OVERLOADED),
        (504, "timeout_error", "x", FailureKind.OVERLOADED),
        (429, "rate_limit_error", "x", FailureKind.RATE_LIMITED),
        (413, "request_too_large", "Request exceeds the maximum size", FailureKind.CONTEXT_TOO_LONG),
        (400, "invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum", FailureKind.CONTEXT_TOO_LONG),
        (400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 9 + 9 > 12", FailureKind.CONTEXT_TOO_LONG),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", FailureKind.QUOTA_EXHAUSTED),
        (402, "billing_error", "x", FailureKind.QUOTA_EXHAUSTED),
        (401, "authentication_error", "invalid x-api-key", FailureKind.UNAUTHORIZED),
        (403, "permission_error", "x", FailureKind.UNAUTHORIZED),
        (404, "not_found_error", "model: claude-nope", FailureKind.NOT_FOUND),
        (400, "invalid_request_error", "Output blocked by content filtering policy", FailureKind.CONTENT_POLICY),
        (400, "invalid_request_error", "messages.1: the user wrote: your credit balance is too low", FailureKind.BAD_REQUEST),
    ],
)
def test_errors(status: int, type_: str, message: str, kind: FailureKind) -> None:
    assert failing(status, type_, message)[0] is kind


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached", "organization_on_hold"])
def test_an_account_that_waits_for_a_person_is_no_rate_limit(code: str) -> None:
    assert failing(429, "rate_limit_error", error_code=code)[0] is FailureKind.QUOTA_EXHAUSTED


def test_a_ramp_is_one() -> None:
    assert failing(429, "rate_limit_error", error_code="ramp_limit_exceeded", headers=[(b"retry-after", b"7")]) == (
        FailureKind.RATE_LIMITED,
        7.0,
    )


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ([], None),
        ([(b"retry-after", b"20"), (b"anthropic-ratelimit-tokens-remaining", b"0")], 20.0),
        ([DATE, (b"anthropic-ratelimit-requests-remaining", b"0"), (b"anthropic-ratelimit-requests-reset", b"2026-11-21T12:00:30Z")], 30.0),
        ([DATE, (b"anthropic-ratelimit-requests-remaining", b"5"), (b"anthropic-ratelimit-requests-reset", b"2026-11-21T12:00:30Z")], None),
        ([(b"anthropic-ratelimit-requests-remaining", b"0"), (b"anthropic-ratelimit-requests-reset", b"2026-11-21T12:00:30Z")], None),
        ([DATE, (b"anthropic-ratelimit-tokens-remaining", b"0"), (b"anthropic-ratelimit-tokens-reset", b"soon")], None),
        (
            [
                DATE,
                (b"anthropic-ratelimit-unified-status", b"rejected"),
                (b"anthropic-ratelimit-unified-representative-claim", b"seven_day"),
                (b"anthropic-ratelimit-unified-5h-reset", b"1795262401"),
                (b"anthropic-ratelimit-unified-7d-reset", b"1795266000"),
            ],
            3600.0,
        ),
    ],
)
def test_how_long_to_stay_away(headers: Headers, wait_s: float | None) -> None:
    assert failing(429, "rate_limit_error", headers=headers) == (FailureKind.RATE_LIMITED, wait_s)


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/"])
def test_a_base_url_with_and_without_its_version(base: str) -> None:
    assert KIND.target(base, KIND.paths, "messages", "m") == "/v1/messages"


def test_the_clients_version_and_beta_flags_reach_it_and_there_is_always_a_version() -> None:
    def sent(*headers: tuple[bytes, bytes]) -> Headers:
        return to_upstream(list(headers), KIND.forward_headers, KIND.default_headers)

    mine = [(b"anthropic-version", b"2026-10-21"), (b"anthropic-beta", b"effort-2025-11-24")]
    assert sent(*mine, (b"x-api-key", b"client")) == mine
    assert sent((b"accept", b"*/*")) == [(b"accept", b"*/*"), (b"anthropic-version", API_VERSION)]
    assert to_upstream(mine, frozenset()) == [], "a client's beta flags are nobody else's"
