"""A whole donut with `adapters:`: what outside systems say arrives, what they want is written, and none of it is on a request's way."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given

from config.adapter_settings import ThegentSettings
from config.adapting import Host, _alone
from config.adapting.helios import Folder, read_folder
from config.adapting.thegent import ThegentWorker, joined, take
from config.ledger.store import ledger_folder, read_one
from providers.adapters._jsonl import append, parse_lines
from providers.adapters.thegent import Costs, Tally, harvest_line, read_harvest
from providers.adapters.tokenledger import read_events
from proxy.journal.records import Status
from tests.adapter_samples import BENCH, HARNESS
from tests.journal_samples import attempt, exchange, refused
from tests.processes import DonutProcess
from tests.serving import Donut, config_for
from tests.test_adapter_agentapi import HEAD, STREAM
from tests.test_adapter_cliproxy import SECRET, auth_file, item, replay
from tests.test_adapter_routellm import V2
from tests.test_adapter_thegent import TALLIES
from tests.upstreams import ScriptedUpstream, answer, eventually, saying

USAGE = b'"usage":{"prompt_tokens":1000,"completion_tokens":40,"total_tokens":1040,"prompt_tokens_details":{"cached_tokens":200}}'
REPLY = answer(
    b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],' + USAGE + b"}",
    headers=b"content-type: application/json\r\n",
)
CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}


async def asked(donut: Donut, count: int = 1, **changes: Any) -> None:
    for _ in range(count):
        got = await donut.client.post("/v1/chat/completions", json={**CHAT, **changes})
        assert got.status_code == 200, got.text


async def status(donut: Donut, name: str) -> dict[str, Any]:
    rows = (await donut.client.get("/api/adapters")).json()["data"]
    (found,) = [row for row in rows if row["adapter"] == name]
    assert isinstance(found, dict)
    return found


async def status_with(donut: Donut, name: str, member: str, within_s: float = 5.0) -> dict[str, Any]:
    """The status once `member` is something."""
    async with asyncio.timeout(within_s):
        while not (found := await status(donut, name)).get(member):
            await asyncio.sleep(0.02)
    return found


def lines(path: Path) -> list[Any]:
    return parse_lines(path.read_bytes().splitlines()).values if path.exists() else []


async def test_without_adapters_there_are_none(tmp_path: Path) -> None:
    async with Donut(config_for(1), tmp_path) as donut:
        told = (await donut.client.get("/api/adapters")).json()
    assert told == {"object": "list", "data": [], "load": {"agents_running": 0, "prompts_waiting": 0}}


async def test_usage_goes_to_tokenledger_once_and_also_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "tl" / "events.jsonl"
    async with ScriptedUpstream(saying(REPLY)) as upstream:
        more = f"adapters: {{tokenledger: {{events: '{path}'}}}}"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut:
            await asked(donut, 3)
            await eventually(lambda: len(lines(path)) == 3, within_s=5)
            await asked(donut, 2)
    events, others = read_events(lines(path))
    assert (len(events), others) == (5, 0)
    assert {(event.provider, event.model, event.usage[:4]) for event in events} == {("p0", "up-model", (800, 200, 0, 40))}


async def test_estimated_usage_is_not_passed_off_as_reported(tmp_path: Path) -> None:
    silent = answer(b'{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}')
    path = tmp_path / "events.jsonl"
    async with ScriptedUpstream(saying(silent)) as upstream:
        more = f"adapters: {{tokenledger: {{events: '{path}'}}}}"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut:
            await asked(donut)
            assert (await status_with(donut, "tokenledger:events", "left_out_as_estimated"))["written"] == 0
    assert not path.exists()


async def test_a_file_that_can_not_be_written_costs_no_request_anything_and_is_said(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()
    async with ScriptedUpstream(saying(REPLY)) as upstream:
        more = f"adapters: {{tokenledger: {{events: '{tmp_path / 'events.jsonl'}'}}}}"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut:
            await asked(donut, 2)
            found = await status_with(donut, "tokenledger:events", "problem")
            assert "Is a directory" in found["problem"]
            (tmp_path / "events.jsonl").rmdir()
            found = await status_with(donut, "tokenledger:events", "written")
            assert (found["written"], found["problem"]) == (2, None)


async def test_the_snapshot_that_tokenledger_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "metrics_snapshot.json"
    async with ScriptedUpstream(saying(REPLY)) as upstream:
        async with Donut(config_for(upstream.port), tmp_path) as donut:
            await asked(donut)
            await donut.wait_for_rows(1)
        more = f"adapters: {{tokenledger: {{snapshot: '{path}'}}}}\nmodels: [{{id: test-model, quality: 0.5}}]"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut:
            assert (await status_with(donut, "tokenledger:snapshot", "offerings"))["offerings"] == 1
    (row,) = json.loads(path.read_text())["metrics"]
    assert (row["provider"], row["model"], row["success_rate"], row["quality_score"]) == ("p0", "up-model", 1.0, 0.5)
    assert row["latency_ms"] == row["p50_latency_ms"] > 0


async def test_thegents_queue_is_counted_and_its_harvest_appended(tmp_path: Path) -> None:
    folder = tmp_path / "thegent"
    folder.mkdir()
    (folder / "prompt_queue.jsonl").write_text(
        '{"ts": "2026-11-21T18:00:00Z", "prompt": "secret", "claimed_by": null, "preferred_model": "m"}\n'
    )
    async with ScriptedUpstream(saying(REPLY)) as upstream:
        more = f"adapters: {{thegent: {{folder: '{folder}', queue_seconds: 1}}}}"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut:
            await asked(donut, 2)
            async with asyncio.timeout(5):
                while (await status(donut, "thegent"))["queue"]["waiting"] != 1:
                    await asyncio.sleep(0.02)
            append(folder / "routing_harvest.jsonl", [harvest_line(Tally(total_requests=7, total_cost_usd=0.5), Costs(), 1795284000.0)])
            async with asyncio.timeout(5):
                while (await status(donut, "thegent"))["other_routers"]["requests"] != 7:
                    await asyncio.sleep(0.02)
            told = await donut.client.get("/api/adapters")
            assert told.json()["load"] == {"agents_running": 0, "prompts_waiting": 1}
            assert "secret" not in told.text
    _, harvest = read_harvest(lines(folder / "routing_harvest.jsonl"))
    assert (harvest.tally.total_requests, harvest.tally.total_tokens, harvest.tally.errors) == (2, 2080, 0)
    assert (dict(harvest.tally.requests_by_model), dict(harvest.tally.requests_by_provider)) == ({"test-model": 2}, {"p0": 2})
    assert harvest.tally.total_cost_usd == pytest.approx(2 * (1000 * 1 + 40 * 2) / 1e6)


async def test_agents_become_events_and_a_hint_of_load(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(HEAD, 0.3, STREAM, 5.0)) as agent:
        more = f"adapters: {{agentapi: [{{id: left, url: 'http://127.0.0.1:{agent.port}'}}]}}"
        async with Donut(config_for(1, more=more), tmp_path) as donut, donut.client.stream("GET", "/api/events") as told:
            said = ""
            async with asyncio.timeout(5):
                async for piece in told.aiter_text():
                    said += piece
                    if "AgentFailed" in said:
                        break
            found = await status(donut, "agentapi:left")
    assert said.count("event: AgentStatusChanged") == 2
    assert (found["running"], found["agents"]) == (1, [{"agent": "left", "status": "running", "agent_type": "claude"}])
    assert not any(word in said for word in ("secret", "What can I do", "boom"))


async def test_cliproxys_figures_reach_the_ledgers_folder(tmp_path: Path) -> None:
    calls = [item(alias="claude-big-1", timestamp="2099-01-01T00:00:00Z") for _ in range(25)]
    async with ScriptedUpstream(replay([calls], {"files": [auth_file()]})) as cliproxy:
        more = f"adapters: {{cliproxy: [{{provider: cpa, url: 'http://127.0.0.1:{cliproxy.port}', management_key: '{SECRET}'}}]}}"
        async with Donut(config_for(1, more=more), tmp_path) as donut:
            found = await status_with(donut, "cliproxy:cpa", "requests_read")
            assert (found["requests_read"], found["accounts"], found["problem"]) == (25, 1, None)
            path = ledger_folder(donut.journal) / "cliproxy-cpa.json"
            await eventually(path.exists, within_s=10)
            text = (await donut.client.get("/api/adapters")).text + path.read_text()
            async with asyncio.timeout(10):
                while (told := await donut.client.get("/api/ledger/models/cpa/claude-big-1")).status_code != 200:
                    await asyncio.sleep(0.05)
            assert '"source":"cliproxy"' in told.text
    assert not any(word in text for word in (SECRET, "person", "10.0.0.9", "sk-client"))
    (sheet,) = read_one(path).sheets
    assert (sheet.source, list(sheet.subjects)) == ("cliproxy", ["cpa/claude-big-1"])
    assert (sheet.columns["ttft_s"][0], sheet.columns["success_rate"][0]) == (0.5, 1.0)


async def test_a_model_whose_accounts_are_out_is_left_alone(tmp_path: Path) -> None:
    out = auth_file(unavailable=True, next_retry_after="2099-01-01T00:00:00Z")
    calls = [item(alias="up-model", timestamp="2099-01-01T00:00:00Z")]
    async with ScriptedUpstream(replay([calls], {"files": [out]})) as cliproxy, ScriptedUpstream(saying(REPLY)) as other:
        more = f"adapters: {{cliproxy: [{{provider: p0, url: 'http://127.0.0.1:{cliproxy.port}', management_key: '{SECRET}'}}]}}"
        async with Donut(config_for(cliproxy.port, other.port, more=more), tmp_path) as donut:
            assert (await status_with(donut, "cliproxy:p0", "models_out"))["models_out"] == ["up-model"]
            got = await donut.client.post("/v1/chat/completions", json=CHAT)
            assert (got.status_code, got.headers["x-donut-replica"], got.headers["x-donut-attempts"]) == (200, "p1/up-model", "1")


async def test_a_wrong_management_key_is_said_and_donut_serves_on(tmp_path: Path) -> None:
    async with ScriptedUpstream(replay([], {"files": []})) as cliproxy, ScriptedUpstream(saying(REPLY)) as upstream:
        more = f"adapters: {{cliproxy: [{{provider: cpa, url: 'http://127.0.0.1:{cliproxy.port}', management_key: wrong-key}}]}}"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut:
            problem = (await status_with(donut, "cliproxy:cpa", "problem"))["problem"]
            assert "refuses the management secret" in problem
            assert "wrong-key" not in problem
            await asked(donut)


async def test_helios_results_are_read_when_they_come(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    more = f"adapters: {{helios: {{folder: '{folder}', interval_seconds: 1, models: {{codex: my-model}}}}}}"
    async with Donut(config_for(1, more=more), tmp_path) as donut:
        assert (await status(donut, "helios"))["files"] == 0
        (folder / "a.json").write_bytes(orjson.dumps(BENCH))
        (folder / "b.jsonl").write_bytes(orjson.dumps(HARNESS) + b"\n")
        (folder / "c.json").write_bytes(b'{"torn')
        (folder / "notes.txt").write_bytes(b"nothing of ours")
        found = await status_with(donut, "helios", "figures")
        path = ledger_folder(donut.journal) / "helios.json"
        await eventually(path.exists, within_s=10)
    assert (found["files"], found["figures"]) == (3, 7)
    assert found["problems"][0].startswith("c.json: it is no JSON")
    (sheet,) = read_one(path).sheets
    assert {"codex|my-model", "cliproxy|MiniMax-M2.5"} == {subject.replace("minimax-m2.5", "MiniMax-M2.5") for subject in sheet.subjects}


async def test_a_router_is_asked_afterwards_and_only_what_was_open(tmp_path: Path) -> None:
    async with ScriptedUpstream(saying(answer(orjson.dumps(V2)))) as router, ScriptedUpstream(saying(REPLY)) as upstream:
        more = f"adapters: {{routellm: {{url: 'http://127.0.0.1:{router.port}/route', per_minute: 600}}}}"
        async with Donut(config_for(upstream.port, more=more), tmp_path) as donut:
            await asked(donut)
            await asked(donut, model="auto")
            found = await status_with(donut, "routellm", "asked")
    assert (found["asked"], found["agreed"], found["agreement"]) == (1, 0, 0.0)
    (opinion,) = found["opinions"]
    assert (opinion["model"], opinion["external_model"], opinion["agrees"]) == ("test-model", "gpt-5.6", False)
    asked_for = orjson.loads(router.requests[0].body)
    assert 0 <= asked_for["prompt_difficulty_score"] <= 100
    assert "prompt" not in asked_for


async def test_an_edited_section_makes_its_workers_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    async with ScriptedUpstream(saying(REPLY)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        await asked(donut)
        await donut.wait_for_rows(1)
        await donut.reload(config_for(upstream.port, more=f"adapters: {{tokenledger: {{events: '{path}'}}}}"))
        await asked(donut)
        await eventually(lambda: len(lines(path)) == 1, within_s=5)
        await donut.reload(config_for(upstream.port))
        assert (await donut.client.get("/api/adapters")).json()["data"] == []


async def test_of_two_donuts_on_one_journal_one_empties_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_alone, "AGAIN_S", 0.02)
    async with ScriptedUpstream(replay([[item()]], {"files": []})) as cliproxy:
        more = f"adapters: {{cliproxy: [{{provider: cpa, url: 'http://127.0.0.1:{cliproxy.port}', management_key: '{SECRET}'}}]}}"
        async with Donut(config_for(1, more=more), tmp_path) as second:
            async with Donut(config_for(1, more=more), tmp_path) as first:
                found = await status_with(second, "cliproxy:cpa", "requests_read")
                asked_by_one = len(cliproxy.requests)
                assert (found["requests_read"], (await status(first, "cliproxy:cpa"))["requests_read"]) == (1, 0)
            assert len(cliproxy.requests) == asked_by_one
            third = Donut(config_for(1, more=more), tmp_path)
            await third.__aenter__()
        # The holder has gone: the next one takes over.
        await eventually(lambda: len(cliproxy.requests) > asked_by_one, within_s=5)
        await third.__aexit__(None, None, None)


async def test_a_stopped_process_hands_over_what_it_has_left(tmp_path: Path) -> None:
    thegent, events = tmp_path / "thegent", tmp_path / "events.jsonl"
    thegent.mkdir()
    async with ScriptedUpstream(saying(REPLY)) as upstream:
        more = (
            f"adapters: {{thegent: {{folder: '{thegent}'}}, tokenledger: {{events: '{events}'}}, "
            f"cliproxy: [{{provider: cpa, url: 'http://127.0.0.1:1', management_key: hush-hush}}], "
            "agentapi: [{id: left, url: 'http://127.0.0.1:1'}]}"
        )
        async with DonutProcess(tmp_path, config_for(upstream.port, more=more)) as donut:
            for _ in range(3):
                assert (await donut.client.post("/v1/chat/completions", json=CHAT)).status_code == 200
            await donut.said("adapter_in_trouble", count=2)
            donut.process.terminate()
            assert await donut.ends() == 0
            log = b"".join(donut.stderr)
    assert len(lines(events)) == 3
    assert [harvest.tally.total_requests for harvest in read_harvest(lines(thegent / "routing_harvest.jsonl"))] == [3]
    assert b"hush-hush" not in log
    assert b"Traceback" not in log


def test_a_result_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(orjson.dumps(BENCH))
    (tmp_path / "b.json").write_bytes(orjson.dumps(HARNESS))
    first = read_folder(tmp_path, {"codex": "m"}, Folder({}, {}))
    (tmp_path / "b.json").write_bytes(orjson.dumps([HARNESS, HARNESS]))
    second = read_folder(tmp_path, {"codex": "m"}, first)
    assert second.found[tmp_path / "a.json"] is first.found[tmp_path / "a.json"]
    assert len(second.found[tmp_path / "b.json"].readings) == 2 * len(first.found[tmp_path / "b.json"].readings)
    (tmp_path / "a.json").unlink()
    assert list(read_folder(tmp_path, {}, second).found) == [tmp_path / "b.json"]


@given(TALLIES, TALLIES)
def test_what_could_not_be_harvested_is_added_to_what_came_since(one: Tally, other: Tally) -> None:
    both = joined(one, other)
    assert both.total_requests == one.total_requests + other.total_requests
    assert sum(both.requests_by_model.values()) == sum(one.requests_by_model.values()) + sum(other.requests_by_model.values())
    assert (both.errors, both.fallback_count) == (one.errors + other.errors, one.fallback_count + other.fallback_count)
    assert both.total_cost_usd == one.total_cost_usd + other.total_cost_usd


def test_an_exchange_is_counted_as_thegent_counts() -> None:
    tally = Tally()
    failed = attempt(status=Status.UPSTREAM_ERROR, failure_kind="connect", usage=None, cost_usd=None)
    take(tally, exchange(1, tier="frontier", attempts=[failed, attempt(2)]))
    take(tally, exchange(2, tier="micro", status=Status.UPSTREAM_ERROR, attempts=[failed]))
    take(tally, refused(3))
    assert (tally.total_requests, tally.errors, tally.fallback_count) == (2, 1, 1)
    assert dict(tally.requests_by_category) == {"high_complex": 1, "fast": 1}
    assert (tally.total_tokens, tally.total_cost_usd) == (140, 0.0123)


async def test_a_harvest_is_donuts_own_and_told_from_others(tmp_path: Path) -> None:
    folder = tmp_path / "thegent"
    folder.mkdir()
    (folder / "routing_harvest.jsonl").mkdir()
    async with ScriptedUpstream(saying(REPLY)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        settings = ThegentSettings.model_construct(folder=str(folder), harvest_seconds=0.05, queue_seconds=0.05)
        host = Host(donut.runtime.gateway, donut.runtime.store, donut.runtime._crew._host.learn, tmp_path)
        worker = ThegentWorker(settings, host)
        worker.finished([exchange(1)])
        task = asyncio.create_task(worker.run())
        await eventually(lambda: "Is a directory" in (worker.problem or ""), within_s=5)
        worker.finished([exchange(2)])
        (folder / "routing_harvest.jsonl").rmdir()
        await eventually(lambda: worker.status()["harvests"] == 1, within_s=5)
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (worker.problem, worker.status()["other_routers"]["requests"]) == (None, 0)
    assert [harvest.tally.total_requests for harvest in read_harvest(lines(folder / "routing_harvest.jsonl"))] == [2]
