"""What donut reads of Google's format on its way through, and the little that it changes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.dialects import BadRequestError, ErrorReply
from providers.dialects.gemini import DIALECT, match
from providers.kinds.gemini import KIND
from routing.facts import FailureKind
from routing.types import Capability, Usage
from tests.streams import RECORDINGS, events, payloads

STREAMS = {path.stem: path.read_bytes() for path in sorted((RECORDINGS / "gemini").glob("*.sse"))}
EVERY_STREAM = pytest.mark.parametrize("name", STREAMS)
REQUESTS = {path.name.removesuffix(".request.json"): path.read_bytes() for path in (RECORDINGS / "gemini").glob("*.request.json")}
SSE = {"model": "m", "stream": True, "alt": "sse"}
ARRAY = {**SSE, "alt": "json"}


def parsed(body: bytes, path: dict[str, Any] = SSE) -> dict[str, Any]:
    return {**orjson.loads(body), **path}


# Paths


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/v1beta/models/gemini-3.8-flash:streamGenerateContent", b"alt=sse", {**SSE, "model": "gemini-3.8-flash"}),
        ("/v1beta/models/m:streamGenerateContent", b"key=k&alt=sse", SSE),
        ("/v1beta/models/m:streamGenerateContent", b"", ARRAY),
        ("/v1beta/models/m:generateContent", b"", {**ARRAY, "stream": False}),
        ("/v1/models/box/org/model:8b:generateContent", b"", {**ARRAY, "stream": False, "model": "box/org/model:8b"}),
        ("/v1beta/models/m:countTokens", b"", None),
        ("/v1beta/models/m", b"", None),
        ("/v1beta/models", b"", None),
        ("/v2/models/m:generateContent", b"", None),
        ("/v1beta/tunedModels/m:generateContent", b"", None),
        ("/", b"", None),
        ("", b"", None),
    ],
)
def test_paths(path: str, query: bytes, expected: dict[str, Any] | None) -> None:
    assert match(path, query) == expected


def test_an_empty_model_is_refused_in_words() -> None:
    with pytest.raises(BadRequestError):
        DIALECT.read({"contents": [{}], **(match("/v1beta/models/:generateContent") or {})}, 20)


# Requests


def test_a_harness_request_is_read() -> None:
    body = REQUESTS["cli_turn"]
    ask = DIALECT.read(parsed(body), len(body))
    assert (ask.model, ask.stream, ask.answers, ask.has_sealed_reasoning) == ("m", True, 1, True)
    assert ask.capability_bits == Capability.TOOLS
    resumed = REQUESTS["cli_resumed"]
    assert not DIALECT.read(parsed(resumed), len(resumed)).has_sealed_reasoning, "the stand-in is nobody's"


def test_media_are_not_counted_as_text() -> None:
    data: dict[str, Any] = {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "a" * 400_000}}]}]}
    ask = DIALECT.read({**data, **SSE}, 400_100)
    assert 1000 < ask.input_tokens_estimated < 2000
    assert ask.capability_bits == Capability.VISION
    assert DIALECT.count_input is not None
    assert 1000 < DIALECT.count_input({"generateContentRequest": data}) < 2000


def test_the_body_goes_as_it_came() -> None:
    for body in REQUESTS.values():
        data = parsed(body)
        assert DIALECT.prepare(body, data, DIALECT.read(data, len(body)), "another") is body


def test_a_policys_wishes_stand_in_the_config_and_the_path_stays_out_of_the_body() -> None:
    body = b'{"contents":[{"parts":[{"text":"Hi"}]}],"generation_config":{"topP":0.5}}'
    ask = DIALECT.read(parsed(body), len(body))
    ask.defaults = {"output_tokens": 99, "temperature": 0.3}
    sent = orjson.loads(bytes(DIALECT.prepare(body, parsed(body), ask, "m")))
    assert sent == {**orjson.loads(body), "generation_config": {"topP": 0.5, "maxOutputTokens": 99, "temperature": 0.3}}


def test_seals_are_taken_out_where_nobody_could_read_them() -> None:
    """Google's on demand; what donut put there always, for Google would refuse it."""
    body = REQUESTS["cli_turn"]
    ask = DIALECT.read(parsed(body), len(body))
    ask.drop_sealed = True
    first, second = orjson.loads(bytes(DIALECT.prepare(body, parsed(body), ask, "m")))["contents"][1]["parts"]
    assert first["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in second
    ours = body.replace(b"c2ln", b"ZG9udXQuW10=")
    ask = DIALECT.read(parsed(ours), len(ours))
    assert not ask.has_sealed_reasoning
    assert b"ZG9udXQu" not in bytes(DIALECT.prepare(ours, parsed(ours), ask, "m"))


def test_the_opening_is_the_same_however_the_words_are_spread() -> None:
    one, more = ({"contents": contents, "system_instruction": {"parts": [{"text": "s"}]}} for contents in (
        [{"parts": [{"text": "a"}, {"text": "b"}]}, {"role": "model", "parts": [{"functionCall": {"name": "f", "id": "i", "args": {}}}]}],
        [{"role": "user", "parts": [{"text": "a"}]}, {"role": "user", "parts": [{"text": "b"}]},
         {"role": "model", "parts": [{"functionCall": {"name": "f", "id": "i", "args": {}}}]}],
    ))  # fmt: skip
    assert DIALECT.opening(one) == DIALECT.opening(more)
    opening = DIALECT.opening(one)
    assert opening is not None
    assert (opening.system, opening.before, opening.answer[0]) == (("s",), ("a\nb",), "i")


@pytest.mark.parametrize(
    "data", [{}, {"contents": 5}, {"contents": [5, {"parts": [5, {"functionCall": 5}]}], "tools": [5], "systemInstruction": 5}]
)
def test_odd_bodies_are_looked_at_without_harm(data: dict[str, Any]) -> None:
    assert DIALECT.excerpt(data, "unknown", {}).endpoint == "gemini"
    assert DIALECT.opening(data) is not None
    assert DIALECT.count_input is not None
    assert DIALECT.count_input(data) >= 0


def test_the_excerpt_says_what_the_person_said() -> None:
    found = DIALECT.excerpt(parsed(REQUESTS["cli_turn"]), "gemini-cli", {})
    assert found.human == "Read the recipe and tell me what is in it."
    assert found.system.startswith("You are an agent")
    assert found.tool_names == ("read_file", "list_directory")
    assert found.ends_with_result
    assert [(step.tool, step.failed) for step in found.steps] == [("read_file", False), ("list_directory", True)]
    judged = DIALECT.excerpt(parsed(REQUESTS["cli_classifier"]), "gemini-cli", {})
    assert (judged.wants_json, judged.answer_fields, judged.human) == (True, ("why", "score"), "Read the recipe.")
    resumed = DIALECT.excerpt(parsed(REQUESTS["cli_resumed"]), "gemini-cli", {})
    assert (resumed.human, resumed.assistant_turns, resumed.ends_with_result) == ("And once more, please.", 2, False)


# Answers

FAILS = {"overloaded"}


def scanned(stream: bytes, pieces: list[bytes], path: dict[str, Any] = SSE) -> tuple[Any, bytes]:
    del stream
    data = {"contents": [{"parts": [{"text": "Hi"}]}], **path}
    scanner = DIALECT.new_scanner(DIALECT.read(data, 50))
    out = b"".join(piece if scanner.passes(piece) else scanner.feed(piece) for piece in pieces if scanner.failure is None)
    return scanner, out + (b"" if scanner.failure is not None else scanner.finish())


@EVERY_STREAM
def test_a_stream_goes_through_as_it_came(name: str) -> None:
    stream = STREAMS[name]
    for pieces in ([stream], events(stream), [stream[at : at + 1] for at in range(len(stream))]):
        scanner, out = scanned(stream, pieces)
        assert out == stream
        assert scanner.has_content
        assert scanner.is_finished == (name not in FAILS)
        assert (scanner.failure is not None) == (name in FAILS)


def test_facts_of_streams() -> None:
    scanner, _ = scanned(b"", events(STREAMS["thoughts_and_call"]))
    assert scanner.usage == Usage(input_uncached=900, output=75, reasoning=45)
    assert scanner.content_events >= 5
    scanner, _ = scanned(b"", [STREAMS["overloaded"]])
    assert scanner.failure.kind is FailureKind.OVERLOADED


@EVERY_STREAM
def test_a_cut_stream_is_not_finished(name: str) -> None:
    stream = STREAMS[name]
    end = max(stream.find(b'"finishReason"'), stream.find(b'"blockReason"'), 1)
    scanner, _ = scanned(stream, [stream[:end]])
    assert not scanner.is_finished


@EVERY_STREAM
def test_without_alt_sse_the_same_chunks_come_as_an_array(name: str) -> None:
    stream = STREAMS[name]
    for pieces in ([stream], events(stream), [stream[at : at + 1] for at in range(len(stream))]):
        _, out = scanned(stream, pieces, ARRAY)
        assert orjson.loads(out) == payloads(stream)


def test_whole_answers() -> None:
    body = orjson.dumps(
        {"candidates": [{"content": {"parts": [{"text": "x" * 400}]}}], "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3}}
    )
    facts = DIALECT.read_answer(body)
    assert facts.usage == Usage(input_uncached=9, output=3)
    assert facts.output_tokens_estimated > 50
    assert DIALECT.read_large_answer(body[-200:], 10**6).usage == facts.usage
    assert DIALECT.read_answer(b"[" + body + b"]").usage == facts.usage
    failed = DIALECT.read_answer(b'[{"error":{"code":429,"message":"no"}}]').failure
    assert failed is not None
    assert failed.kind is FailureKind.RATE_LIMITED


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (429, "RESOURCE_EXHAUSTED"), (502, "INTERNAL"), (503, "UNAVAILABLE")],
)
def test_errors_are_googles(status: int, word: str) -> None:
    error = orjson.loads(DIALECT.error_body(ErrorReply(status, "some_code", "why", retry_after_s=20)))["error"]
    assert (error["code"], error["status"], error["message"]) == (status, word, "why")
    assert [detail.get("reason") or detail.get("retryDelay") for detail in error["details"]] == ["some_code", "20s"]


