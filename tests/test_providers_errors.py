"""Refusals of upstreams, row by row of reference/provider-signals.md as far as somebody who copied OpenAI's error body may send them.

What single kinds read better than this is in test_kinds_errors.py.
"""

from __future__ import annotations

import email.utils
import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import MESSAGE_LIMIT, classify_openai, read_error
from providers.transport.port import Headers
from providers.waits import retry_after, seconds_until
from routing.facts import FAILURES, FailureKind

RATE, CONTEXT, OURS = FailureKind.RATE_LIMITED, FailureKind.CONTEXT_TOO_LONG, FailureKind.UNAUTHORIZED
BUSY, MISSING, THEIRS = FailureKind.OVERLOADED, FailureKind.NOT_FOUND, FailureKind.BAD_REQUEST
SPENT, POLICY, TOO_LARGE = FailureKind.QUOTA_EXHAUSTED, FailureKind.CONTENT_POLICY, FailureKind.REQUEST_TOO_LARGE


def error(message: str = "", **more: object) -> str:
    return json.dumps({"error": {"message": message, **more}})


ROWS = [
    # OpenAI
    (429, error("Rate limit reached. Please try again in 6s.", type="tokens", code="rate_limit_exceeded"), RATE),
    (429, error("Rate limit reached", type="requests", code="rate_limit_exceeded"), RATE),
    (429, error("Request too large for gpt-6 on tokens per min (TPM): Limit 3000, Requested 90000", code="rate_limit_exceeded"), TOO_LARGE),
    (429, error("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"), SPENT),
    (402, error("Payment required"), SPENT),
    (503, error("The engine is currently overloaded, please try again later"), BUSY),
    (503, error("Slow Down"), BUSY),
    (500, error("The server had an error", type="server_error"), BUSY),
    (400, error("This model's maximum context length is 8192 tokens", code="context_length_exceeded"), CONTEXT),
    (400, error("Your input exceeds the context window of this model."), CONTEXT),
    (400, error("Your request was rejected", code="content_policy_violation"), POLICY),
    (400, error("Invalid prompt", code="invalid_prompt"), THEIRS),
    (401, error("Incorrect API key provided: sk-…", code="invalid_api_key"), OURS),
    (404, error("The model `x` does not exist", code="model_not_found"), MISSING),
    (400, error("The model `x` does not exist", code="model_not_found"), MISSING),
    # Anthropic's errors behind an OpenAI endpoint
    (429, '{"type":"error","error":{"type":"rate_limit_error","message":"Too many requests"},"request_id":"r"}', RATE),
    (529, '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', BUSY),
    (504, '{"type":"error","error":{"type":"timeout_error","message":"Timeout"}}', BUSY),
    (402, '{"type":"error","error":{"type":"billing_error","message":"x"}}', SPENT),
    (400, error("Your credit balance is too low to access the API.", type="invalid_request_error"), SPENT),
    (400, error("prompt is too long: 213462 tokens > 200000 maximum"), CONTEXT),
    (403, error("x", type="permission_error"), OURS),
    # Gemini's OpenAI endpoint wraps its object into a list
    (429, '[{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}]', RATE),
    (503, '[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]', BUSY),
    (400, '[{"error":{"code":400,"message":"The input token count (2000001) exceeds the maximum number of tokens"}}]', CONTEXT),
    (400, '[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]', OURS),
    (404, '[{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}]', MISSING),
    # OpenRouter's statuses
    (408, error("Timeout", code=408), FailureKind.STALLED),
    (422, error("Unprocessable", code=422), THEIRS),
    (502, error("Provider returned error", code=502), BUSY),
    (524, error("x", code=524), BUSY),
    # Azure
    (429, error("Requests have exceeded token rate limit of your current tier. Please retry after 7 seconds.", code="429"), RATE),
    (401, error("Access denied due to invalid subscription key", code="401"), OURS),
    (404, error("The API deployment does not exist", code="DeploymentNotFound"), MISSING),
    # Groq, Mistral
    (498, error("Flex capacity exceeded", code="capacity_exceeded"), BUSY),
    (429, '{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300","raw_status_code":429}', RATE),
    # DeepSeek
    (400, error("Failed to deserialize the JSON body"), THEIRS),
    (402, error("Insufficient Balance"), SPENT),
    (422, error("Invalid parameters"), THEIRS),
    (429, error("Concurrency limit"), RATE),
    # xAI
    (429, '{"code":"x","error":"Your team has either used all available credits or reached its monthly spending limit."}', SPENT),
    (403, '{"code":"x","error":"Your team has either used all available credits"}', SPENT),
    (400, '{"code":"x","error":"This model\'s maximum prompt length is 131072 but the request contains 200000"}', CONTEXT),
    # z.ai, Copilot, DashScope, Bedrock, behind a generic endpoint
    (429, error("Insufficient balance or no resource package. Please recharge.", code="1113"), SPENT),
    (429, error("Your concurrency is too high", code="1302"), RATE),
    (400, error("prompt token count of 200000 exceeds the limit of 128000"), CONTEXT),
    (413, error("prompt token count of 200000 exceeds the limit of 128000"), CONTEXT),
    (402, error("x", code="quota_exceeded"), SPENT),
    (429, '{"error":{"type":"usage_limit_reached","message":"x","plan_type":"plus","resets_in_seconds":90}}', RATE),
    (400, error("Range of input length should be [1, 30720]"), CONTEXT),
    (429, error("Too many tokens, please wait before trying again.", type="ThrottlingException"), RATE),
    (400, error("Too many tokens, please wait before trying again.", type="ThrottlingException"), RATE),
    # Local servers
    (503, error("server busy, please try again.  maximum pending requests exceeded"), BUSY),
    (404, '{"error":"model \'x\' not found"}', MISSING),
    (400, error("request (5025 tokens) exceeds the available context size", code=400, type="exceed_context_size_error"), CONTEXT),
    # What is none of these
    (301, "", FailureKind.PROTOCOL),
    (418, "short and stout", THEIRS),
    (500, "<html>Internal Server Error</html>", BUSY),
    (502, "", BUSY),
    (400, "", THEIRS),
    (401, "", OURS),
    (413, "", TOO_LARGE),
    (429, "", RATE),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind"), ROWS, ids=[f"{status}-{index}" for index, (status, _, _) in enumerate(ROWS)])
def test_rows(status: int, body: str, kind: FailureKind) -> None:
    failure = classify_openai(status, [], body.encode())
    assert failure.kind is kind
    assert failure.upstream_status == status
    assert failure.message


class TestAnEcho:
    """A 400 may repeat what the client wrote. Nobody must be able to talk donut into ejecting a replica, nor all of them in turn."""

    WORDS = ("insufficient_quota", "insufficient balance", "your credit balance", "monthly spending limit", "API key not valid",
             "incorrect api key", "used all available credits")  # fmt: skip
    MESSAGES = (
        "Invalid value: '{}'. Supported values are: 'system', 'user'.",
        "Invalid value: 'x' {} 'y'. Supported values are: 'system', 'user'.",
        "'{}' is not one of ['system', 'user'] - 'messages.0.role'",
        "[{{'type': 'literal_error', 'loc': ('body', 'messages', 0, 'role'), 'input': '{}'}}]",
        "Unknown parameter: {}",
    )

    @pytest.mark.parametrize("words", WORDS)
    @pytest.mark.parametrize("message", MESSAGES)
    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_blames_no_replica(self, status: int, message: str, words: str) -> None:
        body = error(message.format(words), type="invalid_request_error", param="messages[0].role", code="invalid_value")
        failure = classify_openai(status, [], body.encode())
        assert not FAILURES[failure.kind].blames_replica
        assert failure.kind is (TOO_LARGE if status == 413 else THEIRS)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (error("why", code="c", type="t"), ("c", "t", "why")),
        (error("why", code=429), ("429", "", "why")),
        ('{"error":"why"}', ("", "", "why")),
        ('{"error":"why","code":"c"}', ("c", "", "why")),
        ('{"message":"why","code":"c","type":"t"}', ("c", "t", "why")),
        ('{"detail":"why"}', ("", "", "why")),
        ('{"detail":[{"msg":"x"}]}', ("", "", "[{'msg': 'x'}]")),
        ('[{"error":{"message":"why"}}]', ("", "", "why")),
        ('{"error":{},"message":"why"}', ("", "", "why")),
        ('{"error":null}', ("", "", "")),
        ("[]", ("", "", "")),
        ("7", ("", "", "")),
        ("  plain words \n", ("", "", "plain words")),
        ("", ("", "", "")),
    ],
)
def test_shapes_of_bodies(body: str, expected: tuple[str, str, str]) -> None:
    assert read_error(body.encode()) == expected


