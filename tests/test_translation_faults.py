"""When an upstream of another dialect fails, the client sees the error of its own: as an answer, and in the middle of a stream."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from providers.codecs.conversation import Conversation, Role, Text, Turn
from providers.codecs.events import Event, Failed
from providers.codecs.translate import TranslatingScanner
from providers.dialects import ErrorReply
from routing.facts import Failure, FailureKind
from tests.serving import Donut
from tests.streams import End, RawClient, cutting, playing
from tests.test_codec_event_stream import ANSWER
from tests.test_stream_endings import DIALECTS
from tests.test_translation_serving import config, path_of
from tests.translating import CODECS, FRAME, decoded, encoded, gist, reason_of
from tests.upstreams import Handler, ScriptedUpstream, answer, saying

PAIRS = [(client, upstream) for client, upstream in product(sorted(CODECS), sorted(CODECS)) if client != upstream]
EVERY_DIRECTION = pytest.mark.parametrize(("client", "upstream"), PAIRS)
TALK = Conversation([Turn(Role.USER, (Text("Two, please."),))], max_tokens=50, stream=True)
OVERLOADED = Failed(Failure(FailureKind.OVERLOADED, "the oven is full"))
STATUSES = {429: (429, FailureKind.RATE_LIMITED), 500: (503, FailureKind.OVERLOADED), 529: (503, FailureKind.OVERLOADED)}
"""What the upstream says → what the client sees."""
ERRORS: dict[str, Any] = {
    "chat": {"error": {"message": "the oven is full", "type": "server_error", "param": None, "code": None}},
    "responses": {"error": {"message": "the oven is full", "type": "server_error", "param": None, "code": None}},
    "messages": {"type": "error", "error": {"type": "api_error", "message": "the oven is full"}},
    "gemini": {"error": {"code": 500, "message": "the oven is full", "status": "INTERNAL"}},
}


def refusing(upstream: str, status: int) -> Handler:
    line, body = b"%d No" % status, orjson.dumps(ERRORS[upstream])
    return saying(answer(body, status=line, headers=b"content-type: application/json\r\n"))


def request(client: str) -> dict[str, Any]:
    return CODECS[client].encode(replace(TALK, dialect=client), "test-model")


def check_body(client: str, told: httpx.Response, status: int) -> None:
    """An error body, member by member as the vendor writes it."""
    assert told.status_code == status, told.text
    assert told.headers["content-type"] == "application/json"
    error = told.json()["error"]
    assert "the oven is full" in error["message"]
    match client:
        case "messages":
            assert told.json()["type"] == "error"
            assert error["type"] == ("rate_limit_error" if status == 429 else "overloaded_error")
        case "gemini":
            assert (error["code"], error["status"]) == (status, "RESOURCE_EXHAUSTED" if status == 429 else "UNAVAILABLE")
        case _:
            assert set(error) == {"message", "type", "param", "code"}
            assert isinstance(error["code"], str), "Qwen Code dies on an integer"


def failures_in(client: str, stream: bytes) -> list[Failed]:
    return [event for event in decoded(CODECS[client], [stream]) if isinstance(event, Failed)]


@EVERY_DIRECTION
@pytest.mark.parametrize("status", STATUSES)
async def test_an_upstreams_no(client: str, upstream: str, status: int, tmp_path: Path) -> None:
    seen, kind = STATUSES[status]
    async with ScriptedUpstream(refusing(upstream, status)) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        check_body(client, await donut.client.post(path_of(client, stream=True), json=request(client)), seen)
        await donut.wait_for_rows(1)
        assert [row["failure_kind"] for row in donut.rows("attempts")] == [kind.value]


@EVERY_DIRECTION
async def test_overloaded_inside_a_200(client: str, upstream: str, tmp_path: Path) -> None:
    """Before the first word it is an answer like any other no; behind it, the stream's last event."""
    codec = CODECS[upstream]
    async with ScriptedUpstream(playing(encoded(codec, [OVERLOADED]))) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        check_body(client, await donut.client.post(path_of(client, stream=True), json=request(client)), 503)
        begun = encoded(codec, ANSWER[:3])
        far.handler = playing(begun, encoded(codec, [*ANSWER[:3], OVERLOADED]).removeprefix(begun))
        told = await donut.client.post(path_of(client, stream=True), json=request(client))
        assert told.status_code == 200
        events = decoded(CODECS[client], [told.content])
        assert gist(events).text == "Two it is."
        assert [failed.failure.message for failed in failures_in(client, told.content)] == ["the oven is full"]
        assert reason_of(events) is None, "a broken answer is never passed off as a whole one"


@EVERY_DIRECTION
@pytest.mark.parametrize("end", End)
async def test_cut_in_the_middle_of_a_stream(client: str, upstream: str, end: End, tmp_path: Path) -> None:
    stream = encoded(CODECS[upstream], ANSWER)
    begun = len(encoded(CODECS[upstream], ANSWER[:3]))
    async with ScriptedUpstream(saying()) as far, Donut(config((far.port, upstream)), tmp_path) as donut:
        for at in (begun, begun + 7):
            far.handler = cutting(stream[:at], end=end)
            async with RawClient(donut.port) as raw:
                told = await raw.ask(request(client), path_of(client, stream=True))
            assert told.is_complete
            assert gist(decoded(CODECS[client], [told.body])).text == "Two it is."
            assert len(failures_in(client, told.body)) == 1
            assert told.body.endswith(DIALECTS[client].end_events)


@EVERY_DIRECTION
def test_cut_at_every_byte(client: str, upstream: str) -> None:
    """What the relay does with a stream that ends anywhere: its scanner says what was whole, and then that it broke off."""
    stream = encoded(CODECS[upstream], ANSWER)
    broke_off = ErrorReply(502, "provider_disconnected", "It broke off.")
    for at in range(len(stream) + 1):
        scanner = TranslatingScanner(CODECS[upstream].new_decoder(), CODECS[client].new_encoder(FRAME), DIALECTS[client].end_events)
        out = scanner.feed(stream[:at])
        if not scanner.is_finished:
            out += scanner.end_with(broke_off)
        events: list[Event] = decoded(CODECS[client], [out])
        assert gist(events).text in ("", "Two it is.")
        told = [event.failure.message for event in events if isinstance(event, Failed)]
        assert told == ([] if scanner.is_finished else ["It broke off."]), at
        assert (reason_of(events) is not None) is scanner.is_finished


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
async def test_a_gemini_client_without_alt_sse_gets_an_array(cut: bool, tmp_path: Path) -> None:
    """Google's default: the chunks as one JSON array, whichever dialect the upstream speaks, and also where the stream breaks off."""
    path = "/v1beta/models/test-model:streamGenerateContent"
    for upstream in sorted(CODECS):
        stream = encoded(CODECS[upstream], ANSWER[:3] if cut else ANSWER)
        handler = cutting(stream) if cut else playing(stream)
        folder = tmp_path / upstream
        folder.mkdir()
        async with ScriptedUpstream(handler) as far, Donut(config((far.port, upstream)), folder) as donut:
            told = await donut.client.post(path, json=request("gemini"))
            assert told.headers["content-type"] == "application/json", upstream
            chunks = told.json()
            text = "".join(part["text"] for chunk in chunks for each in chunk.get("candidates", ()) for part in each["content"]["parts"])
            assert text == "Two it is."
            assert ["error" in chunk for chunk in chunks[-1:]] == [cut]
