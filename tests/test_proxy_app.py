"""The whole of donut once, from a client's request to a row in the journal."""

from __future__ import annotations

from pathlib import Path

from tests.serving import Donut, config_for
from tests.upstreams import ScriptedUpstream, answer, saying

REPLY = (
    b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":2}}'
)


async def test_an_answer_comes_through_and_is_journaled(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(REPLY))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        got = await donut.client.post("/v1/chat/completions", json={"model": "test-model", "messages": [{"role": "user", "content": "hi"}]})
        assert got.status_code == 200
        assert got.content == REPLY
        (row,) = await donut.wait_for_rows(1)
        assert (row["id"], row["status"], row["replica_id"]) == (got.headers["x-donut-decision"], "ok", "p0/up-model")


async def test_every_answer_has_a_request_id(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        for path in ("/healthz", "/v1/models", "/v1/models/sim-mid", "/metrics", "/nothing-here"):
            assert (await donut.client.get(path)).headers["x-request-id"]
            echoed = await donut.client.get(path, headers={"x-request-id": "mine-7"})
            assert echoed.headers.get_list("x-request-id") == ["mine-7"]
