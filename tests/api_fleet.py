"""A fleet for the API's dry runs: a small local model and two dear ones, none of which answers. No test of these sends anything."""

from __future__ import annotations

from typing import Any

from tests.serving import Donut

FLEET = """
discovery: {local: false, environment: false}
providers:
  - {id: here, kind: ollama, base_url: 'http://127.0.0.1:1/v1', models: [{upstream: a, model: tiny, price: {input: 0, output: 0}}]}
  - id: there
    kind: openai
    base_url: 'http://127.0.0.1:2/v1'
    api_key: sk-canary-123456
    models:
      - {upstream: b, model: big, price: {input: 10, output: 20}}
      - {upstream: c, model: usual, price: {input: 1, output: 2}}
models:
  - {id: tiny, tier: small, context_window: 4000, quality: 0.3}
  - {id: usual, tier: mid, context_window: 100000, quality: 0.6}
  - {id: big, tier: frontier, context_window: 400000, quality: 0.9}
"""
CHAT: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


async def posted(donut: Donut, path: str, body: object, **headers: str) -> dict[str, Any]:
    """The answer to a POST that has to go well."""
    got = await donut.client.post(path, json=body, headers=headers)
    assert got.status_code == 200, got.text
    found: dict[str, Any] = got.json()
    return found


async def refused(donut: Donut, path: str, body: object, status: int = 400) -> str:
    """The error's message."""
    got = await donut.client.post(path, json=body)
    assert got.status_code == status, got.text
    message = got.json()["error"]["message"]
    assert isinstance(message, str)
    return message
