"""A4: what an upstream refuses is an HTTP status for the client, also when a stream was asked for. The table is routing/facts.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Donut, config_for
from tests.streams import (
    CLEAN,
    RawClient,
    ask,
    playing,
)
from tests.upstreams import ScriptedUpstream, answer, saying

# A4: an upstream's refusal of a streamed request


def refusal(status: bytes, body: bytes, headers: bytes = b"") -> bytes:
    return answer(body, status=status, headers=b"content-type: application/json\r\n" + headers)


BODY_400 = (
    b'{"error": {"message":"temperature: too hot", "type":"invalid_request_error","param":"temperature","code":null}, "vendor": [1,2]}'
)
BODY_CONTEXT = (
    b'{"error":{"code":400,"message":"the request exceeds the available context size (2048 tokens)","type":"exceed_context_size_error"}}'
)
BODY_404 = (
    b'{"error":{"message":"The model `up-model` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}'
)
BODY_KEY = (
    b'{"error":{"message":"Incorrect API key provided: sk-***","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}'
)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("status", "body"),
    [(b"400 Bad Request", BODY_400), (b"422 Unprocessable", BODY_400), (b"400 Bad Request", BODY_CONTEXT), (b"404 Not Found", BODY_404)],
)
async def test_a4_a_refusal_that_blames_the_request_passes_in_the_upstreams_own_words(
    status: bytes, body: bytes, stream: bool, tmp_path: Path
) -> None:
    said = refusal(status, body, b"x-ratelimit-remaining-requests: 7\r\nset-cookie: a=b\r\n")
    async with (
        ScriptedUpstream(saying(said)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(stream=stream))
        assert (got.status, got.body) == (int(status[:3]), body)
        assert got.headers["x-ratelimit-remaining-requests"] == "7"
        assert "set-cookie" not in got.headers
        assert got.headers["x-donut-replica"] == "p0/up-model"


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected", "code", "words"),
    [
        (b"429 Too Many", b"retry-after: 17\r\n", b"{}", 429, "rate_limit_exceeded", "p0/up-model"),
        (b"401 Unauthorized", b"", BODY_KEY, 502, "provider_credentials_rejected", "donut's credentials"),
        (b"402 Payment Required", b"", b"{}", 502, "provider_quota_exhausted", "Your own key is fine"),
        (b"403 Forbidden", b"", b"<html>no</html>", 502, "provider_credentials_rejected", "donut's credentials"),
        (b"500 Internal", b"", b'{"error":"boom"}', 503, "provider_overloaded", "boom"),
        (b"503 Unavailable", b"retry-after: 3\r\n", b"", 503, "provider_overloaded", "p0/up-model"),
        (b"529 Overloaded", b"", b"{}", 503, "provider_overloaded", "p0/up-model"),
        (b"408 Timeout", b"", b"{}", 504, "provider_timeout", "p0/up-model"),
        (b"302 Found", b"location: http://127.0.0.1:1/\r\n", b"", 502, "provider_invalid_response", "redirect"),
    ],
    ids=lambda value: value.decode()[:3] if isinstance(value, bytes) and value[:3].isdigit() else "",
)
async def test_a4_a_refusal_that_blames_the_upstream_has_the_tables_status(
    status: bytes, headers: bytes, body: bytes, expected: int, code: str, words: str, tmp_path: Path
) -> None:
    async with ScriptedUpstream(saying(refusal(status, body, headers))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        async with RawClient(donut.port) as client:
            got = await client.ask(ask())
        error = got.json()["error"]
        assert (got.status, error["code"]) == (expected, code)
        assert words in error["message"]
        assert got.headers["content-type"] == "application/json"
        if headers.startswith(b"retry-after"):
            assert got.headers["retry-after"] == headers.split()[1].decode()


@pytest.mark.parametrize("status", [b"429 Too Many", b"401 Unauthorized", b"500 Internal", b"404 Not Found", b"302 Found", b"408 Timeout"])
async def test_a4_another_replica_answers_where_the_table_says_so(status: bytes, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(refusal(status, b"{}"))) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask())).body == CLEAN


async def test_a4_a_bad_request_is_not_tried_elsewhere(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(refusal(b"400 Bad Request", BODY_400))) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask())).status == 400
        assert two.requests == []
