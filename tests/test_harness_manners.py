"""donut's own refusals tell each harness of trying again in the headers that it listens to."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.dialects import ErrorReply
from proxy.harness import HARNESSES
from proxy.harnesses._manners import retry_headers
from tests.serving import Donut
from tests.upstreams import ScriptedUpstream, answer, saying

CODEX = {"user-agent": "codex_exec/0.169.0"}
CONFIG = """
discovery: {{local: false, environment: false}}
providers:
  - {{id: box, kind: openai, base_url: "http://127.0.0.1:{port}/v1", models: [{{upstream: up, model: test-model}}]}}
"""


def refusing(status: bytes, error: bytes) -> bytes:
    return answer(b'{"error":{"message":"No.",' + error + b"}}", status=status, headers=b"content-type: application/json\r\n")


@pytest.mark.parametrize("harness", [None, *HARNESSES])
def test_a_429_without_a_time_says_one_to_whom_it_would_be_the_end(harness: str | None) -> None:
    known = HARNESSES.get(harness or "")
    told = dict(retry_headers(ErrorReply(429, "rate_limit_exceeded", "Too many."), known))
    assert (b"retry-after" in told) == (known is not None and known.temper.needs_retry_after_on_429)
    known_s = retry_headers(ErrorReply(429, "rate_limit_exceeded", "Too many.", retry_after_s=41.5), known)
    assert dict(known_s)[b"retry-after"] == b"42"
    assert not retry_headers(ErrorReply(503, "provider_overloaded", "Busy."), known), "each waits as it is used to"


async def test_codex_waits_where_it_would_have_stopped(tmp_path: Path) -> None:
    """Recorded: a 429 without `retry-after` ends Codex's turn, with it there are five more tries."""
    refusal = refusing(b"429 Too Many Requests", b'"code":"rate_limit_exceeded"')
    async with ScriptedUpstream(saying(refusal)) as far, Donut(CONFIG.format(port=far.port), tmp_path) as donut:
        told = await donut.client.post("/v1/responses", json={"model": "test-model", "input": "Hi"}, headers=CODEX)
        assert told.status_code == 429
        assert int(told.headers["retry-after"]) >= 1


@pytest.mark.parametrize(("status", "code"), [(b"401 Unauthorized", b"invalid_api_key"), (b"402 Payment Required", b"insufficient_quota")])
async def test_what_a_person_has_to_mend_is_not_tried_again(status: bytes, code: bytes, tmp_path: Path) -> None:
    refusal = refusing(status, b'"code":"' + code + b'"')
    async with ScriptedUpstream(saying(refusal)) as far, Donut(CONFIG.format(port=far.port), tmp_path) as donut:
        body = {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]}
        told = await donut.client.post("/v1/chat/completions", json=body)
        assert (told.status_code, told.headers["x-should-retry"]) == (502, "false")
