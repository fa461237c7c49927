"""Reasoning that one account alone can read: noticed in every shape, and taken out without touching anything else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.dialects._reasoning import UNSEALED, is_sealed, without_sealed
from providers.dialects.chat import DIALECT

CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
SEALED: list[dict[str, Any]] = [
    {"reasoning_details": [{"type": "reasoning.summary", "summary": "…"}, {"type": "reasoning.encrypted", "data": "gAAAA"}]},
    {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "sig"}]},
    {"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "sig"}]},
    {"thinking_blocks": [{"type": "redacted_thinking", "data": "gAAAA"}]},
    {"reasoning": {"encrypted_content": "gAAAA"}},
    {"extra_content": {"google": {"thought_signature": "sig"}}},
    {"tool_calls": [CALL, {**CALL, "extra_content": {"google": {"thought_signature": "sig"}}}]},
]
OPEN: list[dict[str, Any]] = [
    {},
    {"reasoning_content": "hm"},
    {"reasoning": "hm"},
    {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": None}]},
    {"reasoning_details": [{"type": "reasoning.encrypted", "data": ""}], "tool_calls": None},
    {"reasoning_details": "hm", "thinking_blocks": 5, "reasoning": {}, "extra_content": []},
    {"tool_calls": [CALL, 5, {"extra_content": {"google": {"thought_signature": UNSEALED}}}]},
    {"tool_calls": [{"extra_content": {"google": 5}}]},
]


def assistant(more: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": "done", **more}


@pytest.mark.parametrize("more", SEALED)
def test_d6_sealed_reasoning_is_noticed(more: dict[str, Any]) -> None:
    assert is_sealed(assistant(more))
    data = {"model": "m", "messages": [{"role": "user", "content": "Hi"}, assistant(more), {"role": "user", "content": "And?"}]}
    assert DIALECT.read(data, 100).has_sealed_reasoning


@pytest.mark.parametrize("more", OPEN)
def test_plain_reasoning_is_anybodys(more: dict[str, Any]) -> None:
    assert not is_sealed(assistant(more))
    assert not DIALECT.read({"model": "m", "messages": [assistant(more)]}, 100).has_sealed_reasoning


@pytest.mark.parametrize("more", SEALED)
def test_d6_taking_it_out_leaves_the_rest(more: dict[str, Any]) -> None:
    plain = {"role": "user", "content": "Hi"}
    opened = without_sealed([plain, assistant(more), "odd"])
    assert opened[0] is plain
    assert opened[2] == "odd"
    assert not is_sealed(opened[1])
    assert opened[1].items() >= {"role": "assistant", "content": "done"}.items()
    if "tool_calls" in more:
        assert opened[1]["tool_calls"] == [CALL, CALL]


def test_d6_the_body_that_goes_upstream_has_it_only_where_nothing_was_to_be_taken_out() -> None:
    data: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}, assistant(SEALED[0])], "temperature": 0.5}
    body = orjson.dumps(data)
    ask = DIALECT.read(data, len(body))
    assert DIALECT.prepare(body, data, ask, "m") is body
    ask.drop_sealed = True
    assert orjson.loads(bytes(DIALECT.prepare(body, data, ask, "m"))) == {**data, "messages": [data["messages"][0], assistant({})]}


@pytest.mark.parametrize("calls", [[5, SEALED[-1]["tool_calls"][1]], [CALL, "odd", SEALED[-1]["tool_calls"][1]]])
def test_odd_calls_hide_none(calls: list[Any]) -> None:
    assert DIALECT.read({"model": "m", "messages": [assistant({"tool_calls": calls})]}, 100).has_sealed_reasoning


@pytest.mark.parametrize("calls", [5, "calls", {"a": 1}, [], [CALL] * 300])
def test_calls_without_any_have_none(calls: Any) -> None:
    talk = [assistant({"tool_calls": calls}), {"role": "tool", "content": "ok"}, assistant({"tool_calls": [CALL]})]
    assert not DIALECT.read({"model": "m", "messages": talk}, 100).has_sealed_reasoning


def test_only_an_answer_has_any() -> None:
    assert not DIALECT.read({"model": "m", "messages": [{**assistant(SEALED[0]), "role": "user"}]}, 100).has_sealed_reasoning
