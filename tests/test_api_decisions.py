"""`GET /api/routing/decisions[/ID]`: the record that headers, journal and `donut explain` tell as well."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from config.commands import explain
from tests.serving import Donut, config_for
from tests.upstreams import ScriptedUpstream, answer, saying

REPLY = (
    b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":7,"completion_tokens":2}}'
)
BUSY = answer(b'{"error":{"message":"busy"}}', status=b"503 Service Unavailable")
CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}


async def ask(donut: Donut, **more: Any) -> Any:
    return await donut.client.post("/v1/chat/completions", json={**CHAT, **more})


async def page(donut: Donut, **parameters: Any) -> dict[str, Any]:
    got = await donut.client.get("/api/routing/decisions", params=parameters)
    assert got.status_code == 200, got.text
    found: dict[str, Any] = got.json()
    return found


async def test_one_decision_at_once_and_whole(tmp_path: Path) -> None:
    """Asked for right after the answer, before its row can be in the journal."""
    async with (
        ScriptedUpstream(saying(BUSY)) as broken,
        ScriptedUpstream(saying(answer(REPLY))) as sound,
        Donut(config_for(broken.port, sound.port), tmp_path) as donut,
    ):
        got = await donut.client.post("/v1/chat/completions", json=CHAT, headers={"x-request-id": "mine"})
        told = (await donut.client.get(f"/api/routing/decisions/{got.headers['x-donut-decision']}")).json()
        assert told == (await donut.client.get("/api/routing/decisions/mine")).json()
        assert (told["replica_id"], told["status"]) == (got.headers["x-donut-replica"], "ok")
        assert told["decision"]["replica_id"] == "p1/up-model"
        assert [candidate["replica_id"] for candidate in told["decision"]["candidates"]] == ["p1/up-model"]
        assert [reject["reason"] for reject in told["decision"]["rejected_candidates"]] == ["already_tried"]
        assert [attempt["failure_kind"] for attempt in told["attempts"]] == ["overloaded", None]
        assert told["usage"]["reported"]["input_uncached"] == 7
        names = ["PreModelCall", "ModelCallFailed", "ModelReplicaSwitched", "PreModelCall", "PostModelCall", "ModelSelectionDiagnostics"]
        assert [event["event"] for event in told["events"]] == names


async def test_the_command_line_tells_the_same(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(REPLY))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        id_ = (await ask(donut)).headers["x-donut-decision"]
        told = (await donut.client.get(f"/api/routing/decisions/{id_}")).json()
        result = await asyncio.to_thread(CliRunner().invoke, explain.COMMAND, [id_, "--json", "--journal", str(donut.journal)])
        assert json.loads(result.stdout) == told


async def test_an_unknown_id(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        got = await donut.client.get("/api/routing/decisions/none")
        assert (got.status_code, got.json()["error"]["code"]) == (404, "decision_not_found")


async def test_pages_show_each_decision_once_newest_first(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(REPLY))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        ids = [(await ask(donut)).headers["x-donut-decision"] for _ in range(5)]
        await donut.wait_for_rows(5)
        shown: list[str] = []
        found: dict[str, Any] = {"next": None}
        while True:
            found = await page(donut, limit=2, **({"before": found["next"]} if found["next"] else {}))
            shown += [row["id"] for row in found["data"]]
            if not found["has_more"]:
                break
        assert found["next"] is None
        assert shown == ids[::-1]
        assert "decision" not in found["data"][0]
        assert found["data"][0]["summary"]


async def test_filters(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(REPLY))) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await ask(donut)
        await ask(donut, model="nobody")
        await donut.wait_for_rows(2)

        async def count(**parameters: Any) -> int:
            return len((await page(donut, **parameters))["data"])

        assert (await count(), await count(status="ok"), await count(status="refused"), await count(status="truncated")) == (2, 1, 1, 0)
        assert (await count(model="test-model"), await count(model="nobody"), await count(model="other")) == (1, 1, 0)
        assert (await count(replica="p0/up-model"), await count(replica="p0/other")) == (1, 0)
        assert (await count(since="1h"), await count(since="now")) == (2, 0)
        assert await count(status="ok", model="nobody") == 0


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=%D9%A3", "limit"),
        ("status=fine", "client_gone"),
        ("since=yesterday", "since"),
        ("model=", "model"),
        ("page=2", "before"),
        (f"replica={'x' * 600}", "replica"),
    ],
)
async def test_parameters_that_say_nothing_are_refused_by_name(tmp_path: Path, query: str, names: str) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        got = await donut.client.get(f"/api/routing/decisions?{query}")
        assert got.status_code == 400
        assert names in got.json()["error"]["message"]


async def test_a_cursor_that_nobody_gave_out(tmp_path: Path) -> None:
    async with Donut(folder=tmp_path, demo=True) as donut:
        got = await donut.client.get("/api/routing/decisions?before=none")
        assert (got.status_code, got.json()["error"]["code"]) == (404, "unknown_cursor")


async def test_only_with_a_key(tmp_path: Path) -> None:
    keyed = "server: {api_keys: [{name: alice, key: k-1}]}"
    async with Donut(keyed, tmp_path) as donut:
        for path in ("decisions", "decisions/x", "costs", "performance"):
            assert (await donut.client.get(f"/api/routing/{path}")).status_code == 401
        assert (await donut.client.get("/api/routing/decisions?key=k-1")).status_code == 200
