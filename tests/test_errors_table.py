"""Every row of reference/provider-signals.md, "Error bodies and what to do", as the vendor sends it to the kind that speaks with it.

`test_providers_errors.py` has the same behind a plain OpenAI-compatible address; `test_kinds_errors.py` the statuses that lie.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

import providers.kinds
from config.discovery import discover
from providers.error_codes import CODES, ERROR_TYPES
from providers.errors import classify_openai
from providers.ports import ProviderKind
from providers.transport.port import Headers
from routing.facts import FAILURES, FailureKind

KINDS = discover(providers.kinds, "KIND", ProviderKind)
DATE = (b"date", b"Sat, 21 Nov 2026 12:00:00 GMT")
NOON_EPOCH_S = 1795262400

RATE, SPENT, BUSY = FailureKind.RATE_LIMITED, FailureKind.QUOTA_EXHAUSTED, FailureKind.OVERLOADED
CONTEXT, TOO_LARGE, POLICY = FailureKind.CONTEXT_TOO_LONG, FailureKind.REQUEST_TOO_LARGE, FailureKind.CONTENT_POLICY
KEY, MISSING, STALLED, THEIRS = FailureKind.UNAUTHORIZED, FailureKind.NOT_FOUND, FailureKind.STALLED, FailureKind.BAD_REQUEST


class Case(NamedTuple):
    vendor: str
    status: int
    body: str
    kind: FailureKind
    wait_s: float | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


def openai(message: str = "x", type_: str | None = None, code: str | int | None = None, **more: object) -> str:
    return json.dumps({"error": {"message": message, "type": type_, "param": None, "code": code, **more}})


def anthropic(type_: str, message: str = "x", error_code: str | None = None) -> str:
    error = {"type": type_, "message": message, **({"details": {"error_code": error_code}} if error_code else {})}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"})


def google(status: int, word: str, message: str = "x", *details: dict[str, object]) -> str:
    return json.dumps({"error": {"code": status, "message": message, "status": word, "details": list(details)}})


def quota(id_: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id_, "quotaValue": "50"}]}


def reason(word: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word}


def router(status: int, error_type: str | None = None, message: str = "x", **metadata: object) -> str:
    return json.dumps(
        {"error": {"code": status, "message": message, "metadata": {"error_type": error_type, **metadata}}, "user_id": "user_1"}
    )


RETRY_INFO: dict[str, object] = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "26s"}
XAI_SPENT = '{"code":"x","error":"Your team T has either used all available credits or reached its monthly spending limit."}'
CASES = [
    Case("openai", 429, openai("Rate limit reached. Please try again in 6s.", "tokens", "rate_limit_exceeded"), RATE, 6.0),
    Case("openai", 429, openai("Please try again in 6m0s.", "requests", "rate_limit_exceeded"), RATE, 360.0),
    Case("openai", 429, openai("try again in 6s", "requests", "rate_limit_exceeded"), RATE, 0.3, ((b"retry-after-ms", b"300"),)),
    Case("openai", 429, openai("Request too large for gpt-6 on tokens per min (TPM)", "tokens", "rate_limit_exceeded"), TOO_LARGE),
    Case("openai", 429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), SPENT),
    Case("openai", 402, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), SPENT),
    Case("openai", 503, openai("The engine is currently overloaded, please try again later"), BUSY),
    Case("openai", 503, openai("Slow Down", "rate_limit"), BUSY),
    Case("openai", 500, openai("The server had an error", "server_error"), BUSY),
    Case("openai", 400, openai("x", "invalid_request_error", "context_length_exceeded"), CONTEXT),
    Case("openai", 400, openai("Your input exceeds the context window of this model."), CONTEXT),
    Case("openai", 400, openai("x", "invalid_request_error", "content_policy_violation"), POLICY),
    Case("openai", 400, openai("x", "invalid_request_error", "invalid_prompt"), THEIRS),
    Case("openai", 400, openai("x", "invalid_request_error", "bio_policy"), POLICY),
    Case("openai", 400, openai("x", "invalid_request_error", "misalignment_policy_violation"), POLICY),
    Case("openai", 401, openai("Incorrect API key provided", "invalid_request_error", "invalid_api_key"), KEY),
    Case("openai", 404, openai("The model `x` does not exist", "invalid_request_error", "model_not_found"), MISSING),
    Case("openai", 403, openai("Project p does not have access to model", "invalid_request_error", "model_not_found"), MISSING),
    Case("openai", 409, openai("x"), THEIRS),
    Case("openai", 409, openai("x"), BUSY, None, ((b"x-should-retry", b"true"),)),
    Case("openai", 409, openai("x"), THEIRS, None, ((b"x-should-retry", b"false"),)),
    Case("openai", 400, openai("x", None, "content_policy_violation"), POLICY, None, ((b"x-should-retry", b"true"),)),
    Case("anthropic", 429, anthropic("rate_limit_error"), RATE, 7.0, ((b"retry-after", b"7"),)),
    Case("anthropic", 429, anthropic("rate_limit_error", error_code="ramp_limit_exceeded"), RATE, 7.0, ((b"retry-after", b"7"),)),
    Case("anthropic", 429, anthropic("rate_limit_error", error_code="enforced_spend_limit_reached"), SPENT),
    Case("anthropic", 429, anthropic("rate_limit_error", error_code="contract_spend_limit_reached"), SPENT),
    Case("anthropic", 429, anthropic("rate_limit_error", error_code="organization_on_hold"), SPENT),
    Case(
        "anthropic",
        429,
        anthropic("rate_limit_error"),
        RATE,
        7200.0,
        (
            DATE,
            (b"anthropic-ratelimit-unified-status", b"rejected"),
            (b"anthropic-ratelimit-unified-5h-status", b"rejected"),
            (b"anthropic-ratelimit-unified-5h-utilization", b"1.0"),
            (b"anthropic-ratelimit-unified-5h-reset", b"%d" % (NOON_EPOCH_S + 7200)),
        ),
    ),
    Case("anthropic", 409, anthropic("invalid_request_error"), BUSY, None, ((b"x-should-retry", b"true"),)),
    Case("anthropic", 529, anthropic("overloaded_error"), BUSY),
    Case("anthropic", 504, anthropic("timeout_error"), BUSY),
    Case("anthropic", 500, anthropic("api_error"), BUSY),
    Case("anthropic", 402, anthropic("billing_error"), SPENT),
    Case("anthropic", 400, anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), SPENT),
    Case("anthropic", 400, anthropic("invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum"), CONTEXT),
    Case("anthropic", 413, anthropic("request_too_large"), CONTEXT),
    Case("anthropic", 400, anthropic("invalid_request_error", "Output blocked by content filtering policy"), POLICY),
    Case("anthropic", 401, anthropic("authentication_error"), KEY),
    Case("anthropic", 403, anthropic("permission_error"), KEY),
    Case("anthropic", 404, anthropic("not_found_error"), MISSING),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", "x", quota("GenerateRequestsPerMinute-FreeTier"), RETRY_INFO), RATE, 26.0),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", "x", quota("GenerateRequestsPerDay-FreeTier"), RETRY_INFO), RATE, 3600.0),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", "x", reason("QUOTA_EXHAUSTED")), RATE, 3600.0),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", "x", reason("INSUFFICIENT_G1_CREDITS_BALANCE")), SPENT),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", "x", reason("MODEL_CAPACITY_EXHAUSTED")), BUSY),
    Case("gemini", 402, google(402, "RESOURCE_EXHAUSTED", "Your prepaid credits are used up"), SPENT),
    Case("gemini", 503, google(503, "UNAVAILABLE", "The model is overloaded."), BUSY),
    Case("gemini", 400, google(400, "INVALID_ARGUMENT", "The input token count (2000001) exceeds the maximum"), CONTEXT),
    Case("gemini", 400, google(400, "INVALID_ARGUMENT", "API key not valid.", reason("API_KEY_INVALID")), KEY),
    Case("gemini", 404, google(404, "NOT_FOUND"), MISSING),
    *(Case("openrouter", 400, router(400, word), kind) for word, kind in ERROR_TYPES.items()),
    Case("openrouter", 402, router(402), SPENT),
    Case("openrouter", 402, router(402, "payment_required", reason="in_flight_budget_exhausted"), RATE),
    Case("openrouter", 402, router(402, "payment_required", reason="weight_exceeds_budget"), TOO_LARGE),
    Case("openrouter", 402, router(402, "payment_required", "You requested 9 tokens, but can only afford 5."), TOO_LARGE),
    Case("openrouter", 402, router(402, None, reason="in_flight_budget_exhausted"), RATE, 3.0, ((b"retry-after", b"3"),)),
    *(
        Case("openrouter", status, router(status, "unmapped"), kind)
        for status, kind in (
            (400, THEIRS), (401, KEY), (403, KEY), (404, MISSING), (408, STALLED), (413, TOO_LARGE), (422, THEIRS), (429, RATE),
            (500, BUSY), (502, BUSY), (503, BUSY), (524, BUSY), (529, BUSY),
        )
    ),
    Case("azure", 429, openai("You exceeded token rate limit of your current tier. Please retry after 7 seconds.", None, "429"), RATE, 7.0),
    Case("azure", 429, openai("exceeded token rate limit. Please retry after 86400 seconds.", None, "429"), TOO_LARGE),
    Case("azure", 400, openai("x", None, "content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}), POLICY),
    Case("azure", 404, openai("The API deployment does not exist", None, "DeploymentNotFound"), MISSING),
    Case("azure", 401, openai("Access denied", None, "401"), KEY),
    Case("groq", 429, openai("try again in 2m59.56s", "tokens", "rate_limit_exceeded"), RATE, 179.56),
    Case("groq", 498, openai("x", None, "capacity_exceeded"), BUSY),
    Case("groq", 413, openai("Request Entity Too Large"), CONTEXT),
    Case("groq", 499, "", BUSY),
    Case("groq", 424, "", BUSY),
    Case("cerebras", 429, '{"message":"x","type":"too_many_tokens_error","code":"token_quota_exceeded"}', RATE),
    Case("cerebras", 429, '{"message":"x","type":"too_many_requests_error","code":"request_quota_exceeded"}', RATE),
    Case("cerebras", 429, '{"message":"x","type":"too_many_requests_error","code":"queue_exceeded"}', BUSY),
    Case("cerebras", 402, "", SPENT),
    Case("cerebras", 400, "", CONTEXT),
    Case("cerebras", 413, "", CONTEXT),
    Case("mistral", 429, '{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300"}', RATE),
    Case("mistral", 429, '{"message":"Service tier capacity exceeded for this model.","type":"invalid_request_error","code":null}', BUSY),
    Case("deepseek", 400, openai("Failed to deserialize the JSON body"), THEIRS),
    Case("deepseek", 401, openai("Authentication Fails", "authentication_error", "invalid_request_error"), KEY),
    Case("deepseek", 402, openai("Insufficient Balance"), SPENT),
    Case("deepseek", 422, openai("Invalid parameters"), THEIRS),
    Case("deepseek", 429, openai("Concurrency limit"), RATE),
    Case("deepseek", 500, openai("x"), BUSY),
    Case("deepseek", 503, openai("x"), BUSY),
    Case("xai", 429, XAI_SPENT, SPENT),
    Case("xai", 403, XAI_SPENT, SPENT),
    Case("xai", 400, '{"code":"x","error":"This model\'s maximum prompt length is 131072 but the request contains 200000"}', CONTEXT),
    *(Case("zai", 429, openai("x", None, code), RATE) for code in ("1302", "1303", "1304", "1305")),
    Case("zai", 429, openai("x", None, "1312"), BUSY),
    Case("zai", 429, openai("Usage limit reached for 5 hour. It will reset at 2026-11-21 21:00:00", None, "1308"), RATE, 3600.0, (DATE,)),
    Case("zai", 429, openai("Your limit will reset at 2026-11-23 20:00:00", None, "1310"), RATE, 2 * 86400.0, (DATE,)),
    Case("zai", 429, openai("Your limit will reset at 2026-11-23 20:00:00", None, "1310"), RATE),
    Case("zai", 429, openai("Your plan has expired", None, "1309"), SPENT),
    Case("zai", 429, openai("Insufficient balance or no resource package. Please recharge.", None, "1113"), SPENT),
    Case("zai", 400, openai("Prompt too long", None, "1261"), CONTEXT),
    Case("zai", 400, openai("x", None, "1211"), MISSING),
    Case("zai", 400, openai("x", None, "1301"), POLICY),
    *(Case("zai", 401, openai("x", None, code), KEY) for code in ("1000", "1001", "1002", "1003", "1004")),
    # Copilot, the ChatGPT plans, DashScope and Bedrock have no kind of their own: whoever puts a gateway before them says `openai`.
    *(
        Case("openai", 429, openai("x", None, f"{code}:pro_plus"), RATE)
        for code in ("user_global_rate_limited", "user_model_rate_limited", "user_weekly_rate_limited", "integration_rate_limited")
    ),
    Case("openai", 429, openai("x", None, "agent_mode_limit_exceeded"), RATE),
    Case("openai", 429, openai("x", None, "model_overloaded"), BUSY),
    *(
        Case("openai", 402, openai("x", None, code), SPENT)
        for code in ("quota_exceeded", "free_quota_exceeded", "overage_limit_reached", "billing_not_configured")
    ),
    Case("openai", 413, '{"message":"failed to parse request","code":""}', TOO_LARGE),
    Case("openai", 400, openai("prompt token count of 200000 exceeds the limit of 128000"), CONTEXT),
    Case("openai", 429, openai("x", "usage_limit_reached", None, plan_type="plus", resets_in_seconds=90), RATE, 90.0),
    Case("openai", 429, openai("x", "usage_limit_reached", None, resets_at=NOON_EPOCH_S + 600), RATE, 600.0, (DATE,)),
    Case("openai", 429, openai("x", "usage_limit_reached", None, resets_at=NOON_EPOCH_S + 600), RATE),
    Case("openai", 429, openai("x", "usage_not_included", None), SPENT),
    Case("openai", 400, openai("Range of input length should be [1, 30720]"), CONTEXT),
    Case("openai", 429, openai("Too many tokens, please wait before trying again.", "ThrottlingException"), RATE),
    Case("openai", 400, openai("Too many tokens, please wait before trying again.", "ThrottlingException"), RATE),
    Case("ollama", 503, openai("server busy, please try again.  maximum pending requests exceeded"), BUSY),
    Case("ollama", 404, "{\"error\":\"model 'x' not found\"}", MISSING),
    Case("ollama", 502, '{"error":"cloud unreachable"}', BUSY),
    Case("llamacpp", 400, openai("request (5025 tokens) exceeds the available context size", "exceed_context_size_error", 400), CONTEXT),
    Case("llamacpp", 400, openai("model 'nope' not found", "invalid_request_error", 400), MISSING),
    Case("llamacpp", 500, openai("image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"), THEIRS),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{index}-{case.vendor}-{case.status}-{case.kind}" for index, case in enumerate(CASES)])
def test_row(case: Case) -> None:
    failure = KINDS[case.vendor].classify(case.status, list(case.headers), case.body.encode())
    assert (failure.kind, failure.upstream_status) == (case.kind, case.status)
    assert failure.retry_after_s == (None if case.wait_s is None else pytest.approx(case.wait_s))


@pytest.mark.parametrize(
    ("kinds", "elsewhere", "same_again"),
    [
        ((RATE, BUSY), True, True),
        ((CONTEXT, TOO_LARGE), True, False),
        ((SPENT, KEY), True, False),
        ((POLICY, THEIRS), False, False),
    ],
)
def test_what_is_done_about_it(kinds: tuple[FailureKind, ...], elsewhere: bool, same_again: bool) -> None:
    """The table's columns: another replica now, and the same one when some time has passed (a client is told so by its status)."""
    for kind in kinds:
        policy = FAILURES[kind]
        assert policy.try_elsewhere is elsewhere
        assert (policy.client_status in (429, 503)) is same_again


def test_every_word_of_the_taxonomy_is_known() -> None:
    assert len(ERROR_TYPES) == 26, "27, and `unmapped`, which says nothing"
    words = {policy.error_code for policy in FAILURES.values()} & ERROR_TYPES.keys()
    assert words >= {
        "context_length_exceeded", "rate_limit_exceeded", "provider_overloaded", "provider_unavailable", "invalid_request",
        "payload_too_large", "content_policy_violation",
    }  # fmt: skip
    for word in words:
        assert FAILURES[ERROR_TYPES[word]].error_code == word or word == "provider_unavailable"


@pytest.mark.parametrize("word", sorted(CODES))
@pytest.mark.parametrize("member", ["code", "type"])
def test_a_typed_code_is_believed_before_the_status_and_the_sentence(member: str, word: str) -> None:
    message = "Your credit balance is too low: prompt is too long"
    body = json.dumps({"error": {"message": message, member: word}}).encode()
    assert {classify_openai(status, [], body).kind for status in (400, 403, 429, 500)} == {CODES[word]}


def test_what_a_client_wrote_is_no_wait() -> None:
    headers: Headers = []
    assert classify_openai(400, headers, openai("Invalid value: 'try again in 50s'").encode()).retry_after_s is None
