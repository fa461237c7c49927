"""CLIProxyAPI as an upstream: every dialect goes to it as it came, wherever `base_url` ends."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from providers.kinds.cliproxy import KIND
from routing.facts import FailureKind
from tests.serving import Donut
from tests.test_codec_event_stream import ANSWER
from tests.translating import CODECS, FRAME
from tests.upstreams import ScriptedUpstream, answer, saying

BODIES = {
    "chat": ("/v1/chat/completions", {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]}),
    "responses": ("/v1/responses", {"model": "test-model", "input": "Hi"}),
    "messages": ("/v1/messages", {"model": "test-model", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}),
    "gemini": ("/v1beta/models/test-model:generateContent", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
}


def config(base_url: str) -> str:
    return f"""
discovery: {{local: false, environment: false}}
providers:
  - id: proxy
    kind: cliproxy
    base_url: {base_url}
    api_key: sk-team-a
    models: [{{upstream: up-model, model: test-model}}]
"""


@pytest.mark.parametrize("dialect", BODIES)
@pytest.mark.parametrize("ending", ["", "/v1", "/v1beta"])
async def test_every_dialect_as_it_came(dialect: str, ending: str, tmp_path: Path) -> None:
    codec, (path, body) = CODECS[dialect], BODIES[dialect]
    reply = orjson.dumps(codec.encode_answer(ANSWER, FRAME))
    async with (
        ScriptedUpstream(saying(answer(reply, headers=b"content-type: application/json\r\n"))) as far,
        Donut(config(f"http://127.0.0.1:{far.port}{ending}"), tmp_path) as donut,
    ):
        told = await donut.client.post(path, json=body, headers={"anthropic-beta": "context-management-2025-06-27"})
        assert told.content == reply, "not a byte is another one"
        (request,) = far.requests
        assert request.head.split(b" ")[1].decode() == path.replace("test-model", "up-model")
        assert request.header(b"authorization") == b"Bearer sk-team-a"
        assert request.header(b"anthropic-beta") == b"context-management-2025-06-27"


def test_a_stream_of_googles() -> None:
    assert KIND.stream_target is not None
    assert KIND.stream_target("/v1", KIND.paths, "gemini", "m") == "/v1beta/models/m:streamGenerateContent?alt=sse"
    assert KIND.stream_target("/v1", KIND.paths, "responses", "m") == "/v1/responses"


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, {"code": "model_cooldown", "message": "All credentials for model x are cooling down"}, FailureKind.RATE_LIMITED),
        (
            400,
            {"code": "model_not_found", "message": "unknown provider for model x", "type": "invalid_request_error"},
            FailureKind.NOT_FOUND,
        ),
        (503, {"code": "auth_unavailable", "message": "no auth available (providers=claude, model=x)"}, FailureKind.OVERLOADED),
        (401, "Invalid API key", FailureKind.UNAUTHORIZED),
    ],
)
def test_its_refusals(status: int, error: object, kind: FailureKind) -> None:
    assert KIND.classify(status, [], orjson.dumps({"error": error})).kind is kind


def test_it_is_not_local_and_has_no_usual_address() -> None:
    assert KIND.base_url is None, "its default port is donut's own"
    assert not KIND.is_local
