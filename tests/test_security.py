"""The G rows of reference/reliability-requirements.md: no key gets out, nobody gets in past the one check, and no client and no upstream
chooses where donut goes."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import json
import re
import secrets
import socket
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import proxy.auth
from proxy.app import OPEN_PATHS
from proxy.auth import KeyRing, presented_keys
from proxy.guard import is_allowed_host, is_allowed_origin
from proxy.redact import MASK, redacted, without_secrets
from tests.processes import DonutProcess, run_donut
from tests.serving import Donut, config_for
from tests.streams import CHAT, Framing, chunk, event
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer, saying

CLIENT_KEY = "client-canary-51f3a9c07e"
OTHER_CLIENT_KEY = "client-canary-second-88d1"
WRONG_KEY = "wrong-canary-0b77fe21"
UPSTREAM_KEY = "upstream-canary-c4d09b/6e+2="
HEADER_SECRET = "static-canary-77aa1e90"
PROXY_SECRET = "proxy-canary-1b9d3c44"
BODY_KEY = "sk-body-canary-93ab5521"
ENVIRONMENT_KEY = "sk-environment-canary-20ce"
THIRD_KEY = "sk-somebody-elses-canary-4410"
CANARY = re.compile(rb"canary", re.IGNORECASE)
REQUEST = {"model": "test-model", "messages": [{"role": "user", "content": "Hi"}]}
WHOLE = answer(
    b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":2}}'
)
KEYED = f"server: {{api_keys: [{{name: alice, key: {CLIENT_KEY}}}, {OTHER_CLIENT_KEY}]}}"


def config(port: int, more: str = KEYED) -> str:
    text = config_for(port, more=more, provider_more=f"headers: {{x-team-token: {HEADER_SECRET}}},")
    return text.replace("upstream-secret-0", f"'{UPSTREAM_KEY}'")


# No key gets out


def telling(status: bytes, message: str, *, where: str) -> Handler:
    """An upstream that repeats every key it was sent: in its error's text, in its headers, inside a 200, in the middle of a stream."""

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        echo = b" ".join([request.header(b"authorization") or b"", request.header(b"x-team-token") or b""]).decode()
        error = {"error": {"message": f"{message} {echo} also {THIRD_KEY}", "type": "odd", "code": echo, "param": BODY_KEY}}
        if where == "stream":
            content = chunk(role="assistant", content="hello")
            writer.write(Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(content))
            await asyncio.sleep(0.05)  # so that it is committed
            writer.write(Framing.CHUNKED.piece(event(error)) + Framing.CHUNKED.ending)
        else:
            headers = f"x-request-id: {echo}\r\nx-echo: {echo}\r\nauthorization: {echo}\r\nretry-after: 0\r\n".encode()
            writer.write(answer(json.dumps(error).encode(), status=status, headers=headers if where == "headers" else b""))

    return handle


TELLTALES = [
    pytest.param(telling(b"401 No", "Incorrect API key provided:", where="text"), 502, id="401"),
    pytest.param(telling(b"401 No", "Incorrect API key provided:", where="headers"), 502, id="401, in headers too"),
    pytest.param(telling(b"400 No", "Bad request from", where="headers"), 400, id="400, which goes through as it is"),
    pytest.param(telling(b"404 No", "No model for", where="headers"), 404, id="404"),
    pytest.param(telling(b"429 No", "Rate limit of", where="text"), 429, id="429"),
    pytest.param(telling(b"500 No", "Crash. env:", where="text"), 503, id="500"),
    pytest.param(telling(b"302 No", "Moved", where="text"), 502, id="redirect"),
    pytest.param(telling(b"200 OK", "Overloaded, used", where="text"), 503, id="error inside a 200"),
    pytest.param(telling(b"200 OK", "Overloaded, used", where="stream"), 200, id="error in the middle of a stream"),
]


@pytest.mark.parametrize(("handler", "status"), TELLTALES)
async def test_g_an_upstream_that_repeats_keys_gives_none_away(tmp_path: Path, handler: Handler, status: int) -> None:
    async with ScriptedUpstream(handler) as upstream, Donut(config(upstream.port), tmp_path) as donut:
        headers = {"authorization": f"Bearer {CLIENT_KEY}", "x-donut-debug": "1"}
        for stream in (True, False):
            got = await donut.client.post(CHAT, json={**REQUEST, "stream": stream}, headers=headers)
            if stream:
                assert got.status_code == status
            said = got.content + b"".join(name + value for name, value in got.headers.raw)
            for secret in (UPSTREAM_KEY, HEADER_SECRET, CLIENT_KEY):
                assert secret.encode() not in said
                assert json.dumps(secret).encode()[1:-1] not in said
            if status != got.status_code or status not in (200, 400, 404):
                assert THIRD_KEY.encode() not in said  # a key in words of donut's own
        rows = await donut.wait_for_rows(2)
        kept = json.dumps([rows, donut.rows("attempts"), donut.lines])
        assert "canary" not in kept
        assert MASK in kept or "redirect" in kept
        assert {row["client_key"] for row in rows} == {"alice"}
    assert b"canary" not in (tmp_path / "donut.db").read_bytes()


