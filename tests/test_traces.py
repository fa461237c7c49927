"""What real clients send, replayed: the upstream gets the same body apart from documented changes, the client the upstream's bytes.

`recordings/requests` holds requests with the shape of what opencode, qwen-code and the openai SDK send (fields, order, headers), in our
own words. Where the recorded traces themselves stand beside the checkout, they are replayed too (marker `traces`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.headers import TO_UPSTREAM, TO_UPSTREAM_PREFIXES
from tests.serving import Donut, config_for
from tests.streams import RECORDINGS, STREAMS, RawClient, digest, play, recording
from tests.upstreams import ReceivedRequest, ScriptedUpstream

OURS = RECORDINGS / "requests"
TRACES = Path(__file__).parents[2] / "shared" / "traces"
PATHS = ("/v1/chat/completions", "/v1/embeddings")
CANARY = "client-canary"

FROM_THE_CLIENT = {
    "authorization": f"Bearer {CANARY}",
    "cookie": f"session={CANARY}",
    "x-api-key": CANARY,
    "api-key": CANARY,
    "proxy-authorization": f"Basic {CANARY}",
    "openai-organization": CANARY,
    "x-donut-session": CANARY,
    "x-forwarded-for": CANARY,
    "forwarded": f"for={CANARY}",
    "via": CANARY,
}
"""What never goes upstream: the client's own secrets, who it is, what steers donut."""
WRITTEN_BY_DONUT = {"host", "content-length", "content-type", "accept-encoding", "authorization"}

REPLIES = {
    "/v1/embeddings": b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPw=="}],"usage":{"prompt_tokens":3}}',
    "/v1/chat/completions": b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}',
}


def replayable() -> Iterator[Any]:
    for path in sorted(OURS.glob("*.json")):
        yield pytest.param(path, id=f"ours/{path.stem}")
    for path in sorted(TRACES.glob("*/*.json")):
        trace = json.loads(path.read_bytes())
        if trace["path"] in PATHS and trace["method"] == "POST":
            yield pytest.param(path, id=f"traces/{path.parent.name}/{path.stem}", marks=pytest.mark.traces)


def spellings(body: Any) -> list[bytes]:
    """The same body as JavaScript writes it, as Python's json does, and for people."""
    return [orjson.dumps(body), json.dumps(body).encode(), json.dumps(body, indent=2, ensure_ascii=False).encode()]


def config(port: int, path: str) -> str:
    """Every name that a trace asks for is served by the one replica."""
    text = config_for(port, more='routing: {rewrites: {"*": test-model}}')
    return text.replace("model: test-model,", "model: test-model, capabilities: [embeddings],") if path == "/v1/embeddings" else text


def assert_same_body(sent: bytes, got: bytes) -> None:
    """Equal but for the model's name and the wish for usage: as values, and as bytes outside those two members."""
    asked, seen = orjson.loads(sent), orjson.loads(got)
    expected = {**asked, "model": "up-model"}
    wants_usage = asked.get("stream") and not (asked.get("stream_options") or {}).get("include_usage")
    if wants_usage:
        expected["stream_options"] = {**(asked.get("stream_options") or {}), "include_usage": True}
    assert seen == expected
    name = json.dumps(asked["model"]).encode()
    unspliced = got.replace(b'"stream_options":{"include_usage":true},', b"", 1) if wants_usage and "stream_options" not in asked else got
    assert digest(unspliced.replace(b'"up-model"', name, 1)) == digest(sent)


def assert_clean_headers(trace: dict[str, Any], request: ReceivedRequest, port: int) -> None:
    lines = request.head.decode("latin-1").split("\r\n")[1:-2]
    got = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    assert CANARY not in request.head.decode("latin-1")
    assert dict(got)["authorization"] == "Bearer upstream-secret-0"
    assert dict(got)["host"] == f"127.0.0.1:{port}"
    assert len({name for name, _ in got}) == len(got), "no header twice"
    crossing = {name.encode() for name, _ in got if name not in WRITTEN_BY_DONUT}
    assert all(name in TO_UPSTREAM or name.startswith(TO_UPSTREAM_PREFIXES) for name in crossing)
    recorded = {name.lower(): value for name, value in trace["headers"]}
    assert dict(got)["user-agent"] == recorded["user-agent"]
    kept = [(name, value) for name, value in recorded.items() if name.startswith("x-stainless-") or name in ("accept", "x-session-id")]
    assert all(pair in got for pair in kept)


def client_headers(trace: dict[str, Any]) -> dict[str, str]:
    """The trace's own, with secrets where it had some, and more than any client sends."""
    recorded = {name.lower(): value for name, value in trace["headers"] if name.lower() != "content-length"}
    return {**recorded, **FROM_THE_CLIENT}


@pytest.mark.parametrize("path", list(replayable()))
async def test_a_client_is_served_as_if_donut_were_not_there(path: Path, tmp_path: Path) -> None:
    trace = json.loads(path.read_bytes())
    streams = trace["body"].get("stream", False)
    answers = [recording(name) for name in STREAMS] if streams else [REPLIES[trace["path"]]]

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        reply = answers[(len(upstream.requests) - 1) % len(answers)]
        await play(writer, [reply[at : at + 1] for at in range(len(reply))])

    bodies = spellings(trace["body"])
    async with (
        ScriptedUpstream(handle) as upstream,
        Donut(config(upstream.port, trace["path"]), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        for turn in range(max(len(answers), len(bodies))):
            sent = bodies[turn % len(bodies)]
            got = await client.ask(sent, trace["path"], client_headers(trace))
            assert got.status == 200, got
            assert digest(got.body) == digest(answers[turn % len(answers)])
            assert upstream.requests[turn].head.startswith(b"POST " + trace["path"].encode() + b" HTTP/1.1\r\n")
            assert_same_body(sent, upstream.requests[turn].body)
            assert_clean_headers(trace, upstream.requests[turn], upstream.port)
        rows = await donut.wait_for_rows(turn + 1)
        assert {row["status"] for row in rows} == {"ok"}
        assert {row["requested_model"] for row in rows} == {trace["body"]["model"]}


def test_our_requests_cover_the_clients() -> None:
    clients = {json.loads(path.read_bytes())["client"] for path in OURS.glob("*.json")}
    assert clients == {"opencode", "qwen", "openai-sdk"}
