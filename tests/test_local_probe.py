"""Discovery over real sockets: what is found, what is never sent, and how long it may take."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from providers.local.probe import BODY_LIMIT, LOOPBACK, default_endpoints, discover, parse_listen
from providers.local.registry import load_backends
from providers.loopback import is_loopback
from tests.local_servers import (
    APFEL,
    LLAMA_CPP_PYTHON,
    LLAMA_SERVER,
    OLLAMA,
    SERVERS,
    VLLM,
    methods,
    page,
    paths,
    reached_on,
    serving,
    silent,
)
from tests.upstreams import ReceivedRequest, ScriptedUpstream

HOST = "127.0.0.1"
GENEROUS_S = 2.0
"""For tests that are not about the time limit: the machine is shared."""


@pytest.mark.parametrize("name", SERVERS)
async def test_each_server_is_found_with_nothing_but_gets(name: str) -> None:
    async with ScriptedUpstream(serving(SERVERS[name])) as server:
        (found,) = await discover([(HOST, server.port)], GENEROUS_S)
        assert found.backend == name
        assert found.provider_id == f"{name}-{server.port}"
        assert found.base_url.startswith(f"http://{HOST}:{server.port}")
        assert found.is_usable
        assert methods(server) == {b"GET"}
        assert not any(request.body for request in server.requests)


async def test_apfel_and_ollama_are_told_apart_on_one_port_number() -> None:
    async with ScriptedUpstream(serving(OLLAMA)) as ollama, ScriptedUpstream(serving(APFEL)) as apfel:
        found = await discover([(HOST, ollama.port), (HOST, apfel.port)], GENEROUS_S)
    assert [server.backend for server in found] == ["ollama", "apfel"]
    assert [server.kind for server in found] == ["ollama", "apfel"]


async def test_a_server_that_hangs_costs_one_timeout_and_hides_nobody() -> None:
    async with ScriptedUpstream(silent) as hanging, ScriptedUpstream(serving(LLAMA_SERVER)) as good:
        started = time.monotonic()
        found = await discover([(HOST, hanging.port), (HOST, good.port)], 0.3)
        assert time.monotonic() - started < 2.0  # 0.3 s and the slack of a shared machine; without the limit it would be for ever
        assert [server.backend for server in found] == ["llamacpp"]
        await asyncio.sleep(0)
        assert hanging.requests


async def test_one_page_that_hangs_does_not_hide_the_others() -> None:
    answering = serving(LLAMA_SERVER)

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await (silent if b"/system " in request.head else answering)(request, writer)

    async with ScriptedUpstream(handle) as server:
        (found,) = await discover([(HOST, server.port)], 0.5)
    assert found.backend == "llamacpp"


async def test_a_closed_port_and_a_server_that_is_no_http_are_nothing() -> None:
    async def nonsense(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        del request
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        writer.close()

    with socket.socket() as closed:
        closed.bind((HOST, 0))
        async with ScriptedUpstream(nonsense) as odd:
            assert await discover([(HOST, closed.getsockname()[1]), (HOST, odd.port)], GENEROUS_S) == []


async def test_an_answer_without_end_is_cut_off() -> None:
    huge = {**LLAMA_SERVER, "/v1/models": page('{"data": [' + " " * BODY_LIMIT + "]}")}
    async with ScriptedUpstream(serving(huge)) as server:
        (found,) = await discover([(HOST, server.port)], GENEROUS_S)
    assert (found.backend, found.models) == ("llamacpp", ())
    assert "offers no model" in found.note


async def test_a_redirect_is_not_followed() -> None:
    async def away(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        del request
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: http://{HOST}:{target.port}/v1/models\r\ncontent-length: 0\r\n\r\n".encode())

    async with ScriptedUpstream(serving(LLAMA_SERVER)) as target, ScriptedUpstream(away) as server:
        assert await discover([(HOST, server.port)], GENEROUS_S) == []
        assert target.requests == []


async def test_a_proxy_in_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedUpstream() as proxy, ScriptedUpstream(serving(LLAMA_SERVER)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert len(await discover([(HOST, server.port)], GENEROUS_S)) == 1
        assert proxy.requests == []


async def test_donut_itself_is_not_found() -> None:
    async with ScriptedUpstream(serving({"/healthz": page({"status": "ok", "service": "donut"}), **OLLAMA})) as server:
        assert await discover([(HOST, server.port)], GENEROUS_S) == []


async def test_only_loopback_is_asked() -> None:
    with pytest.raises(ValueError, match="not on this machine"):
        await discover([("192.168.1.5", 11434)])


class TestLocked:
    """A server that wants a key is there, and says which variable would open it."""

    async def test_a_locked_server_on_a_port_that_nobody_knows(self) -> None:
        async with ScriptedUpstream(serving(OLLAMA, key="secret")) as server:
            (found,) = await discover([(HOST, server.port)], GENEROUS_S)
        assert (found.backend, found.locked, found.models) == ("unknown", True, ())
        assert not found.is_usable

    async def test_a_locked_jan_is_named_and_opened_by_its_key(self) -> None:
        pages = {"/v1/models": page({"data": [{"id": "qwen3-8b", "owned_by": "user"}]})}
        async with ScriptedUpstream(serving(pages, key="jan-secret")) as server, reached_on(1337, server):
            (locked,) = await discover([(HOST, 1337)], GENEROUS_S)
            assert (locked.backend, locked.locked, locked.kind) == ("jan", True, "jan")
            assert "export JAN_API_KEY=" in locked.note
            assert all(request.header(b"authorization") is None for request in server.requests)
            (opened,) = await discover([(HOST, 1337)], GENEROUS_S, environ={"JAN_API_KEY": "jan-secret", "OPENAI_API_KEY": "sk-never"})
            assert (opened.backend, opened.locked, opened.key_variable) == ("jan", False, "JAN_API_KEY")
            assert [model.name for model in opened.models] == ["qwen3-8b"]
            (still,) = await discover([(HOST, 1337)], GENEROUS_S, environ={"JAN_API_KEY": "wrong"})
            assert still.locked
            sent = b"".join(request.head for request in server.requests)
            assert b"sk-never" not in sent
            assert "jan-secret" not in repr(opened)

    async def test_a_locked_vllm_is_opened_by_its_key_on_any_port(self) -> None:
        answering, locked = serving(VLLM), serving(VLLM, key="v-secret")

        async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
            await (answering if b" /version " in request.head else locked)(request, writer)

        async with ScriptedUpstream(handle) as server:
            (shut,) = await discover([(HOST, server.port)], GENEROUS_S)
            assert (shut.backend, shut.locked) == ("vllm", True)
            (opened,) = await discover([(HOST, server.port)], GENEROUS_S, environ={"VLLM_API_KEY": "v-secret"})
            assert (opened.is_usable, opened.key_variable) == (True, "VLLM_API_KEY")

    async def test_a_key_that_no_header_can_carry_is_not_sent(self) -> None:
        async with ScriptedUpstream(serving(VLLM, key="x")) as server:
            (found,) = await discover([(HOST, server.port)], GENEROUS_S, environ={"VLLM_API_KEY": "a\r\nx-evil: 1"})
            assert found.locked
            assert all(b"x-evil" not in request.head for request in server.requests)


async def test_a_second_round_asks_a_known_server_only_what_it_needs() -> None:
    async with ScriptedUpstream(serving(LLAMA_SERVER)) as server:
        known = await discover([(HOST, server.port)], GENEROUS_S)
        server.requests.clear()
        assert await discover([(HOST, server.port)], GENEROUS_S, known=known) == known
        assert sorted(paths(server)) == ["/healthz", "/props", "/v1/models"]


async def test_another_server_on_a_known_port_is_noticed() -> None:
    async with ScriptedUpstream(serving(LLAMA_SERVER)) as server:
        known = await discover([(HOST, server.port)], GENEROUS_S)
        server.handler = serving(OLLAMA)
        (found,) = await discover([(HOST, server.port)], GENEROUS_S, known=known)
        assert found.backend == "ollama"


async def test_one_server_on_both_addresses_is_one_server() -> None:
    async with ScriptedUpstream(serving(LLAMA_CPP_PYTHON)) as server:
        twice = await discover([(HOST, server.port), ("localhost", server.port)], GENEROUS_S)
    assert [found.base_url for found in twice] == [f"http://{HOST}:{server.port}/v1"]


def test_the_usual_ports_are_asked_on_both_loopback_addresses() -> None:
    endpoints = default_endpoints(load_backends())
    assert {(host, 11434) for host in LOOPBACK} <= set(endpoints)
    assert {1234, 1337, 8000, 8080, 11434, 12434, 13305, 30000} <= {port for _, port in endpoints}
    assert all(is_loopback(host) for host, _ in endpoints)
    assert len(endpoints) == len(set(endpoints))


def test_ollama_host_is_honoured_on_loopback_only() -> None:
    backends = load_backends()
    assert (HOST, 11500) in default_endpoints(backends, {"OLLAMA_HOST": "127.0.0.1:11500"})
    usual = default_endpoints(backends)
    assert default_endpoints(backends, {"OLLAMA_HOST": "https://gpu.example.com:11434"}) == usual


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        ("   ", None),
        ("127.0.0.1", (HOST, 11434)),
        (":11500", (HOST, 11500)),
        ("0.0.0.0:11500", (HOST, 11500)),
        ("[::]:11500", ("::1", 11500)),
        ("http://localhost:1", ("localhost", 1)),
        ("gpu.example.com", None),
        ("10.0.0.7:11434", None),
        ("http://[", None),
        ("localhost:notaport", None),
    ],
)
def test_listen_addresses(value: str, expected: tuple[str, int] | None) -> None:
    assert parse_listen(value, 11434) == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "10.0.0.1", "localhost.example.com", "example.com", "127.0.0.1.example.com"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)
