"""From discovery to an answer, without a config: a model server appears on this machine, is served, moves, and goes away again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.local_servers import LLAMA_SERVER, OLLAMA, VLLM, Pages, page, serving
from tests.serving import Donut
from tests.streams import CHAT, chunk, playing
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer

HELLO = [{"role": "user", "content": "Hi"}]
WHOLE = answer(
    b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"local"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}'
)


def local_server(pages: Pages, key: str | None = None) -> Handler:
    """The pages by which a server is known, and answers to chat requests."""
    known = serving(pages, key)

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if request.head.startswith(b"GET "):
            await known(request, writer)
        elif b'"stream":true' in request.body.replace(b" ", b""):
            await playing(chunk(content="local"), chunk("stop"), b"data: [DONE]\n\n")(request, writer)
        else:
            writer.write(WHOLE)

    return handle


def at(server: ScriptedUpstream) -> dict[str, str]:
    """The environment of a user whose Ollama listens there. The usual ports are asked as well: what answers there does no harm."""
    return {"OLLAMA_HOST": f"127.0.0.1:{server.port}"}


def served_by(donut: Donut, server: ScriptedUpstream) -> set[str]:
    upstreams = donut.runtime.gateway.serving.upstreams.values()
    return {upstream.replica.id for upstream in upstreams if upstream.origin.port == server.port}


async def test_a_server_that_is_there_at_the_start_is_served_without_any_config(tmp_path: Path) -> None:
    async with ScriptedUpstream(local_server(LLAMA_SERVER)) as server, Donut("", tmp_path, at(server)) as donut:
        assert not donut.runtime.is_simulated
        (replica,) = served_by(donut, server)
        assert replica.startswith(f"llamacpp-{server.port}/")
        got = await donut.client.post(CHAT, json={"model": replica, "messages": HELLO})
        assert (got.status_code, got.content) == (200, WHOLE.partition(b"\r\n\r\n")[2])
        assert got.headers["x-donut-replica"] == replica
        entries = {entry["id"]: entry for entry in (await donut.client.get("/v1/models")).json()["data"]}
        assert entries[got.headers["x-donut-model"]]["local"] is True
        streamed = await donut.client.post(CHAT, json={"model": replica, "messages": HELLO, "stream": True})
        assert streamed.text.endswith("data: [DONE]\n\n")
        post = next(request for request in server.requests if request.head.startswith(b"POST"))
        assert post.head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert post.header(b"authorization") is None  # whoever listens on a port gets no key
        rows = await donut.wait_for_rows(2)
        assert {row["provider_id"] for row in rows} == {f"llamacpp-{server.port}"}
        assert {attempt["cost_usd"] for attempt in donut.rows("attempts")} == {0.0}


async def test_a_server_that_stops_is_no_longer_served_and_one_that_comes_back_is(tmp_path: Path) -> None:
    async with ScriptedUpstream(local_server(OLLAMA)) as server:
        environ = at(server)
        async with Donut("", tmp_path, environ) as donut:
            local = f"ollama-{server.port}/llama3.2:latest"
            assert local in served_by(donut, server)
            handler, server.handler = server.handler, _dead
            server.close_connections()
            failed = await donut.client.post(CHAT, json={"model": local, "messages": HELLO})
            assert failed.status_code == 502
            assert local in failed.json()["error"]["message"]
            await donut.runtime.look_around()
            assert served_by(donut, server) == set()
            gone = await donut.client.post(CHAT, json={"model": local, "messages": HELLO})
            assert gone.status_code == 404
            assert gone.json()["error"]["code"] == "model_not_found"
            server.handler = handler
            await donut.runtime.look_around()
            assert local in served_by(donut, server)
            assert (await donut.client.post(CHAT, json={"model": local, "messages": HELLO})).status_code == 200


async def test_a_stream_survives_that_its_server_is_no_longer_found(tmp_path: Path) -> None:
    """The server is too busy to answer the probe in time: that is no reason to cut the answer it is giving."""
    go_on = asyncio.Event()
    pages = serving(OLLAMA)

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if request.head.startswith(b"GET "):
            await pages(request, writer)
            return
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
        writer.write(head + chunk(content="first"))
        await go_on.wait()
        writer.write(chunk(content="last") + chunk("stop") + b"data: [DONE]\n\n")
        writer.close()

    async with ScriptedUpstream(handle) as server, Donut("", tmp_path, at(server)) as donut:
        local = f"ollama-{server.port}/llama3.2:latest"
        asked = {"model": local, "messages": HELLO, "stream": True}
        async with donut.client.stream("POST", CHAT, json=asked) as got:
            pieces = got.aiter_text()
            assert "first" in await anext(pieces)
            server.handler = _dead  # for whoever asks from now on
            await donut.runtime.look_around()
            assert served_by(donut, server) == set()
            go_on.set()
            rest = "".join([piece async for piece in pieces])
        assert "last" in rest
        assert rest.endswith("data: [DONE]\n\n")
        (row,) = await donut.wait_for_rows(1)
        assert (row["status"], row["replica_id"]) == ("ok", local)


async def test_models_that_a_local_server_gets_from_elsewhere_are_not_local(tmp_path: Path) -> None:
    async with ScriptedUpstream(local_server(OLLAMA)) as server, Donut("", tmp_path, at(server)) as donut:
        cloud = f"ollama-{server.port}/gpt-oss:120b-cloud"
        assert cloud in served_by(donut, server)
        entries = {entry["id"]: entry for entry in (await donut.client.get("/v1/models")).json()["data"]}
        assert entries[cloud]["local"] is False
        got = await donut.client.post(CHAT, json={"model": cloud, "messages": HELLO}, headers={"x-donut-local": "required"})
        assert (got.status_code, got.json()["error"]["code"]) == (503, "no_local_replica")
        assert not [request for request in server.requests if request.head.startswith(b"POST")]


async def test_a_server_that_another_one_replaces_on_its_port_is_served_as_what_it_is(tmp_path: Path) -> None:
    async with ScriptedUpstream(local_server(OLLAMA)) as server, Donut("", tmp_path, at(server)) as donut:
        assert {replica.split("/")[0] for replica in served_by(donut, server)} == {f"ollama-{server.port}"}
        server.handler = local_server(VLLM)
        await donut.runtime.look_around()
        assert served_by(donut, server) == {f"vllm-{server.port}/Qwen/Qwen3-8B"}


async def test_a_locked_server_is_named_but_not_served(tmp_path: Path) -> None:
    async with ScriptedUpstream(local_server(LLAMA_SERVER, key="secret")) as server, Donut("", tmp_path, at(server)) as donut:
        assert served_by(donut, server) == set()
        (found,) = [found for found in donut.runtime.known.local if f":{server.port}" in found.base_url]
        assert found.locked
        assert found.note


async def test_what_a_person_wrote_down_is_not_served_twice(tmp_path: Path) -> None:
    async with ScriptedUpstream(local_server(OLLAMA)) as server:
        config = (
            f"providers:\n  - {{id: mine, kind: ollama, base_url: 'http://127.0.0.1:{server.port}/v1', "
            "models: [{upstream: 'llama3.2:latest'}]}\n"
        )
        async with Donut(config, tmp_path, at(server)) as donut:
            assert served_by(donut, server) == {"mine/llama3.2:latest"}


async def test_discovery_that_is_switched_off_asks_nobody(tmp_path: Path) -> None:
    async with ScriptedUpstream(local_server(OLLAMA)) as server, Donut("discovery: {local: false}", tmp_path, at(server)) as donut:
        assert server.connections_made == 0
        assert donut.runtime.is_simulated


async def test_hostile_pages_do_not_stop_the_others(tmp_path: Path) -> None:
    """What listens may be anything: names that break headers, lists of nonsense, a page that never ends."""
    odd = {
        **OLLAMA,
        "/api/tags": page(
            {"models": [{"name": "a\r\nx-evil: 1"}, {"name": "\x1b[2J"}, {"name": 7}, None, {"name": "fine:1b"}, {"name": ""}]}
        ),
        "/v1/models": page({"data": [{"id": "a\r\nx-evil: 1"}, {"id": "fine:1b"}]}),
    }
    async with ScriptedUpstream(local_server(odd)) as server, Donut("", tmp_path, at(server)) as donut:
        assert served_by(donut, server) == {f"ollama-{server.port}/fine:1b"}


async def _dead(_request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """As if the process were gone: the connection ends without a word."""
    writer.close()
