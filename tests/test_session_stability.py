"""A conversation keeps its replica: over real sockets, with a real journal. H1 to H4 and D6 of reference/reliability-requirements.md."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from routing.classify.excerpt import Excerpt
from routing.turns import Classifies
from routing.types import CallRole, Classification, ModelTier, Objective, UseCase
from tests.serving import Donut, config_for
from tests.upstreams import ScriptedUpstream, answer, chunked, saying

ANSWER = answer(
    b'{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1}}',
    headers=b"content-type: application/json\r\n",
)
BROKEN = answer(b'{"error":{"message":"no"}}', status=b"500 Internal Server Error")
CUT = chunked(b'data: {"choices":[{"index":0,"delta":{"content":"h"}}]}\n\n', headers=b"content-type: text/event-stream\r\n")[:-5]
SYSTEM = {"role": "system", "content": "You are a coding agent. " * 400}
SEALED = {"role": "assistant", "content": "hi", "reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAAA"}]}
NOT_P0 = {"x-donut-exclude": "p0"}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


async def ask(
    donut: Donut, *talk: dict[str, Any], model: str = "test-model", headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    body = {"model": model, "messages": [SYSTEM, *talk], **more}
    return await donut.client.post("/v1/chat/completions", json=body, headers=headers or {})


async def replica_of(donut: Donut, *talk: dict[str, Any], **more: Any) -> str:
    reply = await ask(donut, *talk, **more)
    assert reply.status_code == 200, reply.text
    return reply.headers["x-donut-replica"].removesuffix("/up-model")


@asynccontextmanager
async def twins(folder: Path, more: str = "") -> AsyncIterator[tuple[Donut, ScriptedUpstream, ScriptedUpstream]]:
    """A model that p0 and p1 serve. Nothing speaks for p1 but its history."""
    async with ScriptedUpstream(saying(ANSWER)) as p0, ScriptedUpstream(saying(ANSWER)) as p1:  # noqa: SIM117 - the config names their ports
        async with Donut(config_for(p0.port, p1.port, more=more), folder) as donut:
            yield donut, p0, p1


class TestH2:
    """Two turns of a conversation without any session header stay together."""

    async def test_h2_two_turns_without_a_session_header_stay_together(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, _, _):
            talk = [user("fix the parser")]
            assert await replica_of(donut, *talk, headers=NOT_P0) == "p1"
            for turn in ("and now?", "thanks", "one more"):
                talk += [{"role": "assistant", "content": "hi"}, user(turn)]
                assert await replica_of(donut, *talk) == "p1"

    async def test_h2_a_session_header_holds_though_the_messages_change(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, _, _):
            session = {"x-session-affinity": "ses_1"}
            assert await replica_of(donut, user("fix the parser"), headers=session | NOT_P0) == "p1"
            assert await replica_of(donut, user("summary of what was: …"), headers=session) == "p1"
            assert await replica_of(donut, user("summary of what was: …"), headers={"x-session-affinity": "ses_2"}) == "p0"

    async def test_h2_it_survives_a_restart(self, tmp_path: Path) -> None:
        talk = (user("fix the parser"), {"role": "assistant", "content": "hi"}, user("and now?"))
        async with twins(tmp_path) as (donut, _, _):
            assert await replica_of(donut, *talk[:1], headers=NOT_P0) == "p1"
            (row,) = await donut.wait_for_rows(1)
            assert row["affinity_key"]
        async with twins(tmp_path) as (donut, _, _):
            assert await replica_of(donut, *talk) == "p1"
            assert await replica_of(donut, user("something else")) == "p0"

    async def test_h2_it_survives_a_reload(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, p0, p1):
            assert await replica_of(donut, user("fix the parser"), headers=NOT_P0) == "p1"
            await donut.reload(config_for(p0.port, p1.port, more="log: {level: debug}"))
            assert await replica_of(donut, user("fix the parser")) == "p1"

    async def test_a_named_model_with_one_replica_needs_no_key(self, tmp_path: Path) -> None:
        async with ScriptedUpstream(saying(ANSWER)) as p0, Donut(config_for(p0.port), tmp_path) as donut:
            assert await replica_of(donut, user("fix the parser")) == "p0"
            (row,) = await donut.wait_for_rows(1)
            assert row["affinity_key"] is None


class TestH3:
    async def test_h3_the_replica_that_answered_is_bound_not_the_one_that_failed(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, p0, _):
            p0.handler = saying(BROKEN)
            assert await replica_of(donut, user("fix the parser")) == "p1"
            p0.handler = saying(ANSWER)
            assert await replica_of(donut, user("fix the parser")) == "p1"

    @pytest.mark.parametrize(("said", "stream"), [(BROKEN, False), (CUT, True)])
    async def test_h3_a_failure_binds_nothing(self, tmp_path: Path, said: bytes, stream: bool) -> None:
        async with twins(tmp_path) as (donut, p0, p1):
            p0.handler = p1.handler = saying(said, close=True)
            await ask(donut, user("fix the parser"), stream=stream)
            await donut.wait_for_rows(1)
            assert len(donut.runtime.gateway.serving.router.fleet.affinity) == 0


class TestH4:
    async def test_h4_agents_that_share_a_scaffold_do_not_share_a_binding(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, _, _):
            assert await replica_of(donut, user("fix the parser"), headers=NOT_P0) == "p1"
            assert await replica_of(donut, user("fix the lexer")) == "p0"

    async def test_h4_clients_do_not_share_a_binding(self, tmp_path: Path) -> None:
        keys = "server: {api_keys: [{name: one, key: first-secret-key}, {name: two, key: second-secret-key}]}"
        async with twins(tmp_path, keys) as (donut, _, _):
            one, two = ({"authorization": f"Bearer {key}-secret-key"} for key in ("first", "second"))
            assert await replica_of(donut, user("fix the parser"), headers=one | NOT_P0) == "p1"
            assert await replica_of(donut, user("fix the parser"), headers=two) == "p0"
            assert await replica_of(donut, user("fix the parser"), headers=one) == "p1"


class TestD6:
    TALK = (user("fix the parser"), SEALED, user("and now?"))

    async def test_d6_encrypted_reasoning_goes_back_to_the_account_that_made_it(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, _, p1):
            assert await replica_of(donut, *self.TALK[:1], headers=NOT_P0) == "p1"
            assert await replica_of(donut, *self.TALK) == "p1"
            assert orjson.loads(p1.requests[-1].body)["messages"][2] == SEALED

    async def test_d6_and_to_no_other_when_that_one_fails(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, p0, p1):
            assert await replica_of(donut, *self.TALK[:1], headers=NOT_P0) == "p1"
            p1.handler = saying(BROKEN)
            assert (await ask(donut, *self.TALK)).status_code == 503
            assert len(p0.requests) == 0

    async def test_d6_refused_with_words_when_the_account_is_gone(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, p0, _):
            assert await replica_of(donut, *self.TALK[:1], headers=NOT_P0) == "p1"
            await donut.reload(config_for(p0.port))
            reply = await ask(donut, *self.TALK)
            assert (reply.status_code, reply.json()["error"]["code"]) == (400, "foreign_reasoning")
            assert "encrypted reasoning of p1" in reply.json()["error"]["message"]
            assert len(p0.requests) == 0

    async def test_d6_taken_out_where_config_says_so_and_recorded(self, tmp_path: Path) -> None:
        async with twins(tmp_path) as (donut, p0, _):
            assert await replica_of(donut, *self.TALK[:1], headers=NOT_P0) == "p1"
            await donut.reload(config_for(p0.port, more="routing: {foreign_reasoning: strip}"))
            for turn in range(2):
                reply = await ask(donut, *self.TALK, headers={"x-donut-debug": "1"})
                assert (reply.status_code, reply.headers["x-donut-replica"]) == (200, "p0/up-model")
                assert "taken out" in reply.headers["x-donut-because"]
                assert orjson.loads(p0.requests[turn].body)["messages"][2] == {"role": "assistant", "content": "hi"}
            rows = await donut.wait_for_rows(3)
            assert any("reasoning that only p1 could read was taken out" in note for note in orjson.loads(rows[1]["decision"])["notes"])


class Counting:
    """A classifier that sends hard words to the frontier, and counts how often it is asked."""

    def __init__(self) -> None:
        self.runs = 0

    def classify(self, excerpt: Excerpt) -> Classification:
        self.runs += 1
        tier = ModelTier.FRONTIER if "hard" in excerpt.human else ModelTier.SMALL
        return Classification(CallRole.MAIN, tier, UseCase.CODE, Objective.BALANCED, 0.5, 0.9, reasons=("words",))


TIERS = """
discovery: {local: false, environment: false}
models: [{id: big, tier: frontier, capabilities: [tools, reasoning]}, {id: little, tier: small}]
providers:
  - id: p0
    kind: openai
    base_url: http://127.0.0.1:PORT/v1
    api_key: upstream-secret
    models:
      - {upstream: big, model: big, price: {input: 5, output: 25, cache_read: 0.5}}
      - {upstream: little, model: little, price: {input: 1, output: 5, cache_read: 0.1}}
