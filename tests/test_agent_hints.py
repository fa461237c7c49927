"""`agent` and `session` in a chat body (agentapi++'s AgentBifrost): hints for donut, never seen by an upstream."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from providers.dialects import Ask
from providers.dialects.chat import DIALECT
from proxy.agent_hints import agent_policy
from tests.serving import Donut, config_for
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, saying

REPLY = answer(b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}')
MESSAGES = [{"role": "user", "content": "hi"}]


def sent(body: bytes, upstream_model: str = "up-model") -> bytes:
    return bytes(DIALECT.prepare(body, orjson.loads(body), Ask("test-model", stream=False), upstream_model))


def test_the_rest_of_the_body_stays_as_it_was_written() -> None:
    body = b'{"agent": "reviewer",  "temperature": 1.0, "model":"test-model", "messages": [], "session":"s-1" }'
    assert sent(body) == b'{"temperature": 1.0, "model":"up-model", "messages": []}'


def test_they_are_taken_out_whatever_they_are() -> None:
    assert orjson.loads(sent(b'{"model":"test-model","agent":{"id":[1,"}"]},"session":null}')) == {"model": "up-model"}


def test_members_of_that_name_further_down_stay() -> None:
    inner = b'{"model":"test-model","metadata":{"agent":"a","session":"b"},"agent":"c"}'
    assert orjson.loads(sent(inner)) == {"model": "up-model", "metadata": {"agent": "a", "session": "b"}}


async def exchange(tmp_path: Path, more: str, *bodies: dict[str, Any]) -> tuple[list[ReceivedRequest], list[dict[str, Any]]]:
    """What the upstream received, and the journal's rows."""
    async with ScriptedUpstream(saying(REPLY)) as upstream, Donut(config_for(upstream.port, more=more), tmp_path) as donut:
        for body in bodies:
            got = await donut.client.post("/v1/chat/completions", json=body)
            assert got.status_code == 200, got.text
        return upstream.requests, await donut.wait_for_rows(len(bodies))


async def test_an_upstream_never_sees_them(tmp_path: Path) -> None:
    body = {"model": "test-model", "messages": MESSAGES, "agent": "reviewer", "session": "s-1"}
    (request,), (row,) = await exchange(tmp_path, "", body)
    assert orjson.loads(request.body) == {"model": "up-model", "messages": MESSAGES}
    assert row["harness"] == "agentapi"


async def test_a_session_is_a_conversation(tmp_path: Path) -> None:
    def body(session: str, text: str) -> dict[str, Any]:
        return {"model": "auto", "messages": [{"role": "user", "content": text}], "agent": "a", "session": session}

    _, rows = await exchange(tmp_path, "", body("s-1", "hi"), body("s-1", "something else"), body("s-2", "hi"))
    first, again, other = (row["affinity_key"] for row in rows)
    assert first == again != other


async def test_an_agent_that_is_called_like_a_policy_gets_it(tmp_path: Path) -> None:
    more = "policies: [{name: reviewer, objective: quality}]"
    plain = {"model": "auto", "messages": MESSAGES, "session": "s-1"}
    _, rows = await exchange(tmp_path, more, {**plain, "agent": "reviewer"}, {**plain, "agent": "nobody"})
    policies = [orjson.loads(row["decision"])["demand"]["policy"] for row in rows]
    assert policies == ["reviewer", "normal"]


@pytest.mark.parametrize("agent", [None, 3, ["reviewer"], {"a": 1}, "Reviewer", ""])
def test_any_other_agent_is_no_policy(agent: Any) -> None:
    assert agent_policy({"agent": agent}, {"reviewer"}) is None
    assert agent_policy({}, {"reviewer"}) is None


async def test_a_request_as_agent_bifrost_sends_it(tmp_path: Path) -> None:
    """Byte for byte what Go's client makes of it: chunked, because nobody told it the length, and one session per agent and hour."""
    body = orjson.dumps({"agent": "claude", "messages": MESSAGES, "model": "test-model", "session": "sess_1795284000000000000"})
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Go-http-client/1.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    )
    async with ScriptedUpstream(saying(REPLY)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        reader, writer = await asyncio.open_connection("127.0.0.1", donut.port)
        writer.write(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        said = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert said.startswith(b"HTTP/1.1 200 ")
        assert orjson.loads(upstream.requests[0].body) == {"messages": MESSAGES, "model": "up-model"}