def test_a_message_is_cut_before_it_can_carry_a_prompt() -> None:
    for body in (error("x" * 10_000), '{"error":"' + "x" * 10_000 + '"}', "x" * 10_000):
        assert len(classify_openai(400, [], body.encode()).message) == MESSAGE_LIMIT


NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def http_date(seconds: float) -> str:
    return email.utils.formatdate(NOW.timestamp() + seconds, usegmt=True)


class TestWaits:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("20", 20.0), ("1.5", 1.5), ("0", 0.0), (" 7 ", 7.0), ("-3", 0.0), ("1e2", 100.0),
            ("1s", 1.0), ("20ms", 0.02), ("7.66s", 7.66), ("6m0s", 360.0), ("2m59.56s", 179.56), ("1h30m", 5400.0), ("1h0m0.5s", 3600.5),
            ("", None), ("soon", None), ("5 s", None), ("5x", None), ("s", None), ("1m soon", None), ("nan", None), ("inf", None),
            ("1e999", None), ("-inf", None), ("9" * 400 + "s", None), ("Fri, 20 Nov 2026 12:00:10 GMT", None),
        ],
    )  # fmt: skip
    def test_formats(self, value: str, seconds: float | None) -> None:
        assert seconds_until(value) == (None if seconds is None else pytest.approx(seconds))

    @pytest.mark.parametrize(("ahead", "seconds"), [(10, 10.0), (0, 0.0), (-60, 0.0), (86400, 86400.0)])
    def test_dates_need_a_now(self, ahead: float, seconds: float) -> None:
        assert seconds_until(http_date(ahead), NOW.timestamp()) == seconds
        assert seconds_until(http_date(ahead)) is None

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ([], None),
            ([(b"retry-after", b"20")], 20.0),
            ([(b"retry-after-ms", b"1500")], 1.5),
            ([(b"retry-after", b"20"), (b"retry-after-ms", b"1500")], 1.5),
            ([(b"retry-after-ms", b"soon"), (b"retry-after", b"20")], 20.0),
            ([(b"retry-after-ms", b"-5")], 0.0),
            ([(b"retry-after-ms", b"inf")], None),
            ([(b"retry-after", http_date(30).encode()), (b"date", http_date(0).encode())], 30.0),
            ([(b"retry-after", http_date(-30).encode()), (b"date", http_date(0).encode())], 0.0),
            ([(b"retry-after", http_date(30).encode())], None),
            ([(b"retry-after", http_date(30).encode()), (b"date", b"yesterday")], None),
            ([(b"retry-after", b"20"), (b"date", b"yesterday")], 20.0),
            ([(b"retry-after", b"\xff\xfe")], None),
        ],
    )
    def test_headers(self, headers: Headers, seconds: float | None) -> None:
        assert retry_after(headers) == seconds

    def test_they_reach_the_failure(self) -> None:
        assert classify_openai(429, [(b"retry-after", b"7")], b"").retry_after_s == 7.0
        assert classify_openai(503, [(b"retry-after", b"2")], b"{}").retry_after_s == 2.0


