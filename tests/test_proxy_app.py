"""The whole of donut once, from a client's request to a row in the journal."""

from __future__ import annotations

from pathlib import Path

from tests.serving import Donut, config_for
from tests.streams import RawClient
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


async def test_without_escalation_a_tier_is_left_downward_only(tmp_path: Path) -> None:
    """`routing.escalate: false`: nobody in `mid`; `frontier` could answer, and must not be asked."""
    models = "[{id: dear, tier: frontier}, {id: cheap, tier: small}]"
    async with ScriptedUpstream(saying(answer(REPLY))) as upstream:
        for escalate, served, expected in ((True, "[dear, cheap]", "dear"), (False, "[dear, cheap]", "cheap"), (False, "[dear]", None)):
            names = ", ".join(f"{{upstream: {name.strip()}}}" for name in served.strip("[]").split(","))
            provider = f"{{id: p, kind: openai, base_url: 'http://127.0.0.1:{upstream.port}/v1', models: [{names}]}}"
            text = "discovery: {local: false, environment: false}\n"
            text += f"providers: [{provider}]\nmodels: {models}\nrouting: {{escalate: {str(escalate).lower()}}}\n"
            async with Donut(text, tmp_path) as donut:
                got = await donut.client.post(
                    "/v1/chat/completions", json={"model": "mid", "messages": [{"role": "user", "content": "hi"}]}
                )
                assert got.headers.get("x-donut-model") == expected
                assert got.status_code == (200 if expected else 503)


async def test_the_answer_to_a_head_has_no_body(tmp_path: Path) -> None:
    """Also where donut refuses by itself: bytes behind that head would be taken for the next answer."""
    async with Donut(folder=tmp_path, demo=True) as donut, RawClient(donut.port) as client:
        client.writer.write(b"HEAD /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        refused = await client.read_head()
        assert (refused.status, refused.headers["allow"]) == (405, "POST")
        client.writer.write(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert (await client.read_head()).status == 200
