"""G rows of reference/reliability-requirements.md: no client chooses where donut goes, and no upstream makes it stumble."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import httpx
import pytest

from tests.security import (
    CLIENT_KEY,
    REQUEST,
    UPSTREAM_KEY,
    WHOLE,
    config,
    raw,
)
from tests.serving import Donut, config_for
from tests.streams import CHAT
from tests.upstreams import ReceivedRequest, ScriptedUpstream, answer, saying

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
        async with (
            ScriptedUpstream(saying(answer(b"", status=status, headers=location))) as upstream,
            Donut(config_for(upstream.port), tmp_path) as donut,
        ):
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

NAMES = [
    "plain",
    "cr\rlf\nx-evil: 1",
    "nul\x00",
    "bell\x07\x1b[31m",
    "del\x7f",
    "snow☃man",
    "\u202eright-to-left",
    "lone\ud800",
    "x" * 5000,
    "",
    " ",
]


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
