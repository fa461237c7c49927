"""The suite of real harnesses (`scripts/clients`). Its own parts are tested here; the harnesses themselves run with `-m clients` only:
installing them takes 1.5 GB and a minute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.harnesses.case import DIRECT, Case, play
from scripts.harnesses.far_end.faults import Failing, Fault
from scripts.harnesses.far_end.script import EXPECTED, MARK, Asked, Tool, next_move, sample
from scripts.harnesses.far_end.server import SPEECHES, FarEnd
from scripts.harnesses.install import CACHE
from scripts.harnesses.known import HARNESSES

SHELL = Tool("bash", {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]})

BODIES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}),
    "responses": ("/v1/responses", {"model": "m", "stream": True, "input": "Hi"}),
    "messages": ("/v1/messages", {"model": "m", "stream": True, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}),
    "gemini": ("/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
}
"""Dialect → a request without tools."""


def test_the_script_calls_once_then_twice_at_once_then_ends() -> None:
    seen: list[str] = []
    calls = []
    while True:
        move = next_move(Asked("m", is_streamed=True, tools=[SHELL], results=seen))
        if not move.calls:
            break
        calls.append([call.arguments for call in move.calls])
        seen += [f'"{MARK}"' for _ in move.calls]
    assert calls == [[{"command": f"echo {MARK}"}], [{"command": f"echo {MARK}"}] * 2]
    assert move.text == EXPECTED


def test_tools_that_never_work_do_not_make_an_endless_conversation() -> None:
    move = next_move(Asked("m", is_streamed=True, tools=[SHELL], results=['"aborted"'] * 9))
    assert not move.calls
    assert EXPECTED not in move.text


def test_the_smallest_value_fits_its_schema() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "cmd": {"type": "array"},
            "timeout_ms": {"type": ["integer", "null"]},
            "mode": {"enum": ["a", "b"]},
            "deep": {"anyOf": [{"type": "boolean"}]},
            "left_out": {"type": "string"},
        },
        "required": ["cmd", "timeout_ms", "mode", "deep"],
    }
    assert sample(schema) == {"cmd": ["bash", "-lc", f"echo {MARK}"], "timeout_ms": 10_000, "mode": "a", "deep": False}


OBJECTIONABLE: list[tuple[str, dict[str, Any], str]] = [
    ("chat", {"messages": [{"role": "tool", "tool_call_id": "x", "content": ""}]}, "without a call: x"),
    ("chat", {"messages": [{"role": "assistant", "tool_calls": [{"id": "x", "function": {"arguments": {}}}]}]}, "are not a string"),
    ("messages", {"messages": [{"role": "user", "content": "Hi"}]}, "max_tokens"),
    ("messages", {"max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "tool_use", "id": "x", "input": {}}]}]}, "user"),
    ("responses", {"input": [{"type": "function_call", "call_id": "x"}]}, "without a result: x"),
    ("responses", {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": ""}]}]}, "invalid value input_text"),
    ("gemini", {"contents": [{"role": "assistant", "parts": [{"text": ""}]}]}, "valid role"),
    ("gemini", {"contents": [{"role": "model", "parts": [{"functionCall": {}}]}, {"role": "user", "parts": [{"text": ""}]}]}, "equal"),
]


@pytest.mark.parametrize(("dialect", "body", "word"), OBJECTIONABLE)
def test_the_far_end_refuses_what_the_vendor_would(dialect: str, body: dict[str, Any], word: str) -> None:
    assert any(word in objection for objection in SPEECHES[dialect].objections(body))


@pytest.mark.parametrize("dialect", SPEECHES)
async def test_the_far_end_speaks_one_dialect_only(dialect: str) -> None:
    async with FarEnd(dialect) as far, httpx.AsyncClient(base_url=far.url, trust_env=False) as client:
        statuses = {name: (await client.post(path, json=body)).status_code for name, (path, body) in BODIES.items()}
    assert statuses == {name: 200 if name == dialect else 404 for name in BODIES}
    said = far.exchanges[list(BODIES).index(dialect)].said
    assert b"short titl" in said or b"title" in said
    assert not any(exchange.objections for exchange in far.exchanges)


async def test_a_fault_strikes_once_and_leaves_chores_alone() -> None:
    path, chore = BODIES["chat"]
    main = {**chore, "tools": [{"type": "function", "function": {"name": "bash", "parameters": SHELL.schema}}]}
    fault = Fault(Failing.STATUS, 429, retry_after_s=3)
    async with FarEnd("chat", fault) as far, httpx.AsyncClient(base_url=far.url, trust_env=False) as client:
        answers = [await client.post(path, json=body) for body in (chore, main, main)]
    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert answers[1].headers["retry-after"] == "3"


@pytest.mark.parametrize(("failing", "whole"), [(Failing.TRUNCATED, True), (Failing.CUT, False)])
async def test_a_stream_ends_without_its_last_event(failing: Failing, whole: bool) -> None:
    path, chore = BODIES["messages"]
    main = {**chore, "tools": [{"name": "bash", "input_schema": SHELL.schema}]}
    got = b""
    ended_well = True
    async with FarEnd("messages", Fault(failing, is_late=True)) as far, httpx.AsyncClient(base_url=far.url, trust_env=False) as client:
        try:
            async with client.stream("POST", path, json=main) as answer:
                async for piece in answer.aiter_bytes():
                    got += piece
        except httpx.TransportError:
            ended_well = False
    assert b"content_block_delta" in got
    assert b"message_stop" not in got
    assert ended_well is whole


def test_the_last_word_is_found_in_what_each_harness_prints(tmp_path: Path) -> None:
    result = json.dumps({"type": "result", "result": "the end"})
    text = json.dumps({"type": "text", "part": {"text": "the end"}})
    pieces = "\n".join(json.dumps(line) for line in ({"type": "tool_use"}, *_said("the "), *_said("end")))
    printed = {"claude": f"noise\n{result}", "qwen": result, "opencode": text, "gemini": pieces, "openai-chat": "the end\n"}
    found = {name: HARNESSES[name].last_word(stdout, tmp_path) for name, stdout in printed.items()}
    assert found == dict.fromkeys(printed, "the end")


def _said(text: str) -> list[dict[str, str]]:
    return [{"type": "message", "role": "assistant", "content": text}]


@pytest.mark.parametrize("harness", [name for name, harness in HARNESSES.items() if harness.package is None])
async def test_an_sdk_does_the_task_without_donut(harness: str, tmp_path: Path) -> None:
    outcome = await play(Case(HARNESSES[harness], DIRECT), tmp_path / "case")
    assert outcome.is_green, outcome.finished.last_word
    assert outcome.requests == 3


@pytest.mark.clients
@pytest.mark.parametrize("upstream", SPEECHES)
@pytest.mark.parametrize("harness", HARNESSES)
async def test_a_real_harness_does_the_task_through_donut(
    harness: str, upstream: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "clients" not in request.config.getoption("markexpr"):
        pytest.skip("opt-in, it takes minutes: scripts/test -m clients")
    if not CACHE.exists():
        pytest.skip("no harnesses: scripts/clients --install-only installs them")
    outcome = await play(Case(HARNESSES[harness], upstream), tmp_path / "case")
    assert outcome.is_green, (outcome.finished, outcome.objections, outcome.errors)
