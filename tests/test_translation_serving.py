"""A client of one dialect, an upstream of another, and a whole donut between them on real sockets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from providers.codecs.conversation import Conversation, Role, Text, Tool, Turn
from providers.codecs.events import BlockEnded, BlockKind, BlockStarted, Delta, Event, Finished, FinishReason, Started, UsageSeen
from proxy.relay import WHOLE_BYTES
from routing.types import Usage
from tests.serving import Donut
from tests.streams import HELLO, RECORDINGS, ROLE, End, RawClient, cutting, event, payloads, playing, recording
from tests.translating import CODECS, FRAME, decoded, encoded, gist
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, saying

PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
TOOLS = {"chat": recording("tools"), "messages": (RECORDINGS / "messages" / "tools.sse").read_bytes()}
DIRECTIONS = pytest.mark.parametrize(("client", "upstream"), [("chat", "messages"), ("messages", "chat")])
INPUT = ("reported_input_uncached", "reported_cache_read", "reported_cache_write")
TOO_LONG = {
    "chat": b'{"error":{"message":"This model has a context length of 8","type":"invalid_request_error","code":"context_length_exceeded"}}',
    "messages": b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}',
}


def config(*upstreams: tuple[int, str]) -> str:
    """One provider per (port, dialects), all of them serving the same model."""
    lines = ["discovery: {local: false, environment: false}", "providers:"]
    for number, (port, dialects) in enumerate(upstreams):
        kind, version = ("gemini", "v1beta") if dialects == "gemini" else ("openai", "v1")
        lines.append(
            f"  - {{id: p{number}, kind: {kind}, base_url: 'http://127.0.0.1:{port}/{version}', api_key: upstream-secret-{number}, "
            f"dialects: [{dialects}], models: [{{upstream: up-model, model: test-model, price: {{input: 1, output: 2}}}}]}}"
        )
    return "\n".join(lines) + "\n"


def ask(client: str, **more: Any) -> dict[str, Any]:
    limit = {"max_tokens": 50} if client == "messages" else {}
    return {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}], **limit, **more}


def whole(dialect: str, text: str = "Hello") -> bytes:
    events: list[Event] = [Started(), BlockStarted(0, BlockKind.TEXT), Delta(0, text), BlockEnded(0), Finished(FinishReason.STOP)]
    return orjson.dumps(CODECS[dialect].encode_answer(events, FRAME))


def sent(request: ReceivedRequest) -> Any:
    return orjson.loads(request.body)


@DIRECTIONS
async def test_a_stream(client: str, upstream: str, tmp_path: Path) -> None:
    async with ScriptedUpstream(playing(TOOLS[upstream])) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        told = await donut.client.post(PATHS[client], json=ask(client, stream=True))
        assert told.status_code == 200
        assert told.headers["content-type"] == "text/event-stream"
        got, expected = gist(decoded(CODECS[client], [told.content])), gist(decoded(CODECS[upstream], [TOOLS[upstream]]))
        assert got.calls == expected.calls
        assert (got.text, got.reason) == (expected.text, expected.reason)
        assert far.requests[0].head.startswith(b"POST " + PATHS[upstream].encode() + b" HTTP/1.1\r\n")
        assert sent(far.requests[0])["model"] == "up-model"
        await donut.wait_for_rows(1)
        (attempt,) = donut.rows("attempts")
        assert sum(attempt[name] for name in INPUT) == expected.input_tokens
        assert attempt["reported_output"] == expected.output_tokens
        assert donut.open_reservations == 0


TALK = Conversation(
    [Turn(Role.SYSTEM, (Text("You bake."),)), Turn(Role.USER, (Text("Two, please."),))],
    tools=(Tool("bake", "Bakes.", {"type": "object", "properties": {"n": {"type": "integer"}}}),),
    max_tokens=50,
)
ANSWER: list[Event] = [
    Started("up-1", "up-model"),
    BlockStarted(0, BlockKind.TEXT),
    Delta(0, "Two it "),
    Delta(0, "is."),
    BlockEnded(0),
    BlockStarted(1, BlockKind.TOOL_CALL, "call_1", "bake"),
    Delta(1, '{"n":2}'),
    BlockEnded(1),
    UsageSeen(Usage(input_uncached=20, cache_read=10, output=7)),
    Finished(FinishReason.TOOL_CALLS),
]
PAIRS = [(client, upstream) for client in sorted(CODECS) for upstream in sorted(CODECS) if client != upstream]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_every_direction(client: str, upstream: str, stream: bool, tmp_path: Path) -> None:
    reply = encoded(CODECS[upstream], ANSWER) if stream else orjson.dumps(CODECS[upstream].encode_answer(ANSWER, FRAME))
    handler = playing(reply) if stream else saying(answer(reply))
    body = CODECS[client].encode(replace(TALK, stream=stream, dialect=client), "test-model")
    async with ScriptedUpstream(handler) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        told = await donut.client.post(path_of(client, stream), json=body)
        assert told.status_code == 200, told.text
        got = gist(decoded(CODECS[client], [told.content]) if stream else CODECS[client].decode_answer(told.json()))
        assert (got.text, got.reason) == ("Two it is.", FinishReason.TOOL_CALLS)
        assert [call[1:] for call in got.calls] == [("bake", '{"n":2}')]
        if client != "chat" or not stream:  # whose client did not ask for it
            assert (got.input_tokens, got.cache_read, got.output_tokens) == (30, 10, 7)
        asked = CODECS[upstream].parse(sent(far.requests[0]))
        assert [part for turn in asked.turns for part in turn.parts] == [Text("You bake."), Text("Two, please.")]
        assert [tool.name for tool in asked.tools] == ["bake"]
        await donut.wait_for_rows(1)
        (attempt,) = donut.rows("attempts")
        assert [attempt[name] for name in (*INPUT, "reported_output")] == [20, 10, 0, 7]


def path_of(dialect: str, stream: bool) -> str:
    gemini = "/v1beta/models/test-model:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")
    return gemini if dialect == "gemini" else PATHS[dialect]


@DIRECTIONS
@pytest.mark.parametrize("size", [5, WHOLE_BYTES + 9], ids=["small", "large"])
async def test_a_whole_answer(client: str, upstream: str, size: int, tmp_path: Path) -> None:
    headers = b"content-type: application/json\r\nopenai-organization: secret\r\n"
    reply = saying(answer(whole(upstream, "x" * size), headers=headers))
    async with ScriptedUpstream(reply) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        told = await donut.client.post(PATHS[client], json=ask(client))
        assert told.headers["content-type"] == "application/json"
        assert "openai-organization" not in told.headers, "what another vendor says of its answer is not true of this one"
        model = ChatCompletion if client == "chat" else Message
        assert model.model_validate(told.json(), strict=True).model == "test-model"
        assert gist(CODECS[client].decode_answer(told.json())).text == "x" * size


@DIRECTIONS
async def test_the_other_kind_of_answer_than_was_asked_for(client: str, upstream: str, tmp_path: Path) -> None:
    """Servers that stream always, or never."""
    async with ScriptedUpstream(playing(TOOLS[upstream])) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        told = await donut.client.post(PATHS[client], json=ask(client))
        assert told.headers["content-type"] == "application/json"
        assert gist(CODECS[client].decode_answer(told.json())).calls == gist(decoded(CODECS[upstream], [TOOLS[upstream]])).calls
        far.handler = saying(answer(whole(upstream)))
        told = await donut.client.post(PATHS[client], json=ask(client, stream=True))
        assert told.headers["content-type"] == "text/event-stream"
        assert gist(decoded(CODECS[client], [told.content])).text == "Hello"


@DIRECTIONS
async def test_an_error_keeps_its_words_and_changes_its_shape(client: str, upstream: str, tmp_path: Path) -> None:
    reply = saying(answer(TOO_LONG[upstream], status=b"400 Bad Request"))
    async with ScriptedUpstream(reply) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        told = await donut.client.post(PATHS[client], json=ask(client))
        assert told.status_code == 400
        error = told.json()["error"]
        said = orjson.loads(TOO_LONG[upstream])["error"]["message"]
        assert said in error["message"]
        if client == "messages":
            assert told.json()["type"] == "error"
            assert error["message"].startswith("prompt is too long"), "the words by which Claude Code knows that it has to compact"
        else:
            assert error["code"] == "context_length_exceeded"


@DIRECTIONS
async def test_an_error_inside_a_stream_goes_elsewhere(client: str, upstream: str, tmp_path: Path) -> None:
    broken = {"chat": ROLE + event({"error": {"message": "too busy", "code": 503}}), "messages": recorded("overloaded")}[upstream]
    async with (
        ScriptedUpstream(playing(broken)) as ill,
        ScriptedUpstream(playing(TOOLS[upstream])) as well,
        Donut(config((ill.port, upstream), (well.port, upstream)), tmp_path) as donut,
    ):
        for _ in range(2):  # whoever is asked first
            told = await donut.client.post(PATHS[client], json=ask(client, stream=True))
            assert gist(decoded(CODECS[client], [told.content])).calls
        assert ill.requests


def recorded(name: str) -> bytes:
    stream = (RECORDINGS / "messages" / f"{name}.sse").read_bytes()
    return b"".join(piece + b"\n\n" for piece in stream.split(b"\n\n") if b'"error"' in piece)


@DIRECTIONS
@pytest.mark.parametrize("end", End)
async def test_a_cut_after_the_first_word_is_told(client: str, upstream: str, end: End, tmp_path: Path) -> None:
    begun = {"chat": [ROLE, HELLO], "messages": [(RECORDINGS / "messages" / "text.sse").read_bytes().partition(b"event: message_delta")[0]]}
    async with ScriptedUpstream(cutting(*begun[upstream], end=end)) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        async with RawClient(donut.port) as raw:
            told = await raw.ask(ask(client, stream=True), PATHS[client])
        assert told.is_complete
        said = payloads(told.body)
        if client == "chat":
            assert [set(said[-2]), said[-1]] == [{"error"}, "[DONE]"]
        else:
            assert (said[-1]["type"], said[-1]["error"]["type"]) == ("error", "api_error")
        assert [row["status"] for row in await donut.wait_for_rows(1)] == ["truncated"]


async def test_an_error_after_the_first_word_is_told_once(tmp_path: Path) -> None:
    stream = [ROLE, HELLO, event({"error": {"message": "upstream-secret-0 is out of flour", "code": 503}})]
    async with ScriptedUpstream(playing(*stream)) as far, Donut(config((far.port, "chat")), tmp_path) as donut:
        told = await donut.client.post(PATHS["messages"], json=ask("messages", stream=True))
        errors = [each for each in payloads(told.content) if each["type"] == "error"]
        assert [error["error"]["type"] for error in errors] == ["overloaded_error"]
        assert b"upstream-secret" not in told.content


async def test_who_speaks_the_clients_dialect_comes_first(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(whole("messages")))) as foreign,
        ScriptedUpstream(saying(answer(whole("chat")))) as native,
        Donut(config((foreign.port, "messages"), (native.port, "chat")), tmp_path) as donut,
    ):
        told = [await donut.client.post(PATHS["chat"], json=ask("chat")) for _ in range(3)]
        assert [each.content for each in told] == [whole("chat")] * 3, "bytes that go through as they are"
        assert not foreign.requests


async def test_of_several_dialects_the_clients_own_is_spoken(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(whole("messages")))) as far, Donut(config((far.port, "chat, messages")), tmp_path) as donut:
        body = orjson.dumps(ask("messages", system="Odd  spacing"))
        told = await donut.client.post(PATHS["messages"], content=body)
        assert told.content == whole("messages")
        assert sent(far.requests[0])["system"] == "Odd  spacing"
        assert far.requests[0].head.startswith(b"POST /v1/messages ")


async def test_what_cannot_be_translated_goes_to_who_needs_no_translation(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(whole("messages")))) as foreign,
        ScriptedUpstream(saying(answer(whole("chat")))) as native,
        Donut(config((foreign.port, "messages"), (native.port, "chat")) + "routing: {weights: {native: 0.0}}\n", tmp_path) as donut,
    ):
        for _ in range(4):
            told = await donut.client.post(PATHS["chat"], json=ask("chat", n=2))
            assert told.content == whole("chat")
        assert not foreign.requests
        assert donut.open_reservations == 0
        await donut.wait_for_rows(4)
        assert "untranslatable" in {attempt["failure_kind"] for attempt in donut.rows("attempts")}


async def test_what_nobody_can_say_is_refused_by_name(tmp_path: Path) -> None:
    async with ScriptedUpstream() as far, Donut(config((far.port, "messages")), tmp_path) as donut:
        told = await donut.client.post(PATHS["chat"], json=ask("chat", n=2))
        assert told.status_code == 400
        assert (told.json()["error"]["code"], told.json()["error"]["param"]) == ("untranslatable_request", "n")
        assert not far.requests
        assert donut.open_reservations == 0
        (row,) = await donut.wait_for_rows(1)
        assert row["error_code"] == "untranslatable_request"


async def test_embeddings_are_never_translated(tmp_path: Path) -> None:
    async with ScriptedUpstream() as far, Donut(config((far.port, "chat")), tmp_path) as donut:
        told = await donut.client.post("/v1/embeddings", json={"model": "test-model", "input": "x"})
        assert (told.status_code, told.json()["error"]["code"]) == (400, "unsupported_endpoint")


async def test_what_was_lost_is_told(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(whole("messages")))) as far, Donut(config((far.port, "messages")), tmp_path) as donut:
        told = await donut.client.post(PATHS["chat"], json=ask("chat", seed=7), headers={"x-donut-debug": "1"})
        assert "seed" in told.headers["x-donut-lost"]
        assert "translated chat -> messages" in told.headers["x-donut-because"]
        quiet = await donut.client.post(PATHS["chat"], json=ask("chat", seed=7))
        assert "x-donut-lost" not in quiet.headers
        row = (await donut.wait_for_rows(2))[0]
        notes: Iterable[str] = orjson.loads(row["decision"])["notes"]
        assert [note.partition(":")[0] for note in notes] == ["translated chat → messages", "lost in translation"]


async def test_an_answer_of_neither_dialect_is_no_answer(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(b'{"hello":"world"}'))) as far, Donut(config((far.port, "messages")), tmp_path) as donut:
        told = await donut.client.post(PATHS["chat"], json=ask("chat"))
        assert (told.status_code, told.json()["error"]["code"]) == (502, "provider_invalid_response")
