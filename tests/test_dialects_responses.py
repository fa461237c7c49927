"""OpenAI's Responses on their way through: what is read, what is changed, and what the scanner sees of a stream."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.responses import ResponseErrorEvent, ResponseFailedEvent

from providers import sse
from providers.dialects import Ask, BadRequestError, ErrorReply
from providers.dialects._responses import ResponsesScanner
from providers.dialects.responses import DIALECT
from routing.facts import FailureKind
from routing.types import Capability, Usage
from tests.streams import RECORDINGS

FOLDER = RECORDINGS / "responses"
STREAMS = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.sse"))}
REQUESTS = {path.name.removesuffix(".request.json"): path.read_bytes() for path in sorted(FOLDER.glob("*.request.json"))}
EVERY_STREAM = pytest.mark.parametrize("name", STREAMS)
EVERY_REQUEST = pytest.mark.parametrize("name", REQUESTS)


def ask(**more: Any) -> Ask:
    data = {"model": "m", "input": "Hi", **more}
    return DIALECT.read(data, len(orjson.dumps(data)))


def sealed(content: str) -> dict[str, Any]:
    return {"type": "reasoning", "summary": [], "encrypted_content": content}


# Reading


@pytest.mark.parametrize(
    ("more", "bits"),
    [
        ({}, 0),
        ({"tools": [{"type": "web_search"}]}, Capability.TOOLS),
        ({"input": [{"type": "additional_tools", "role": "developer", "tools": []}]}, Capability.TOOLS),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, Capability.VISION),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "x"}]}]},
            Capability.VISION,
        ),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}, Capability.JSON),
        ({"text": {"format": {"type": "text"}}}, 0),
    ],
)
def test_capabilities(more: dict[str, Any], bits: int) -> None:
    assert ask(**more).capability_bits == bits


def test_limits_and_names() -> None:
    read = ask(max_output_tokens=99, stream=True, previous_response_id="resp_1")
    assert (read.output_tokens_max, read.stream, read.previous_answer_id) == (99, True, "resp_1")
    assert ask().previous_answer_id is None


def test_media_are_not_counted_as_text() -> None:
    media = [
        {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 400_000},
        {"type": "input_file", "file_data": "A" * 100_000},
    ]
    assert 2000 < ask(input=[{"role": "user", "content": media}]).input_tokens_estimated < 4000


@pytest.mark.parametrize(
    ("item", "is_sealed"),
    [
        (sealed("c2VhbA=="), True),
        (sealed("donut.anthropic..c2VhbA=="), False),
        (sealed(""), False),
        ({"type": "compaction", "encrypted_content": "c2VhbA=="}, True),
        ({"type": "function_call", "encrypted_content": "x"}, False),
    ],
)
def test_sealed_reasoning_is_seen(item: dict[str, Any], *, is_sealed: bool) -> None:
    assert ask(input=[item]).has_sealed_reasoning is is_sealed


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"input": "Hi"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": 5}, "input"),
        ({"model": "m", "input": ["Hi"]}, "input[0]"),
        ({"model": "m", "input": "Hi", "stream": "yes"}, "stream"),
    ],
)
def test_what_is_wrong_is_named(data: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        DIALECT.read(data, 10)
    assert caught.value.param == param


def test_with_an_earlier_answer_there_may_be_no_input() -> None:
    assert DIALECT.read({"model": "m", "previous_response_id": "resp_1"}, 40).model == "m"


# Changing


@EVERY_REQUEST
def test_nothing_but_the_name_changes(name: str) -> None:
    body = REQUESTS[name]
    data = orjson.loads(body)
    read = DIALECT.read(data, len(body))
    assert bytes(DIALECT.prepare(body, data, read, data["model"])) == body
    assert bytes(DIALECT.prepare(body, data, read, "up")) == body.replace(f'"{data["model"]}"'.encode(), b'"up"', 1)


def test_reasoning_of_others_goes_out_and_foreign_on_demand() -> None:
    items = [sealed("c2VhbA=="), sealed("donut..."), {"type": "compaction", "encrypted_content": "x"}, {"role": "user", "content": "Hi"}]
    body = orjson.dumps({"model": "m", "input": items})
    data = orjson.loads(body)
    read = DIALECT.read(data, len(body))
    assert orjson.loads(bytes(DIALECT.prepare(body, data, read, "m")))["input"] == [items[0], *items[2:]]
    read.drop_sealed = True
    assert orjson.loads(bytes(DIALECT.prepare(body, data, read, "m")))["input"] == items[2:]


def test_a_policys_wishes_where_the_client_has_none() -> None:
    body = orjson.dumps({"model": "m", "input": "Hi"})
    data = orjson.loads(body)
    read = DIALECT.read(data, len(body))
    read.defaults = {"output_tokens": 50, "temperature": 0.2}
    assert orjson.loads(bytes(DIALECT.prepare(body, data, read, "m"))) == {**data, "max_output_tokens": 50, "temperature": 0.2}
    read.is_for_reasoner = True
    assert "temperature" not in orjson.loads(bytes(DIALECT.prepare(body, data, read, "m")))


# Scanning


def scanned(pieces: list[bytes]) -> tuple[ResponsesScanner, bytes]:
    """As a relay does it: nothing is fed behind a failure."""
    scanner = ResponsesScanner()
    out = b"".join(piece if scanner.passes(piece) else scanner.feed(piece) for piece in pieces if scanner.failure is None)
    return scanner, out + (scanner.finish() if scanner.failure is None else b"")


@EVERY_STREAM
def test_streams_go_through_as_they_are(name: str) -> None:
    stream = STREAMS[name]
    for size in (1, 7, 64, 1000, len(stream)):
        scanner, out = scanned([stream[at : at + size] for at in range(0, len(stream), size)])
        if name == "failed":
            assert scanner.failure is not None
            assert (out, scanner.failure.kind) == (stream, FailureKind.OVERLOADED)
        else:
            assert (out, scanner.is_finished, scanner.has_content, scanner.failure) == (stream, True, True, None)


def test_deltas_are_counted_however_they_come() -> None:
    stream = STREAMS["text"]
    count = stream.count(b".delta\n")
    for pieces in ([stream], sse.events(stream), [stream[at : at + 1] for at in range(len(stream))]):
        scanner, _ = scanned(pieces)
        assert scanner.content_events == count


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("text", Usage(8, 100, 12, 40, 24)),
        ("llama_server", Usage(1, 25, 0, 4)),
        ("terse_crlf", Usage(7, 0, 0, 5)),
        ("incomplete", Usage(20, 0, 0, 3)),
    ],
)
def test_usage(name: str, usage: Usage) -> None:
    assert scanned([STREAMS[name]])[0].usage == usage


def test_content_begins_with_something_to_show_or_act_on() -> None:
    events = sse.events(STREAMS["tools"])
    scanner = ResponsesScanner()
    begun = []
    for event in events:
        scanner.feed(event)
        if not scanner.has_content:
            begun.append(event)
    assert [event.split(b"\n")[0] for event in begun] == [
        b"event: response.created",
        b"event: response.in_progress",
        b"event: response.output_item.added",
    ]


def test_an_error_before_any_content_can_go_elsewhere() -> None:
    failed = {
        "type": "response.failed",
        "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
    }
    scanner, _ = scanned([sse.events(STREAMS["text"])[0], b"data: " + orjson.dumps(failed) + b"\n\n"])
    assert scanner.failure is not None
    assert (scanner.failure.kind, scanner.failure.message, scanner.has_content) == (FailureKind.RATE_LIMITED, "Slow down.", False)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "x"}, FailureKind.OVERLOADED),
        ({"code": "server_is_overloaded", "message": "x"}, FailureKind.OVERLOADED),
        ({"code": "context_length_exceeded", "message": "x"}, FailureKind.CONTEXT_TOO_LONG),
        ({"code": "insufficient_quota", "message": "x"}, FailureKind.QUOTA_EXHAUSTED),
        ({"code": "invalid_prompt", "message": "x"}, FailureKind.BAD_REQUEST),
        ({"code": "image_too_large", "message": "x"}, FailureKind.BAD_REQUEST),
        ({"type": "rate_limit_error", "message": "x"}, FailureKind.RATE_LIMITED),
        ("it broke", FailureKind.OVERLOADED),
        (None, FailureKind.OVERLOADED),
    ],
)
def test_kinds_of_failure(error: Any, kind: FailureKind) -> None:
    body = orjson.dumps({"object": "response", "status": "failed", "error": error, "output": []})
    failure = DIALECT.read_answer(body).failure
    assert failure is not None
    assert failure.kind is kind


def test_whole_answers() -> None:
    last = orjson.loads(sse.events(STREAMS["tools"])[-1].split(b"data: ")[1])["response"]
    facts = DIALECT.read_answer(orjson.dumps(last))
    assert (facts.usage, facts.failure) == (Usage(900, 0, 0, 80, 30), None)
    assert facts.output_tokens_estimated > 20
    large = DIALECT.read_large_answer(orjson.dumps(last)[-900:], 10**6)
    assert large.usage == facts.usage


def test_an_error_alone_gets_the_end_that_codex_waits_for() -> None:
    begun = sse.events(STREAMS["text"])[:9]
    error = b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"Slow down.","sequence_number":9}\n\n'
    scanner, out = scanned([*begun, error])
    assert scanner.failure is not None
    assert scanner.failure.kind is FailureKind.RATE_LIMITED
    *passed, last = sse.events(out)
    assert passed == [*begun, error]
    assert failed_in(last).response.id == "resp_68f0a1"
    assert b'"code":"rate_limit_exceeded","message":"Slow down."' in last


def test_the_error_that_ends_a_stream_is_told_twice() -> None:
    first, second = sse.events(DIALECT.error_events(ErrorReply(502, "provider_disconnected", "It broke off.")))
    assert ResponseErrorEvent.model_validate_json(first.split(b"data: ")[1], strict=True).message == "It broke off."
    assert failed_in(second).response.status == "failed"
    error = {"code": "server_error", "message": "It broke off.", "type": "provider_disconnected", "param": None}
    assert orjson.loads(second.split(b"data: ")[1])["response"]["error"] == error


def failed_in(event: bytes) -> ResponseFailedEvent:
    assert event.startswith(b"event: response.failed\n")
    return ResponseFailedEvent.model_validate_json(event.split(b"data: ")[1], strict=True)


# Where a conversation begins, and what the classifier looks at


def test_a_conversation_keeps_its_opening() -> None:
    data = orjson.loads(REQUESTS["codex"])
    opening = DIALECT.opening(data)
    assert opening is not None
    first = DIALECT.opening({**data, "input": data["input"][:4]})
    assert first is not None
    assert (opening.system, opening.before, opening.tool_names) == (first.system, first.before, first.tool_names)
    assert opening.session == first.session == "01a1-thread"
    assert opening.tool_names == ("exec_command", "apply_patch", "tool_search", "web_search")
    assert (first.answer, opening.answer) == ((), ("call_1", "exec_command", '{"cmd": "echo hello"}'))


def test_a_text_is_a_conversation_too() -> None:
    opening = DIALECT.opening({"input": "Hi", "instructions": "Be brief.", "conversation": {"id": "conv_1"}})
    assert opening is not None
    assert (opening.system, opening.before, opening.session) == (("Be brief.",), ("Hi",), "conv_1")


def test_excerpt() -> None:
    data = orjson.loads(REQUESTS["codex"])
    excerpt = DIALECT.excerpt(data, "codex", {})
    assert (excerpt.endpoint, excerpt.human, excerpt.opening) == (
        "responses",
        "Say what the command prints.",
        "Say what the command prints.",
    )
    assert [(step.tool, step.result) for step in excerpt.steps] == [
        ("exec_command", "hello\n"), ("apply_patch", "Done\n at once."), ("tool_search", ""), ("spawn_agent", ""),
    ]  # fmt: skip
    assert excerpt.ends_with_result
    assert "You are a coding agent." in excerpt.system
    lite = DIALECT.excerpt(orjson.loads(REQUESTS["codex_lite"]), "codex", {})
    assert lite.tool_names == ("exec", "wait", "sleep")
    sdk = DIALECT.excerpt(orjson.loads(REQUESTS["sdk"]), "sdk", {})
    assert (sdk.system, sdk.wants_json, sdk.answer_fields, sdk.output_tokens_max) == ("Be brief.", True, ("what",), 400)
    assert DIALECT.excerpt({"input": "Hi"}, "sdk", {}).human == "Hi"
