"""G rows of reference/reliability-requirements.md: a key that goes in, in whatever place, comes out nowhere."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import pytest

from proxy.redact import MASK
from tests.processes import DonutProcess, run_donut
from tests.security import (
    BODY_KEY,
    CANARY,
    CLIENT_KEY,
    ENVIRONMENT_KEY,
    HEADER_SECRET,
    OTHER_CLIENT_KEY,
    PROXY_SECRET,
    REQUEST,
    THIRD_KEY,
    UPSTREAM_KEY,
    WHOLE,
    WRONG_KEY,
    config,
)
from tests.serving import Donut
from tests.streams import CHAT, Framing, chunk, event
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer, saying


def telling(status: bytes, message: str, *, where: str) -> Handler:
    """An upstream that repeats every key it was sent: in its error's text, in its headers, inside a 200, in the middle of a stream."""

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        echo = b" ".join([request.header(b"authorization") or b"", request.header(b"x-team-token") or b""]).decode()
        error = {"error": {"message": f"{message} {echo} also {THIRD_KEY}", "type": "odd", "code": echo, "param": BODY_KEY}}
        if where.startswith("stream"):
            content = chunk(role="assistant", content="hello")
            writer.write(Framing.CHUNKED.head(0) + Framing.CHUNKED.piece(content))
            await asyncio.sleep(0.05)  # so that it is committed
            last = event(error).rstrip() if where == "stream without an end" else event(error)
            writer.write(Framing.CHUNKED.piece(last) + Framing.CHUNKED.ending)
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
    pytest.param(telling(b"200 OK", "Overloaded, used", where="stream without an end"), 200, id="error that lacks its blank line"),
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
            for content in (
                b"{" + BODY_KEY.encode(),
                b'{"model": 1, "k": "' + BODY_KEY.encode() + b'"}',
                b'["' + BODY_KEY.encode() + b'"]',
            ):
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
            sys.executable,
            str(file),
            *arguments,
            env={"PYTHONPATH": str(Path(__file__).parent.parent)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return out.decode()

    return asyncio.run(run())