policies:
  - {name: short, max_tokens: 77, temperature: 0.3}
"""


@asynccontextmanager
async def tiers(folder: Path) -> AsyncIterator[tuple[Donut, ScriptedUpstream, Counting]]:
    classifier = Counting()
    async with ScriptedUpstream(saying(ANSWER)) as p0, Donut(TIERS.replace("PORT", str(p0.port)), folder) as donut:
        gateway = donut.runtime.gateway
        gateway.serving = dataclasses.replace(gateway.serving, classifier=classifier)
        yield donut, p0, classifier


def results(count: int) -> list[dict[str, Any]]:
    talk: list[dict[str, Any]] = []
    for number in range(count):
        call = {"id": f"c{number}", "type": "function", "function": {"name": "read", "arguments": f'{{"path":"{number}"}}'}}
        talk += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": "ok"},
        ]
    return talk


async def test_h1_an_agents_loop_is_classified_once_per_human_turn(tmp_path: Path) -> None:
    async with tiers(tmp_path) as (donut, _, classifier):
        talk: list[dict[str, Any]] = [user("a hard one")]
        for steps in range(12):
            reply = await ask(donut, *talk, *results(steps), model="auto")
            assert (reply.headers["x-donut-model"], reply.headers["x-donut-use-case"]) == ("big", "code")
        assert classifier.runs == 1
        talk += [*results(12), {"role": "assistant", "content": "done"}, user("a plain one")]
        for steps in range(12):
            assert (await ask(donut, *talk, *results(steps), model="auto")).headers["x-donut-model"] == "little"
        assert classifier.runs == 2


class Shipped(Counting):
    """The shipped classifier, counted."""

    def __init__(self, shipped: Classifies | None) -> None:
        super().__init__()
        assert shipped is not None
        self._shipped = shipped

    def classify(self, excerpt: Excerpt) -> Classification:
        self.runs += 1
        return self._shipped.classify(excerpt)


async def test_h1_the_shipped_classifier_runs_once_per_human_turn_and_a_quiet_loop_stays_in_its_tier(tmp_path: Path) -> None:
    async with tiers(tmp_path) as (donut, _, _):
        gateway = donut.runtime.gateway
        shipped = Shipped(donut.runtime._build().classifier)
        gateway.serving = dataclasses.replace(gateway.serving, classifier=shipped)
        talk: list[dict[str, Any]] = []
        for turn in (
            "Rename the function parse_head in head.py to read_head.",
            "Design a lock-free queue for our scheduler and prove it correct.",
        ):
            talk.append(user(turn))
            models = {(await ask(donut, *talk, *results(steps), model="auto")).headers["x-donut-model"] for steps in range(6)}
            assert len(models) == 1
            talk += [*results(6), {"role": "assistant", "content": "done"}]
        assert shipped.runs == 2


async def test_the_decision_tells_the_classification(tmp_path: Path) -> None:
    async with tiers(tmp_path) as (donut, _, _):
        reply = await ask(donut, user("a hard one"), model="auto", headers={"x-donut-debug": "1"})
        assert reply.headers["x-donut-tier"] == "frontier"
        assert "words" in reply.headers["x-donut-because"]
        (row,) = await donut.wait_for_rows(1)
        told = orjson.loads(row["decision"])["demand"]
        assert (told["role"], told["tier"], told["use_case"], told["classified_because"]) == ("main", "frontier", "code", ["words"])


async def test_a_policys_defaults_go_upstream_only_where_the_client_set_none(tmp_path: Path) -> None:
    async with tiers(tmp_path) as (donut, p0, _):
        policy = {"x-donut-policy": "short"}
        await ask(donut, user("a plain one"), model="auto", headers=policy)
        await ask(donut, user("a plain one"), model="auto", headers=policy, max_completion_tokens=5, temperature=0)
        await ask(donut, user("a plain one"), model="little", headers=policy)
        await ask(donut, user("a hard one"), model="auto", headers=policy)
        sent = [orjson.loads(request.body) for request in p0.requests]
        assert [(body.get("max_tokens"), body.get("max_completion_tokens"), body.get("temperature")) for body in sent] == [
            (77, None, 0.3),
            (None, 5, 0),
            (None, None, None),
            (None, 77, None),  # a reasoning model: OpenAI's take no temperature, and no max_tokens
        ]