# The provider


def test_targets() -> None:
    paths = KIND.paths
    assert KIND.target("/v1beta", paths, "gemini", "gemini-3.8-flash") == "/v1beta/models/gemini-3.8-flash:generateContent"
    assert KIND.stream_target is not None
    assert KIND.stream_target("", paths, "gemini", "models/m") == "/v1beta/models/m:streamGenerateContent?alt=sse"
    assert KIND.auth("k") == [(b"x-goog-api-key", b"k")]


def refusal(status: int, word: str, message: str, *details: dict[str, Any]) -> tuple[FailureKind, float | None]:
    error = {"error": {"code": status, "message": message, "status": word, "details": list(details)}}
    found = {KIND.classify(status, [], orjson.dumps(body)) for body in (error, [error])}
    assert len(found) == 1
    failure = found.pop()
    return failure.kind, failure.retry_after_s


def test_refusals() -> None:
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "26s"}
    per_day = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}
    assert refusal(429, "RESOURCE_EXHAUSTED", "slow down", wait) == (FailureKind.RATE_LIMITED, 26.0)
    assert refusal(429, "RESOURCE_EXHAUSTED", "done for today", per_day, wait) == (FailureKind.RATE_LIMITED, 3600.0)
    assert refusal(429, "RESOURCE_EXHAUSTED", "no credits", {"reason": "INSUFFICIENT_G1_CREDITS_BALANCE"})[0] is FailureKind.QUOTA_EXHAUSTED
    assert refusal(400, "INVALID_ARGUMENT", "API key not valid.", {"reason": "API_KEY_INVALID"})[0] is FailureKind.UNAUTHORIZED
    assert refusal(400, "FAILED_PRECONDITION", "User location is not supported")[0] is FailureKind.UNAUTHORIZED
    assert refusal(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number")[0] is FailureKind.CONTEXT_TOO_LONG
    assert refusal(400, "INVALID_ARGUMENT", "contents is required")[0] is FailureKind.BAD_REQUEST
    assert refusal(404, "NOT_FOUND", "models/x is not found")[0] is FailureKind.NOT_FOUND
    assert refusal(503, "UNAVAILABLE", "The model is overloaded.")[0] is FailureKind.OVERLOADED
