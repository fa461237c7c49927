"""What the security tests share: a config with a key in every place that has one, and requests that are written by hand."""

from __future__ import annotations

import asyncio
import contextlib
import re

from tests.serving import config_for
from tests.upstreams import answer

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