# Totality: an upstream can say what it likes

TOKENS = st.sampled_from(
    ["1", "h", "m", "s", "ms", ".", "-", " ", "e", "GMT", ",", ":", "Fri", "Nov", "2026", "0000", "\u0661", "99999999999"]
)
VALUES = st.text(max_size=30) | st.lists(TOKENS, max_size=10).map("".join) | st.datetimes().map(email.utils.format_datetime)


@settings(max_examples=500)
@given(VALUES, st.none() | st.floats(0, 1e12))
def test_any_wait_is_read(value: str, now_s: float | None) -> None:
    seconds = seconds_until(value, now_s)
    assert seconds is None or (seconds >= 0.0 and math.isfinite(seconds))


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"retry-after", b"retry-after-ms", b"date"]), VALUES.map(lambda text: text.encode("latin-1", "replace"))
        ),
        max_size=3,
    )
)
def test_any_headers_are_read(headers: Headers) -> None:
    seconds = retry_after(headers)
    assert seconds is None or (seconds >= 0.0 and math.isfinite(seconds))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "type", "code", "detail", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=400)
@given(st.integers(100, 999), st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_answer_is_classified(status: int, body: bytes) -> None:
    failure = classify_openai(status, [], body)
    assert failure.kind in FAILURES
    assert failure.message
    assert failure.upstream_status == status
