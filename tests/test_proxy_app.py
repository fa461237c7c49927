from __future__ import annotations

from pathlib import Path

from tests.serving import Donut, config_for
from tests.upstreams import ScriptedUpstream, answer, saying


async def test_answers_come_through_and_are_journaled(tmp_path: Path) -> None:
    body = b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}'

    async with ScriptedUpstream(saying(answer(body))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        got = await donut.client.post("/v1/chat/completions", json={"model": "test-model", "messages": [{"role": "user", "content": "hi"}]})
        assert got.status_code == 200
        assert got.content == body
        rows = await donut.wait_for_rows(1)
        assert rows[0]["status"] == "ok"
