"""`donut classify`: DESIGN §5's contract for lines in and out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.commands.classify import COMMAND
from routing.types import ModelTier, UseCase


def run(*lines: object, options: tuple[str, ...] = ()) -> Result:
    """`lines`: values to be written as JSON, or bytes that go in as they are."""
    sent = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    return CliRunner().invoke(COMMAND, options, input=sent)


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def said(text: str, identity: str = "1") -> dict[str, Any]:
    return {"id": identity, "messages": [{"role": "user", "content": text}]}


def test_an_answer_has_the_contracts_members_in_the_order_of_the_requests() -> None:
    result = run(said("Hello", "a"), said("Prove Fermat's little theorem.", "b"))
    assert result.exit_code == 0
    assert [answer["id"] for answer in answers(result)] == ["a", "b"]
    for answer in answers(result):
        assert set(answer) == {"id", "tier", "use_case", "score", "latency_us"}
        assert answer["tier"] in set(ModelTier)
        assert answer["use_case"] in set(UseCase)
        assert 0 <= answer["score"] <= 1
        assert answer["latency_us"] > 0


def test_explain_adds_the_rest_of_the_classification() -> None:
    (answer,) = answers(run(said("Prove Fermat's little theorem."), options=("--explain",)))
    assert set(answer) >= {"role", "chore", "objective", "confidence", "reasons"}
    assert any("prove" in reason for reason in answer["reasons"])


@pytest.mark.parametrize(
    "request_",
    [
        {"id": "e", "endpoint": "/v1/embeddings", "input": "a text"},
        {"id": "e", "endpoint": "embeddings", "input": ["a", "b"]},
        {"id": "e", "input": "a text"},
    ],
)
def test_embeddings(request_: dict[str, Any]) -> None:
    assert answers(run(request_))[0]["use_case"] == "embed"


def test_other_shapes_of_requests() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    result = run(
        {"id": "v", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]},
        {"id": "r", "endpoint": "/v1/responses", "input": "Write a function that reverses a string in Rust"},
        {"id": "p", "endpoint": "/v1/completions", "prompt": "def reverse(text):"},
        {"id": 4, "messages": []},
    )
    assert [(answer["id"], answer["use_case"]) for answer in answers(result)][:3] == [("v", "vision"), ("r", "code"), ("p", "code")]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ([1], "not a JSON object"),
        ({"messages": []}, '"id"'),
        ({"id": None, "messages": []}, '"id"'),
        ({"id": "x"}, '"messages"'),
        ({"id": "x", "messages": "hello"}, '"messages"'),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_answered(line: object, reason: str) -> None:
    result = run(said("Hello", "first"), b"", line, said("Hello", "last"))
    assert result.exit_code == 1
    assert [answer["id"] for answer in answers(result)] == ["first", "last"]
    assert result.stderr.startswith("donut classify: line 3: ")
    assert reason in result.stderr


def test_a_line_separator_within_a_string_ends_no_line() -> None:
    result = run(json.dumps(said("one\u2028two"), ensure_ascii=False).encode())
    assert result.exit_code == 0
    assert len(answers(result)) == 1


def test_a_program_can_ask_line_by_line() -> None:
    """Each answer comes before the next request is sent: nothing waits in a buffer."""
    command = [sys.executable, "-m", "proxy", "classify", "--profile", "strong"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for identity in ("a", "b"):
            process.stdin.write(json.dumps(said("Hello", identity)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == identity
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_no_input_is_no_error() -> None:
    assert (run().exit_code, run().stdout) == (0, "")
