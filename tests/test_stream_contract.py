"""What every answer of the dialect paths keeps, good or bad: OpenAI's error shape, donut's headers, what goes upstream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.serving import Donut, config_for
from tests.streams import CHAT, CLEAN, RawAnswer, RawClient, ask, chunk, cutting, playing
from tests.upstreams import ScriptedUpstream, answer, saying

ROUTED = ("x-request-id", "x-donut-decision", "x-donut-model", "x-donut-replica", "x-donut-tier", "x-donut-use-case", "x-donut-attempts")


def error_of(got: RawAnswer, status: int, code: str) -> dict[str, Any]:
    """The error of an answer, after its shape has been checked."""
    assert got.status == status, got
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-request-id"]
    body = got.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"]
    return error


# Errors of donut's own


async def test_an_unknown_model_is_a_404_that_lists_what_is_served_and_what_is_near(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        error = error_of(await client.ask(ask("test-modle")), 404, "model_not_found")
        assert error["param"] == "model"
        assert "Did you mean test-model" in error["message"]
        assert "Served: test-model" in error["message"]
        assert upstream.requests == []
        row = (await donut.wait_for_rows(1))[0]
        assert (row["status"], row["requested_model"]) == ("refused", "test-modle")


async def test_other_paths_and_methods_are_said_in_shape(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        missing = await donut.client.post("/v1/chat/completion", json=ask())
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        assert "/v1/chat/completion" in missing.json()["error"]["message"]
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            wrong = await donut.client.request(method, CHAT)
            assert (wrong.status_code, wrong.json()["error"]["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "POST")
        posted = await donut.client.post("/v1/models", json={})
        assert (posted.status_code, posted.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("body", "code", "param", "words"),
    [
        (b"{", "invalid_json", None, "not valid JSON"),
        (b"", "invalid_json", None, "not valid JSON"),
        (b"[1]", "invalid_json", None, "must be a JSON object"),
        (b'{"messages":[{"role":"user","content":"x"}]}', "missing_required_parameter", "model", "`model` is missing"),
        (b'{"model":7,"messages":[{}]}', "invalid_type", "model", "a number"),
        (b'{"model":"","messages":[{}]}', "invalid_value", "model", "empty"),
        (b'{"model":"test-model"}', "missing_required_parameter", "messages", "`messages` is missing"),
        (b'{"model":"test-model","messages":"hi"}', "invalid_type", "messages", "a string"),
        (b'{"model":"test-model","messages":[]}', "invalid_value", "messages", "empty"),
        (b'{"model":"test-model","messages":[{"role":"user","content":"x"},"hi"]}', "invalid_type", "messages[1]", "object"),
        (b'{"model":"test-model","messages":[{}],"stream":"yes"}', "invalid_type", "stream", "true or false"),
    ],
)
async def test_a_wrong_body_names_the_parameter(body: bytes, code: str, param: str | None, words: str, tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        error = error_of(await client.ask(body), 400, code)
        assert error["param"] == param
        assert words in error["message"]
        assert error["type"] == "invalid_request_error"
        assert upstream.requests == []


async def test_when_all_are_rate_limited_the_429_names_them_and_says_when(tmp_path: Path) -> None:
    limited = saying(answer(b"{}", status=b"429 Too Many", headers=b"retry-after: 40\r\n"))
    later = saying(answer(b"{}", status=b"429 Too Many", headers=b"retry-after: 90\r\n"))
    async with (
        ScriptedUpstream(limited) as one,
        ScriptedUpstream(later) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        first = await client.ask(ask())
        assert (first.status, first.headers["x-donut-attempts"]) == (429, "2")
        got = await client.ask(ask())
        error = error_of(got, 429, "rate_limit_exceeded")
        assert "p0/up-model" in error["message"]
        assert "p1/up-model" in error["message"]
        assert 35 <= int(got.headers["retry-after"]) <= 40, "the first of them to be free again"
        assert (len(one.requests), len(two.requests)) == (1, 1), "a limit that is known is not asked again"


# Steering by header


async def test_local_required_refuses_cloud_and_asks_nobody(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port, provider_more="local: false,"), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        error = error_of(await client.ask(ask(), headers={"x-donut-local": "required"}), 503, "no_local_replica")
        assert "p0/up-model" in error["message"]
        assert "must not leave this machine" in error["message"]
        assert upstream.requests == []
        assert (await client.ask(ask(), headers={"x-donut-local": "disabled"})).body == CLEAN


async def test_excluded_providers_do_not_answer(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(playing(CLEAN)) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask(), headers={"x-donut-exclude": "p0"})).headers["x-donut-replica"] == "p1/up-model"
        assert (await client.ask(ask(), headers={"x-donut-exclude": " p1 , other"})).headers["x-donut-replica"] == "p0/up-model"
        error = error_of(await client.ask(ask(), headers={"x-donut-exclude": "p0,p1"}), 400, "all_candidates_excluded")
        assert "p0" in error["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-donut-local", "maybe"),
        ("x-donut-tier", "huge"),
        ("x-donut-objective", "vibes"),
        ("x-donut-deadline-ms", "soon"),
        ("x-donut-deadline-ms", "0"),
        ("x-donut-deadline-ms", "-5"),
        ("x-donut-deadline-ms", "\xb2"),
        ("x-donut-deadline-ms", "9" * 5000),
    ],
)
async def test_a_steering_header_that_says_nothing_known_is_a_400_that_names_it(name: str, value: str, tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut, RawClient(donut.port) as client:
        client.writer.write(RawClient.request(orjson.dumps(ask()), headers={name: "?"}).replace(b"?", value.encode("latin-1"), 1))
        got = await client.read_head()
        await client.read_body(got)
        assert got.status == 400
        assert got.json()["error"]["param"] == name
        assert upstream.requests == []


# Headers


async def test_a_request_id_is_echoed_or_made(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(answer(b'{"choices":[]}', headers=b"x-request-id: theirs\r\n"))) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        for stream in (False, True):
            assert (await client.ask(ask(stream=stream), headers={"x-request-id": "mine-1"})).headers["x-request-id"] == "mine-1"
        made = {(await client.ask(ask(stream=False))).headers["x-request-id"] for _ in range(3)}
        assert len(made) == 3
        assert "theirs" not in made
        for harmful in ("x" * 129, "a\tb"):
            assert (await client.ask(ask(stream=False), headers={"x-request-id": harmful})).headers["x-request-id"] != harmful
        rows = await donut.wait_for_rows(7)
        assert [row["request_id"] for row in rows[:2]] == ["mine-1", "mine-1"]
        assert donut.rows("attempts")[0]["upstream_request_id"] == "theirs"
        assert all(request.header(b"x-request-id") is None for request in upstream.requests)


async def test_every_routed_answer_carries_donuts_headers_errors_included(tmp_path: Path) -> None:
    answers = {
        "stream": (playing(CLEAN), True, 200),
        "whole": (saying(answer(b'{"choices":[]}')), False, 200),
        "bad request": (saying(answer(b"{}", status=b"400 Bad")), True, 400),
        "limited": (saying(answer(b"{}", status=b"429 Too Many", headers=b"retry-after: 0\r\n")), False, 429),
        "failed": (saying(answer(b"{}", status=b"500 Oops")), True, 503),
        "cut": (cutting(chunk(role="assistant")), True, 502),
        "truncated": (cutting(chunk(content="x")), True, 200),
    }
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        for name, (handler, stream, status) in answers.items():
            upstream.handler = handler
            async with RawClient(donut.port) as client:
                got = await client.ask(ask(stream=stream))
                assert got.status == status, name
                assert [header for header in ROUTED if header not in got.headers] == [], name
                assert (got.headers["x-donut-model"], got.headers["x-donut-replica"]) == ("test-model", "p0/up-model")
                assert "x-donut-because" not in got.headers
        rows = await donut.wait_for_rows(len(answers))
        assert len({row["id"] for row in rows}) == len(answers)


async def test_debug_adds_the_reasons_and_the_timings(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(), headers={"x-donut-debug": "1"})
        assert got.headers["x-donut-because"].startswith("p0/up-model because model test-model: the client named it")
        assert "connect1;dur=" in got.headers["server-timing"]
        decision = got.headers["x-donut-decision"]
        assert (await donut.wait_for_rows(1))[0]["id"] == decision


async def test_an_upstream_can_not_speak_in_donuts_name(tmp_path: Path) -> None:
    said = answer(
        b'{"choices":[]}', headers=b"x-donut-model: lie\r\nset-cookie: a=b\r\nserver: theirs\r\nx-vendor: kept\r\nalt-svc: h3\r\n"
    )
    async with (
        ScriptedUpstream(saying(said)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(stream=False))
        assert got.headers["x-donut-model"] == "test-model"
        assert got.headers["x-vendor"] == "kept"
        assert not {"set-cookie", "server", "alt-svc"} & set(got.headers)


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        for number in range(4):
            client.send(ask(user=str(number)), headers={"x-request-id": f"n{number}"})
        for number in range(4):
            got = await client.read_head()
            await client.read_body(got)
            assert (got.headers["x-request-id"], got.body) == (f"n{number}", CLEAN)


async def test_a_truncated_answer_ends_the_connection_of_a_pipelining_client(tmp_path: Path) -> None:
    """The second request is already parsed when the first answer breaks off: it is the first one's connection that has to close."""
    async with (
        ScriptedUpstream(cutting(chunk(content="x"))) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        client.send(ask())
        client.send(ask())
        got = await client.read_head()
        await client.read_body(got)
        assert got.body.endswith(b"data: [DONE]\n\n")
        assert await client.is_closed()
        assert donut.open_reservations == 0


# What goes upstream


async def test_the_upstreams_body_is_the_clients_apart_from_the_model_and_the_wish_for_usage(tmp_path: Path) -> None:
    body = (
        b'{ "model" : "test-model",\n "messages":[{"role":"user","content":"\\u00fc \\"model\\":\\"test-model\\" 1.0e5"}],'
        b' "stream" :true, "n":1.0, "future":{"model":"x"}}'
    )
    expected = body.replace(b'"test-model",\n', b'"up-model",\n', 1).replace(b"{ ", b'{"stream_options":{"include_usage":true}, ', 1)
    async with (
        ScriptedUpstream(playing(CLEAN)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        await client.ask(body)
        assert upstream.requests[0].body == expected
        await client.ask(body.replace(b'"stream" :true', b'"stream":false'))
        assert upstream.requests[1].body == body.replace(b'"stream" :true', b'"stream":false').replace(
            b'"test-model",\n', b'"up-model",\n', 1
        )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, {"include_usage": True}),
        ({}, {"include_usage": True}),
        ({"include_usage": False, "include_obfuscation": False}, {"include_usage": True, "include_obfuscation": False}),
        ({"include_usage": True, "x": 1}, {"include_usage": True, "x": 1}),
    ],
)
async def test_stream_options_are_added_to_and_the_usage_chunk_is_kept_only_where_it_was_asked_for(
    options: Any, expected: Any, tmp_path: Path
) -> None:
    usage = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
    stream = CLEAN.replace(b"data: [DONE]", usage + b"data: [DONE]")
    async with (
        ScriptedUpstream(playing(stream)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(usage=False, stream_options=options))
        asked = isinstance(options, dict) and options.get("include_usage", False)
        assert got.body == (stream if asked else CLEAN)
        assert orjson.loads(upstream.requests[0].body)["stream_options"] == expected
        await donut.wait_for_rows(1)
        assert donut.rows("attempts")[0]["reported_output"] == 1
