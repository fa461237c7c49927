"""Where status codes lie: provider by provider, the bodies they really send (reference/provider-signals.md and recordings)."""

from __future__ import annotations

import pytest

import providers.kinds
from config.discovery import discover
from providers.ports import ProviderKind
from routing.facts import FailureKind
from tests.local_servers import recorded

KINDS = discover(providers.kinds, "KIND", ProviderKind)
CASES = [
    ("openai", 429, b'{"error":{"type":"tokens","code":"rate_limit_exceeded","message":"try again in 6s"}}', FailureKind.RATE_LIMITED),
    ("openai", 429, b'{"error":{"code":"rate_limit_exceeded","message":"Request too large for gpt-6"}}', FailureKind.REQUEST_TOO_LARGE),
    ("openai", 429, b'{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}', FailureKind.QUOTA_EXHAUSTED),
    ("openai", 400, b'{"error":{"code":"context_length_exceeded","message":"x"}}', FailureKind.CONTEXT_TOO_LONG),
    ("openai", 400, b'{"error":{"code":"content_policy_violation","message":"x"}}', FailureKind.CONTENT_POLICY),
    ("openrouter", 402, b'{"error":{"code":402,"message":"x","metadata":{"error_type":"payment_required"}}}', FailureKind.QUOTA_EXHAUSTED),
    ("openrouter", 402, b'{"error":{"code":402,"metadata":{"reason":"in_flight_budget_exhausted"}}}', FailureKind.RATE_LIMITED),
    ("openrouter", 402, b'{"error":{"code":402,"metadata":{"reason":"weight_exceeds_budget"}}}', FailureKind.REQUEST_TOO_LARGE),
    ("openrouter", 403, b'{"error":{"code":403,"metadata":{"error_type":"content_policy_violation"}}}', FailureKind.CONTENT_POLICY),
    ("openrouter", 502, b'{"error":{"code":502,"metadata":{"error_type":"provider_overloaded"}}}', FailureKind.OVERLOADED),
    ("openrouter", 400, b'{"error":{"code":400,"metadata":{"error_type":"context_length_exceeded"}}}', FailureKind.CONTEXT_TOO_LONG),
    ("groq", 498, b'{"error":{"code":"capacity_exceeded"}}', FailureKind.OVERLOADED),
    ("groq", 499, b"", FailureKind.OVERLOADED),
    ("groq", 424, b"", FailureKind.OVERLOADED),
    ("groq", 413, b'{"error":{"message":"Request Entity Too Large"}}', FailureKind.CONTEXT_TOO_LONG),
    ("cerebras", 400, b"", FailureKind.CONTEXT_TOO_LONG),
    ("cerebras", 413, b"", FailureKind.CONTEXT_TOO_LONG),
    ("cerebras", 400, b'{"message":"bad field"}', FailureKind.BAD_REQUEST),
    ("cerebras", 429, b'{"message":"x","type":"too_many_requests_error","code":"queue_exceeded"}', FailureKind.OVERLOADED),
    ("cerebras", 429, b'{"message":"x","code":"token_quota_exceeded"}', FailureKind.RATE_LIMITED),
    ("mistral", 429, b'{"message":"Service tier capacity exceeded for this model.","code":null}', FailureKind.OVERLOADED),
    ("mistral", 429, b'{"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300"}', FailureKind.RATE_LIMITED),
    ("deepseek", 402, b'{"error":{"message":"Insufficient Balance"}}', FailureKind.QUOTA_EXHAUSTED),
    ("deepseek", 503, b"", FailureKind.OVERLOADED),
    ("xai", 429, b'{"code":"x","error":"Your team has either used all available credits or reached its monthly spending limit"}',
     FailureKind.QUOTA_EXHAUSTED),
    ("xai", 403, b'{"code":"x","error":"either used all available credits"}', FailureKind.QUOTA_EXHAUSTED),
    ("xai", 400, b'{"code":"x","error":"maximum prompt length is 131072 but the request contains 200000"}', FailureKind.CONTEXT_TOO_LONG),
    ("azure", 404, b'{"error":{"code":"DeploymentNotFound","message":"The API deployment does not exist"}}', FailureKind.NOT_FOUND),
    ("azure", 400, b'{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}', FailureKind.CONTENT_POLICY),
    ("ollama", 503, b'{"error":{"message":"server busy, please try again.  maximum pending requests exceeded"}}', FailureKind.OVERLOADED),
    ("ollama", 404, b'{"error":"model \'x\' not found"}', FailureKind.NOT_FOUND),
    ("ollama", 502, b'{"error":"cloud unreachable"}', FailureKind.OVERLOADED),
    ("llamacpp", 400, b'{"error":{"code":400,"message":"model \'nope\' not found","type":"invalid_request_error"}}', FailureKind.NOT_FOUND),
    ("llamacpp", 503, b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}', FailureKind.OVERLOADED),
    ("llamacpp", 500, b'{"error":{"code":500,"message":"out of memory"}}', FailureKind.OVERLOADED),
    ("apfel", 501, b'{"error":{"message":"not supported"}}', FailureKind.BAD_REQUEST),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "status", "body", "expected"), CASES, ids=[f"{case[0]}-{case[1]}-{i}" for i, case in enumerate(CASES)])
def test_bodies(kind: str, status: int, body: bytes, expected: FailureKind) -> None:
    assert KINDS[kind].classify(status, [], body).kind is expected


@pytest.mark.parametrize(
    ("server", "name", "expected"),
    [
        ("llama-server", "err_image", FailureKind.BAD_REQUEST),  # 500, and nothing is wrong with the server
        ("llama-server", "err_context", FailureKind.CONTEXT_TOO_LONG),
        ("llama-cpp-python", "err_context", FailureKind.CONTEXT_TOO_LONG),
    ],
)
def test_recorded_refusals_of_llama_cpp(server: str, name: str, expected: FailureKind) -> None:
    _, response = recorded(server, name)
    assert KINDS["llamacpp"].classify(response.status, [], response.body).kind is expected


class TestAzure:
    """The one whose URL, header and waits are its own."""

    KIND = KINDS["azure"]
    RATE = b'{"error":{"code":"429","message":"You have exceeded token rate limit of your current tier. Please retry after %d seconds."}}'

    def test_a_wait_in_the_message_is_read(self) -> None:
        failure = self.KIND.classify(429, [], self.RATE % 26)
        assert (failure.kind, failure.retry_after_s) == (FailureKind.RATE_LIMITED, 26.0)

    def test_a_wait_of_a_day_means_that_it_never_fits(self) -> None:
        for headers, body in (([], self.RATE % 86400), ([(b"retry-after", b"86400")], b"{}")):
            failure = self.KIND.classify(429, headers, body)
            assert (failure.kind, failure.retry_after_s) == (FailureKind.REQUEST_TOO_LARGE, None)

    @pytest.mark.parametrize(
        ("base_path", "target"),
        [
            ("", "/openai/v1/chat/completions"),
            ("/", "/openai/v1/chat/completions"),
            ("/openai", "/openai/v1/chat/completions"),
            ("/openai/v1", "/openai/v1/chat/completions"),
            ("/openai/v1/", "/openai/v1/chat/completions"),
            ("/openai/deployments", "/openai/deployments/my%2Fgpt/chat/completions?api-version=2024-10-21"),
        ],
    )
    def test_targets(self, base_path: str, target: str) -> None:
        assert self.KIND.target(base_path, self.KIND.paths, "chat", "my/gpt") == target

    def test_the_key_has_its_own_header(self) -> None:
        assert self.KIND.auth("k") == [(b"api-key", b"k")]