async def test_g_a_key_in_every_place_is_nowhere_in_what_a_process_leaves_behind(tmp_path: Path) -> None:
    """One process, every kind of request, keys in every place that has one; then every file and every line it wrote is searched."""

    async def says(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        kind = json.loads(request.body)["messages"][0]["content"]
        handlers: dict[str, Handler] = {
            "ok": saying(WHOLE),
            "401": telling(b"401 No", "Incorrect API key provided:", where="headers"),
            "500": telling(b"500 No", "Traceback: key=", where="text"),
            "400": telling(b"400 No", "Unknown parameter api_key:", where="headers"),
            "stream": telling(b"200 OK", "cut", where="stream"),
            "garbage": saying(b"HTTP/1.1 200 " + UPSTREAM_KEY.encode() + b"\r\nno colon here " + UPSTREAM_KEY.encode() + b"\r\n\r\n"),
        }
        await handlers[kind](request, writer)

    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead_port = closed.getsockname()[1]
    async with ScriptedUpstream(says) as upstream:
        text = config(upstream.port) + "log: {level: debug}\n"
        text = text.replace(
            "providers:\n",
            f"providers:\n  - {{id: far, kind: openai, base_url: 'http://10.255.255.1/v1', api_key: '{UPSTREAM_KEY}', "
            f"proxy: 'http://user:{PROXY_SECRET}@127.0.0.1:{dead_port}', models: [{{upstream: far-model}}]}}\n",
        )
        environ = {"OPENROUTER_API_KEY": ENVIRONMENT_KEY}
        async with DonutProcess(tmp_path, text, environ=environ) as donut:
            for kind in ("ok", "401", "500", "400", "stream", "garbage"):
                body = {
                    **REQUEST,
                    "messages": [{"role": "user", "content": kind}, {"role": "user", "content": BODY_KEY}],
                    "stream": kind == "stream",
                    "api_key": BODY_KEY,
                }
                for headers, query in (
                    ({"authorization": f"Bearer {CLIENT_KEY}"}, ""),
                    ({"x-api-key": CLIENT_KEY, "authorization": f"Bearer {WRONG_KEY}"}, ""),
                    ({"x-goog-api-key": OTHER_CLIENT_KEY}, f"?alt=sse&key={WRONG_KEY}"),
                    ({}, f"?key={CLIENT_KEY}"),
                    ({"authorization": f"Bearer {WRONG_KEY}"}, f"?key={WRONG_KEY}"),
                ):
                    # donut hangs up after a stream that broke off; a client that had sent its next request by then would notice.
                    closing = {"connection": "close"} if kind == "stream" else {}
                    await donut.client.post(CHAT + query, json=body, headers={**headers, **closing})
            asked = {"authorization": f"Bearer {CLIENT_KEY}"}
            await donut.client.post(CHAT, json={**REQUEST, "model": "far-model"}, headers=asked)
            for content in (b"{" + BODY_KEY.encode(), b'{"model": 1, "k": "' + BODY_KEY.encode() + b'"}', b'["' + BODY_KEY.encode() + b'"]'):
                await donut.client.post(CHAT, content=content, headers=asked)
            for path in ("/metrics", "/healthz", "/readyz", "/v1/models", "/nowhere", "/v1/models/none"):
                page = await donut.client.get(f"{path}?key={CLIENT_KEY}")
                assert not CANARY.search(page.content), path
            donut.config.write_text(donut.config.read_text() + f"oops: {HEADER_SECRET}\n")
            await donut.said("config_refused")
            # The 5 that may enter and the one that may not, for each kind; refused ones have no exchange.
            rows = await donut.wait_for_rows(6 * 4 + 1 + 3)
            assert "internal_error" not in {row["status"] for row in rows}
            # What the commands print, while the files still hold all of it.
            donut.config.write_text(text)
            for arguments in (
                ["check", "donut.yaml"],
                ["doctor", "--config", "donut.yaml"],
                ["doctor", "--json", "--config", "donut.yaml"],
                ["models", "--config", "donut.yaml"],
                ["usage", "--config", "donut.yaml"],
                ["usage", "--json", "--by", "key", "--config", "donut.yaml"],
                *(["explain", row["id"], "--config", "donut.yaml"] for row in rows[::5]),
                ["explain", "last", "--json", "--config", "donut.yaml"],
            ):
                _, out, err = await run_donut(tmp_path, *arguments, environ=environ)
                assert "canary" not in out + err, arguments
            donut.process.terminate()
            await donut.ends()
        log = b"".join(donut.stdout + donut.stderr)
        assert b"alice" in log
        assert not CANARY.search(log), CANARY.search(log)
    for file in tmp_path.glob("donut.db*"):
        assert not CANARY.search(file.read_bytes()), file


def test_g_a_traceback_shows_no_variables(tmp_path: Path) -> None:
    """Frames hold headers with keys and bodies with prompts: the log tells where it broke and not with what."""
    script = f"""
import sys
from config import logging as logs
logs.configure(sys.argv[1], "info")
import logging, structlog
def broken(headers):
    inner = dict(headers)
    raise ValueError("boom")
for log in (structlog.get_logger("donut"), logging.getLogger("uvicorn.error")):
    try:
        broken([("authorization", {CLIENT_KEY!r}[::1])])
    except ValueError as error:
        log.error("internal_error", exc_info=error)
"""
    file = tmp_path / "script.py"
    file.write_text(script.replace(repr(CLIENT_KEY), "sys.argv[2]"))
    for style in ("json", "pretty"):
        process = _run_script(file, style, CLIENT_KEY)
        assert process.count("boom") >= 2, process
        assert "broken" in process
        assert "canary" not in process
        if style == "json":
            assert [json.loads(line)["event"] for line in process.splitlines()] == ["internal_error", "internal_error"]


def _run_script(file: Path, *arguments: str) -> str:
    async def run() -> str:
        process = await asyncio.create_subprocess_exec(
            ".venv/bin/python" if Path(".venv/bin/python").exists() else "python",
            str(file),
            *arguments,
            env={"PYTHONPATH": str(Path(__file__).parent.parent)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return out.decode()

    return asyncio.run(run())


OURS = [(b"authorization", f"Bearer {UPSTREAM_KEY}".encode()), (b"x-k", b"none"), (b"content-type", b"application/json")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Incorrect API key provided: {UPSTREAM_KEY}.", f"Incorrect API key provided: {MASK}."),
        (f'"{UPSTREAM_KEY.replace("/", chr(92) + "/")}"', f'"{MASK}"'),
        ("key upstream-canary-c4d09b%2F6e%2B2%3D", f"key {MASK}"),
        (f"cut in the middle: {UPSTREAM_KEY[:15]}", f"cut in the middle: {MASK}"),
        ("You sent sk-proj-0123456789abcdef to us", f"You sent {MASK} to us"),
        ("Authorization: Bearer eyJ0eXAi1.abc", f"Authorization: Bearer {MASK}"),
        ("GET https://x/v1?key=AIzaSyA12345678&alt=sse", f"GET https://x/v1?key={MASK}&alt=sse"),
        ("Bearer authentication is required; none was sent as application/json", None),
        ("task-12 failed: the disk-cache is full, ask-me-later", None),
    ],
)
def test_g_redaction_takes_keys_and_leaves_words(text: str, expected: str | None) -> None:
    assert redacted(text, OURS) == (text if expected is None else expected)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_g_redaction_changes_nothing_but_the_key(before: bytes, after: bytes) -> None:
    secret = UPSTREAM_KEY.encode()
    told = without_secrets(before + secret + b"|" + after + b"|", OURS)
    assert told == before + MASK.encode() + b"|" + after + b"|"


# One check for every path

KNOWN = [
    *["/v1/chat/completions", "/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/models", "/v1/models/test-model"],
    *["/v1/responses", "/v1/messages", "/v1/messages/count_tokens", "/v1beta/models/m:generateContent", "/route", "/metrics", "/"],
    *["/v1/routing/select", "/v1/rankings", "/api/replicas", "/api/headroom", "/v0/management/config", "/docs", "/openapi.json"],
]
CONFUSING = [
    *["//healthz", "/healthz/", "/healthz//", "/v1/../healthz", "/healthz/../v1/models", "/./healthz", "/HEALTHZ", "/healthz%00", "/healthz;x"],
    *["//v1/models", "/v1//models", "/v1/models/", "/v1/models/../../healthz", "/%76%31/models", "/v1%2Fmodels", "/healthz%2F..%2Fv1%2Fmodels"],
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
    empty = "discovery: {local: false, environment: false}\nproviders:\n  - {id: a, kind: openai, base_url: 'http://127.0.0.1:9/v1'}\n" + KEYED
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
        names = ["x-donut-tier", "x-donut-deadline-ms", "x-donut-objective", "x-donut-exclude", "x-donut-session", "content-encoding", "accept"]

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
    async with ScriptedUpstream() as upstream:
        async with Donut(config_for(upstream.port, more="server: {allowed_hosts: [Box.Lan]}"), tmp_path) as donut:
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


# Where donut goes


async def test_g_a_client_can_not_choose_the_upstream(tmp_path: Path) -> None:
    """Whatever a client writes, the request goes to the configured place, with donut's key and without the client's."""
    async with ScriptedUpstream(saying(WHOLE)) as evil, ScriptedUpstream(saying(WHOLE)) as upstream:
        url, place = f"http://127.0.0.1:{evil.port}/v1", f"127.0.0.1:{evil.port}"
        names = ["api_base", "base_url", "api_url", "url", "endpoint", "azure_endpoint", "host", "proxy", "custom_llm_provider", "api_key"]
        headers = {
            "x-api-key": CLIENT_KEY,
            **dict.fromkeys(["x-forwarded-host", "x-forwarded-for", "x-original-host", "forwarded", "x-host", "x-real-ip"], place),
            **dict.fromkeys(["x-original-url", "x-rewrite-url", "x-http-method-override"], url),
            **dict.fromkeys(["x-portkey-custom-host", "x-portkey-config", "helicone-target-url", "helicone-openai-api-base"], url),
            **dict.fromkeys(["x-litellm-api-base", "x-upstream-url", "cf-aig-authorization", "proxy-authorization", "cookie"], url),
            "openai-organization": "someone",
            "connection": "keep-alive",
            "x-donut-replica": "evil/x",
        }
        async with Donut(config(upstream.port), tmp_path) as donut:
            body = {**REQUEST, **dict.fromkeys(names, url), "metadata": {"base_url": url}}
            query = "&".join(f"{name}={url}" for name in names)
            got = await donut.client.post(f"{CHAT}?{query}", json=body, headers=headers)
            assert got.status_code == 200
            target = f"POST {url}/chat/completions HTTP/1.1"
            text = json.dumps(REQUEST)
            lines = ["host: 127.0.0.1", f"x-api-key: {CLIENT_KEY}", f"content-length: {len(text)}"]
            await raw(donut.port, target, *lines, body=text)
            for model in (f"http://{place}/x", f"evil/{url}", "../../evil", f"{place}/up-model", "p0/up-model@evil"):
                refused = await donut.client.post(CHAT, json={**REQUEST, "model": model}, headers={"x-api-key": CLIENT_KEY})
                assert refused.status_code == 404, model
        assert evil.connections_made == 0
        for request in upstream.requests:
            assert request.head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
            assert request.header(b"host") == f"127.0.0.1:{upstream.port}".encode()
            assert request.header(b"authorization") == f"Bearer {UPSTREAM_KEY}".encode()
            assert str(evil.port).encode() not in request.head
            assert CLIENT_KEY.encode() not in request.head


@pytest.mark.parametrize("status", [b"301 M", b"302 F", b"303 S", b"307 T", b"308 P"])
async def test_g_redirects_are_not_followed(tmp_path: Path, status: bytes) -> None:
    async with ScriptedUpstream(saying(WHOLE)) as evil:
        location = f"location: http://127.0.0.1:{evil.port}/v1/chat/completions\r\n".encode()
        async with ScriptedUpstream(saying(answer(b"", status=status, headers=location))) as upstream:
            async with Donut(config_for(upstream.port), tmp_path) as donut:
                got = await donut.client.post(CHAT, json=REQUEST)
                assert got.status_code == 502
                assert "location" not in got.headers
                assert "redirect" in got.json()["error"]["message"]
        assert evil.connections_made == 0


async def test_g_donut_itself_redirects_nobody(tmp_path: Path) -> None:
    """A redirect would be built from the Host header."""
    async with ScriptedUpstream() as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        for path in ("/healthz/", "/v1/models/", "/readyz/", "/v1/chat/completions/", "/v1"):
            got = await donut.client.get(path)
            assert got.status_code == 404, path
            assert "location" not in got.headers


# What an upstream can do to donut

NAMES = ["plain", "cr\rlf\nx-evil: 1", "nul\x00", "bell\x07\x1b[31m", "del\x7f", "snow☃man", "\u202eright-to-left", "lone\ud800", "x" * 5000, "", " "]


async def test_g_model_names_from_a_listing_break_no_header_and_no_page(tmp_path: Path) -> None:
    """A box on the network names its own models; donut lists them, routes to them and puts them into headers."""
    listing = json.dumps({"object": "list", "data": [{"id": name} for name in NAMES] + [{"id": 7}, "x", None]})

    async def says(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(listing.encode()) if request.head.startswith(b"GET") else WHOLE)

    async with ScriptedUpstream(says) as upstream:
        text = f"discovery: {{local: false, environment: false}}\nproviders: [{{id: box, kind: openai, base_url: 'http://127.0.0.1:{upstream.port}/v1'}}]\n"
        async with Donut(text, tmp_path) as donut:
            page = await donut.client.get("/v1/models")
            assert page.status_code == 200
            listed = [entry["id"] for entry in page.json()["data"]]
            assert "plain" in listed
            assert "snow☃man" in listed
            assert not [name for name in listed if not name.isprintable()]
            for name in listed:
                for stream in (False, True):
                    request = {**REQUEST, "model": name, "stream": stream}
                    got = await donut.client.post(CHAT, json=request, headers={"x-donut-debug": "1"})
                    assert got.status_code == 200, (name, got.text)
                    assert "x-evil" not in got.headers
                    assert all(0x20 <= byte < 0x7F for _, value in got.headers.raw for byte in value)
            await donut.wait_for_rows(2 * len(listed))
        assert {line["status"] for line in donut.lines} == {"ok"}


HOSTILE = {
    "status": saying(b"HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nok"),
    "error code": saying(answer(b'{"error": {"code": "\xc2\xb2", "message": "superscript"}}')),
    "error code, long": saying(answer(b'{"error": {"code": "' + b"9" * 5000 + b'"}}')),
    "usage": saying(answer(WHOLE.partition(b"\r\n\r\n")[2].replace(b":7", b":1" + b"0" * 30))),
    "usage, negative": saying(answer(WHOLE.partition(b"\r\n\r\n")[2].replace(b":7", b":-7"))),
    "deep": saying(answer(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "choices": saying(answer(b'{"choices": {"a": 1}, "usage": []}')),
    "error list": saying(answer(b'{"error": [[]]}', status=b"500 X")),
    "retry-after": saying(answer(b"{}", status=b"429 X", headers=b"retry-after: inf\r\n")),
    "retry-after nan": saying(answer(b"{}", status=b"429 X", headers=b"retry-after: nan\r\n")),
    "retry-after huge": saying(answer(b"{}", status=b"429 X", headers=b"retry-after: 1e308\r\n")),
    "retry-after date": saying(answer(b"{}", status=b"429 X", headers=b"retry-after: Fri, 99 Foo 2026\r\ndate: never\r\n")),
    "gzip": saying(answer(b"\x1f\x8bnot gzip at all", headers=b"content-encoding: gzip\r\n")),
    "header bytes": saying(answer(WHOLE.partition(b"\r\n\r\n")[2], headers=b"x-odd: \xff\xfe\r\nx-empty:\r\n")),
    "error in a stream": saying(answer(b'data: {"error": {"code": "\xc2\xb2"}}\n\n')),
    "stream of nonsense": saying(answer(b"data: \xff\xfe\n\ndata: [[[[\n\ndata: 7\n\ndata: null\n\nevent: x\n\n: c\n\ndata: [DONE]\n\n")),
    "choices in a stream": saying(answer(b'data: {"choices": [{"delta": 7, "index": {}}, 8], "usage": 9}\n\ndata: [DONE]\n\n')),
    "nothing": saying(close=True),
    "empty": saying(answer(b"")),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_g_no_upstream_provokes_an_internal_error(tmp_path: Path, name: str) -> None:
    async with ScriptedUpstream(HOSTILE[name]) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        for stream in (True, False):
            for _ in range(2):  # the second time after whatever was learned from the first
                with contextlib.suppress(httpx.RemoteProtocolError):
                    got = await donut.client.post(CHAT, json={**REQUEST, "stream": stream}, headers={"x-donut-debug": "1"})
                    assert got.status_code != 500, got.text
        rows = await donut.wait_for_rows(4)
        assert "internal_error" not in {row["status"] for row in rows}
        assert (donut.in_flight, donut.open_reservations) == (0, 0)


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
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\nte: trailers\r\nconnection: x-api-key\r\n\r\n"
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


# Reading and writing by hand


async def raw(port: int, request_line: str, *lines: str, body: str = "") -> tuple[int, bytes]:
    """(status, body) of one request whose head is exactly these lines."""
    head = "\r\n".join([request_line, *lines, "connection: close", "", ""])
    return await raw_bytes(port, (head + body).encode("latin-1"))


async def raw_bytes(port: int, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        said = await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body
