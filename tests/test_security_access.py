"""G rows of reference/reliability-requirements.md: one check for every path, and web pages, open addresses and smugglers stay out."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import secrets
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import proxy.auth
from proxy.app import OPEN_PATHS
from proxy.auth import KeyRing, presented_keys
from proxy.guard import is_allowed_host, is_allowed_origin
from tests.processes import run_donut
from tests.security import (
    CLIENT_KEY,
    KEYED,
    REQUEST,
    WHOLE,
    config,
    raw,
    raw_bytes,
)
from tests.serving import Donut, config_for
from tests.streams import CHAT
from tests.upstreams import ScriptedUpstream, saying

# One check for every path

KNOWN = [
    *["/v1/chat/completions", "/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/models", "/v1/models/test-model"],
    *["/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1beta/models/m:generateContent", "/route", "/metrics", "/"],
    *["/v1/routing/select", "/v1/rankings", "/api/replicas", "/api/headroom", "/v0/management/config", "/docs", "/openapi.json"],
]
CONFUSING = [
    *[
        "//healthz",
        "/healthz/",
        "/healthz//",
        "/v1/../healthz",
        "/healthz/../v1/models",
        "/./healthz",
        "/HEALTHZ",
        "/healthz%00",
        "/healthz;x",
    ],
    *[
        "//v1/models",
        "/v1//models",
        "/v1/models/",
        "/v1/models/../../healthz",
        "/%76%31/models",
        "/v1%2Fmodels",
        "/healthz%2F..%2Fv1%2Fmodels",
    ],
    *["/healthz%23", "/healthz%3F", "/healthz%0d%0ax: y", "/healthz\\", "/\\healthz", "/v1/models%3fkey=x", "*", "/%2e%2e/healthz"],
]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
async def test_g_every_path_that_is_not_open_needs_the_key(tmp_path: Path, method: str) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream, Donut(config(upstream.port), tmp_path) as donut:
        for path in KNOWN + CONFUSING:
            for host in ("127.0.0.1", "localhost:1/healthz", "127.0.0.1/healthz?"):
                status, body = await raw(donut.port, f"{method} {path} HTTP/1.1", f"host: {host}", "content-length: 0")
                assert status in (401, 421, 400), (path, host, status)
                assert b"test-model" not in body
                assert b"p0" not in body
        assert upstream.requests == []
        assert donut.rows() == []


async def test_g_a_path_spelled_otherwise_is_the_same_path_or_none(tmp_path: Path) -> None:
    """`/%68ealthz` is `/healthz` to donut in both of its questions: is it open, and what is it."""
    async with ScriptedUpstream() as upstream, Donut(config(upstream.port), tmp_path) as donut:
        for target in ("/healthz", "/%68ealthz", "http://127.0.0.1/healthz", "/healthz?x=/v1/models", "/healthz#/v1/models"):
            status, body = await raw(donut.port, f"GET {target} HTTP/1.1", "host: 127.0.0.1")
            assert (status, json.loads(body)) == (200, {"status": "ok", "service": "donut"}), target
        for target in ("http://127.0.0.1/v1/models", "http://127.0.0.1:80/healthz/../v1/models", "http://evil.example/v1/models"):
            status, _ = await raw(donut.port, f"GET {target} HTTP/1.1", "host: 127.0.0.1")
            assert status in (400, 401), target


async def test_g_open_paths_say_nothing_that_is_worth_hiding(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config(upstream.port), tmp_path) as donut:
        for path in OPEN_PATHS:
            got = await donut.client.get(path)
            assert got.status_code == 200
            assert len(got.content) < 100
            assert not re.search(rb"canary|test-model|p0|127\.0\.0\.1|donut\.db", got.content)
    empty = (
        "discovery: {local: false, environment: false}\nproviders:\n  - {id: a, kind: openai, base_url: 'http://127.0.0.1:9/v1'}\n" + KEYED
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    async with Donut(empty, folder) as donut:
        got = await donut.client.get("/readyz")
        assert got.status_code == 503
        assert not re.search(rb"canary|127\.0\.0\.1|donut\.db", got.content)


async def test_g_every_carrier_of_the_key_is_taken_and_no_other(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream, Donut(config(upstream.port), tmp_path) as donut:
        for headers, query in (
            ({"authorization": f"Bearer {CLIENT_KEY}"}, ""),
            ({"authorization": f"bearer  {CLIENT_KEY}"}, ""),
            ({"authorization": CLIENT_KEY}, ""),
            ({"x-api-key": CLIENT_KEY}, ""),
            ({"x-goog-api-key": CLIENT_KEY}, ""),
            ({}, f"key={CLIENT_KEY}"),
            ({"authorization": "Bearer anything", "x-api-key": CLIENT_KEY}, ""),
        ):
            assert (await donut.client.get("/v1/models?" + query, headers=headers)).status_code == 200, (headers, query)
        for headers, query in (
            ({}, ""),
            ({"authorization": "Bearer"}, ""),
            ({"authorization": f"Basic {CLIENT_KEY}"}, ""),
            ({"cookie": f"key={CLIENT_KEY}"}, ""),
            ({"x-key": CLIENT_KEY}, ""),
            ({"authorization": f"Bearer {CLIENT_KEY[:-1]}"}, ""),
            ({"authorization": f"Bearer {CLIENT_KEY}x"}, ""),
            ({"authorization": f"Bearer {CLIENT_KEY.upper()}"}, ""),
            ({}, f"api_key={CLIENT_KEY}"),
            ({}, f"key=x{CLIENT_KEY}"),
        ):
            got = await donut.client.get("/v1/models?" + query, headers=headers)
            assert got.status_code == 401, (headers, query)
            assert got.json()["error"]["code"] == "invalid_api_key"


def test_g_keys_are_compared_in_constant_time() -> None:
    """By shape and not by clock: every key is compared, with `hmac.compare_digest`, and nothing leaves the loop early."""
    tree = ast.parse(inspect.getsource(proxy.auth))
    (owner,) = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "owner"]
    (loop,) = [node for node in ast.walk(owner) if isinstance(node, ast.For)]
    assert not [node for node in ast.walk(loop) if isinstance(node, ast.Return | ast.Break | ast.Continue | ast.Raise)]
    calls = [ast.unparse(node.func) for node in ast.walk(loop) if isinstance(node, ast.Call)]
    assert calls == ["hmac.compare_digest"]
    comparisons = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert not any("digest" in ast.unparse(node) or "presented" in ast.unparse(node) for node in comparisons)


CARRIERS = st.sampled_from([b"authorization", b"x-api-key", b"x-goog-api-key"])


@given(st.dictionaries(CARRIERS, st.binary(max_size=200)), st.binary(max_size=200))
def test_g_no_bytes_in_the_key_s_place_break_the_check(headers: dict[bytes, bytes], query: bytes) -> None:
    ring = KeyRing([("alice", CLIENT_KEY)])
    assert not any(ring.owner(key) for key in presented_keys(headers, query))
    assert not any(ring.owner(key) for key in presented_keys(headers, b"key=" + query))


HEADER_BYTES = st.binary(max_size=300).map(lambda value: value.translate(None, b"\r\n\x00"))


async def test_g_authorization_fuzz_is_never_an_internal_error(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, Donut(config(upstream.port), tmp_path) as donut:
        loop = asyncio.get_running_loop()

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
        @given(HEADER_BYTES, st.sampled_from(["authorization", "x-api-key", "x-goog-api-key", "host", "origin", "x-request-id"]))
        def fuzz(value: bytes, name: str) -> None:
            head = b"GET /v1/models HTTP/1.1\r\n" + (b"" if name == "host" else b"host: 127.0.0.1\r\n")
            request = head + name.encode() + b": " + value + b"\r\nconnection: close\r\n\r\n"
            status, _ = asyncio.run_coroutine_threadsafe(raw_bytes(donut.port, request), loop).result(10)
            assert status in (400, 401, 403, 421), (name, value, status)

        await asyncio.to_thread(fuzz)


async def test_g_steering_headers_and_bodies_of_any_kind_are_never_an_internal_error(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        loop = asyncio.get_running_loop()
        names = [
            "x-donut-tier",
            "x-donut-deadline-ms",
            "x-donut-objective",
            "x-donut-exclude",
            "x-donut-session",
            "content-encoding",
            "accept",
        ]

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
        @example(b"\xb2", "x-donut-deadline-ms")
        @example(b"1" * 5000, "x-donut-deadline-ms")
        @example(b"9" * 400, "x-donut-deadline-ms")
        @given(HEADER_BYTES, st.sampled_from(names))
        def fuzz(value: bytes, name: str) -> None:
            body = json.dumps(REQUEST).encode()
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
            request = head + name.encode() + b": " + value + b"\r\n\r\n" + body
            status, _ = asyncio.run_coroutine_threadsafe(raw_bytes(donut.port, request), loop).result(10)
            assert status in (200, 400, 415), (name, value, status)

        await asyncio.to_thread(fuzz)
        assert "internal_error" not in {line["status"] for line in donut.lines}


# Host and Origin: web pages must not talk to a server on loopback


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8317", 200),
        ("localhost", 200),
        ("LOCALHOST:99", 200),
        ("[::1]:8317", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("evil.example:8317", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:80", 421),
        ("evil.example/127.0.0.1", 421),
        ("evil.example@127.0.0.1", 421),
        ("[evil.example]", 421),
        ("", 421),
        (None, 421),
    ],
)
async def test_g_an_unknown_host_is_refused_on_loopback(tmp_path: Path, host: str | None, status: int) -> None:
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        lines = [f"host: {host}"] if host is not None else []
        for path in ("/v1/models", "/healthz"):
            got, body = await raw(donut.port, f"GET {path} HTTP/1.{0 if host is None else 1}", *lines)
            assert got == status, body
        if status == 421:
            assert json.loads(body)["error"]["code"] == "unknown_host"


async def test_g_a_host_that_config_names_is_let_in(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream() as upstream,
        Donut(config_for(upstream.port, more="server: {allowed_hosts: [Box.Lan]}"), tmp_path) as donut,
    ):
        assert (await raw(donut.port, "GET /v1/models HTTP/1.1", "host: box.lan:80"))[0] == 200
        assert (await raw(donut.port, "GET /v1/models HTTP/1.1", "host: other.lan"))[0] == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:5173", 200),
        ("http://127.0.0.1:8317", 200),
        ("https://[::1]:1", 200),
        ("vscode-webview://abc", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("http://127.0.0.1@evil.example", 403),
        ("HTTPS://EVIL.example", 403),
        ("null", 403),
        ("http://[::1", 403),
        ("http://", 403),
    ],
)
async def test_g_a_page_of_another_origin_is_refused(tmp_path: Path, origin: str | None, status: int) -> None:
    """`null` is what a sandboxed frame of any web page sends."""
    lines = [] if origin is None else [f"origin: {origin}"]
    body = json.dumps(REQUEST)
    async with ScriptedUpstream(saying(WHOLE)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        got, _ = await raw(donut.port, f"POST {CHAT} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}", *lines, body=body)
        assert got == status
        assert len(upstream.requests) == (status == 200)


@given(st.binary(max_size=80))
def test_g_no_host_and_no_origin_breaks_the_guard(value: bytes) -> None:
    assert is_allowed_host(value, frozenset({"localhost"})) in (True, False)
    assert is_allowed_origin(value, frozenset({"localhost"})) in (True, False)
    assert is_allowed_origin(b"http://" + value, frozenset({"localhost"})) in (True, False)


# Who may listen


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "donut.example"])
async def test_g_an_address_that_others_reach_needs_keys(tmp_path: Path, host: str) -> None:
    code, out, err = await run_donut(tmp_path, "serve", "--host", host, "--port", "0", within_s=15)
    assert (code, out) == (2, "")
    assert "server.api_keys" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("key", ["sk-1234", "sk-test-abcdef", "changeme-now", "qwe"])
async def test_g_a_well_known_key_protects_nothing(tmp_path: Path, key: str) -> None:
    (tmp_path / "donut.yaml").write_text(f"server: {{host: 0.0.0.0, api_keys: [{key}]}}\n")
    code, _, err = await run_donut(tmp_path, "serve", "--port", "0", within_s=15)
    assert code == 2
    assert "refused" in err
    assert key not in err


async def test_g_a_well_known_key_can_not_get_there_by_the_command_line(tmp_path: Path) -> None:
    """The file is fine for loopback; `--host` makes it another file."""
    (tmp_path / "donut.yaml").write_text("server: {api_keys: [sk-1234]}\n")
    code, _, err = await run_donut(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0", within_s=15)
    assert code == 2, err
    assert "refused" in err


# Smuggling

SMUGGLED = [
    pytest.param(["content-length: 4", "transfer-encoding: chunked"], id="both"),
    pytest.param(["transfer-encoding: chunked", "content-length: 4"], id="both, the other way"),
    pytest.param(["content-length: 4", "content-length: 5"], id="two lengths"),
    pytest.param(["content-length: 4, 5"], id="two in one"),
    pytest.param(["content-length: +4"], id="plus"),
    pytest.param(["content-length: 0x4"], id="hex"),
    pytest.param(["transfer-encoding: identity, chunked", "content-length: 4"], id="identity"),
    pytest.param(["transfer-encoding: xchunked"], id="unknown coding"),
    pytest.param(["transfer-encoding : chunked"], id="space before the colon"),
    pytest.param(["transfer-encoding: chunked", "transfer-encoding: identity"], id="two codings"),
]


@pytest.mark.parametrize("lines", SMUGGLED)
async def test_g_a_request_with_two_lengths_is_refused_and_its_connection_closed(tmp_path: Path, lines: list[str]) -> None:
    """A front proxy that counts otherwise would let the second request in unseen."""
    hidden = f"0\r\n\r\nGET /healthz?{secrets.token_hex(4)} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
    async with ScriptedUpstream(saying(WHOLE)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        request = "\r\n".join([f"POST {CHAT} HTTP/1.1", "host: 127.0.0.1", *lines, "", hidden])
        reader, writer = await asyncio.open_connection("127.0.0.1", donut.port)
        writer.write(request.encode())
        said = await asyncio.wait_for(reader.read(), 5)  # to the end: it must close
        writer.close()
        assert said.startswith(b"HTTP/1.1 400")
        assert said.count(b"HTTP/1.1 ") == 1
        assert b'"service"' not in said
        assert upstream.requests == []


async def test_g_what_goes_upstream_has_one_length(tmp_path: Path) -> None:
    """A chunked request, with trailers that would be headers, becomes one with a content-length and nothing else."""
    body = json.dumps(REQUEST).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n"
    head += b"te: trailers\r\nconnection: x-api-key\r\n\r\n"
    async with ScriptedUpstream(saying(WHOLE)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        request = head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nauthorization: Bearer evil\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", donut.port)
        writer.write(request)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        (got,) = upstream.requests
        names = [line.partition(b":")[0].lower() for line in got.head.split(b"\r\n")[1:] if line]
        assert names.count(b"content-length") == 1
        assert names.count(b"authorization") == 1
        assert b"evil" not in got.head
        assert not {b"transfer-encoding", b"te", b"trailer", b"connection"} & set(names)
