"""Forty requests of different kinds to `auto`: headers, `donut usage` and `donut explain` tell one story about each of them.

Once against the simulated fleet, and (opt-in, `-m real_server`) against the simulated cloud beside a real llama.cpp server.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest

from tests.processes import DonutProcess, run_donut
from tests.test_real_server import HERE, free_usual_port, llama_server, one_at_a_time

__all__ = ["one_at_a_time"]

REQUESTS = 40
TOOL = {"type": "function", "function": {"name": "run_tests", "parameters": {"type": "object", "properties": {}}}}
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgAAIAAAUAAXpeqz8AAAAASUVORK5CYII="

KINDS: tuple[dict[str, Any], ...] = (
    {"messages": [{"role": "user", "content": "Good morning! How are you?"}]},
    {"messages": [{"role": "user", "content": "Wie spät ist es gerade in Wien?"}]},
    {
        "messages": [
            {"role": "system", "content": "You write a title of at most six words for a conversation. Reply with the title only."},
            {"role": "user", "content": "My tests hang since I upgraded the driver."},
        ]
    },
    {
        "messages": [{"role": "user", "content": "Design a lock-free queue in C++ for several producers and prove it linearizable."}],
        "tools": [TOOL],
    },
    {"messages": [{"role": "user", "content": "Write a Python function that reverses the words of a sentence."}]},
    {"messages": [{"role": "user", "content": "Name three rivers as JSON."}], "response_format": {"type": "json_object"}},
    {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "What is in this picture?"}, {"type": "image_url", "image_url": {"url": PNG}}],
            }
        ]
    },
    {"messages": [{"role": "user", "content": "Fasse diesen Absatz zusammen: " + "Der Fluss trat über die Ufer. " * 40}]},
)


class Told(NamedTuple):
    """What one answer said of itself."""

    decision: str
    replica: str
    model: str
    tier: str
    use_case: str
    attempts: int
    prompt_tokens: int
    output_tokens: int


async def ask(client: openai.AsyncOpenAI, number: int) -> Told:
    """Every third one streamed, every ninth one an embedding."""
    if number % 9 == 8:
        raw: Any = await client.embeddings.with_raw_response.create(model="auto", input=f"sentence {number}")
        usage = raw.parse().usage
        return told(raw.headers, usage.prompt_tokens, 0)
    kind = KINDS[number % len(KINDS)]
    if number % 3:
        raw = await client.chat.completions.with_raw_response.create(model="auto", max_tokens=16, **kind)
        usage = raw.parse().usage
        return told(raw.headers, usage.prompt_tokens, usage.completion_tokens)
    raw = await client.chat.completions.with_raw_response.create(
        model="auto", max_tokens=16, stream=True, stream_options={"include_usage": True}, **kind
    )
    chunks = [chunk async for chunk in raw.parse()]
    return told(raw.headers, chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens)


def told(headers: Mapping[str, str], prompt_tokens: int, output_tokens: int) -> Told:
    names = ("decision", "replica", "model", "tier", "use-case")
    decision, replica, model, tier, use_case = (headers[f"x-donut-{name}"] for name in names)
    return Told(decision, replica, model, tier, use_case, int(headers["x-donut-attempts"]), prompt_tokens, output_tokens)


async def told_by_all(donut: DonutProcess) -> list[Told]:
    async with openai.AsyncOpenAI(base_url=f"{donut.url}/v1", api_key="anything", max_retries=0, timeout=60) as client:
        answers = [await ask(client, number) for number in range(REQUESTS)]
    await donut.wait_for_rows(REQUESTS)
    return answers


async def check_usage(donut: DonutProcess, answers: list[Told]) -> None:
    code, out, err = await run_donut(donut.folder, "usage", "--by", "replica", "--json")
    assert code == 0, err
    usage = json.loads(out)
    assert {row["key"]: row["exchanges"] for row in usage["rows"]} == Counter(answer.replica for answer in answers)
    assert usage["totals"]["exchanges"] == REQUESTS
    assert usage["totals"]["reported_input"] == sum(answer.prompt_tokens for answer in answers)
    assert usage["totals"]["reported_output"] == sum(answer.output_tokens for answer in answers)
    assert usage["totals"]["attempts"] == sum(answer.attempts for answer in answers)


async def check_decisions(donut: DonutProcess, answers: list[Told]) -> None:
    """The API for all of them; the command line, which starts a process each, for the first few."""
    for answer in answers:
        exchange = (await donut.client.get(f"/api/routing/decisions/{answer.decision}")).json()
        decision = exchange["decision"]
        assert (decision["replica_id"], decision["logical_model_id"]) == (answer.replica, answer.model)
        assert decision["demand"]["use_case"] == answer.use_case
        assert decision["candidates"][0]["replica_id"] == answer.replica or decision["spilled_from"] or answer.attempts > 1
        assert decision["selected_because"]
        assert exchange["tier"] == answer.tier
    for answer in itertools.islice(answers, 3):
        code, out, err = await run_donut(donut.folder, "explain", answer.decision, "--json")
        assert code == 0, err
        assert json.loads(out)["decision"] == (await donut.client.get(f"/api/routing/decisions/{answer.decision}")).json()["decision"]


async def test_the_simulated_fleet_tells_one_story(tmp_path: Path) -> None:
    async with DonutProcess(tmp_path, arguments=["--demo"]) as donut:
        answers = await told_by_all(donut)
        assert len({answer.tier for answer in answers}) >= 3, "forty such requests do not all need the same tier"
        assert {"chat", "code", "embed", "vision"} <= {answer.use_case for answer in answers}
        await check_usage(donut, answers)
        await check_decisions(donut, answers)


@pytest.mark.real_server
@pytest.mark.skipif(not HERE.exists(), reason="no llama-server: scripts/real-server --build-only builds one")
@pytest.mark.usefixtures("one_at_a_time")
async def test_a_real_server_beside_the_simulated_cloud_tells_one_story(tmp_path: Path) -> None:
    config = """
discovery: {local: true, environment: false}
providers:
  - id: cloud
    kind: sim
    models: [{upstream: sim-mid}, {upstream: sim-frontier}, {upstream: sim-embed}]
"""
    async with llama_server(free_usual_port()), DonutProcess(tmp_path, config) as donut:
        answers = await told_by_all(donut)
        assert any(answer.replica.endswith("/tiny") for answer in answers), "the real server is local and small, and was never asked"
        assert any(answer.replica.startswith("cloud/") for answer in answers)
        await check_usage(donut, answers)
        await check_decisions(donut, answers)
