"""`donut route`: a whole request in, the decision out, nothing sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.commands.route import COMMAND
from tests.serving import config_for
from tests.upstreams import ScriptedUpstream

CHAT: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
TWO = """
discovery: {local: false, environment: false}
providers:
  - {id: here, kind: ollama, base_url: 'http://127.0.0.1:1/v1', models: [{upstream: a, model: tiny}]}
  - id: there
    kind: openai
    base_url: 'http://127.0.0.1:2/v1'
    api_key: sk-canary-123456
    models: [{upstream: b, model: big, price: {input: 10, output: 20}}]
models: [{id: tiny, tier: small, context_window: 4000}, {id: big, tier: frontier, context_window: 400000}]
"""


def run(*arguments: str, body: object = CHAT, **environ: str) -> Result:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return CliRunner().invoke(COMMAND, [*arguments], input=text, env={"DONUT_CONFIG": None, "COLUMNS": "200", **environ})


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "donut.yaml"
    path.write_text(TWO + f"state: {{journal: 'sqlite:///{tmp_path}/j.db'}}\n")
    return str(path)


def routed(*arguments: str, body: object = CHAT) -> dict[str, Any]:
    result = run(*arguments, body=body)
    assert result.exit_code == 0, result.output
    record: dict[str, Any] = json.loads(result.stdout)
    return record


def test_the_decision_is_json_and_nothing_else(config: str) -> None:
    record = routed("--config", config, body={**CHAT, "model": "big"})
    assert (record["kind"], record["replica_id"], record["logical_model_id"]) == ("dispatch", "there/b", "big")
    assert record["candidates"][0]["factors"]
    assert record["dry_run"] is True
    assert record["estimated_cost_usd"] == pytest.approx(0.0102, rel=0.1)


def test_a_file_and_standard_input_are_the_same(config: str, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps(CHAT))
    assert routed("--config", config, str(tmp_path / "request.json"), body="") == routed("--config", config)


def test_headers_steer(config: str) -> None:
    assert routed("--config", config, "--header", "x-donut-tier: small")["replica_id"] == "here/a"
    assert routed("--config", config, "--header", "X-Donut-Tier:frontier")["replica_id"] == "there/b"
    assert routed("--config", config, "--header", "x-donut-tier: frontier", "--header", "x-donut-local: required")["replica_id"] == "here/a"


def test_h5_the_whole_conversation_counts(config: str) -> None:
    """Its last message fits the small model; the conversation does not."""
    last = {"role": "user", "content": "and now?"}
    long = [{"role": "user", "content": "x" * 30_000}, {"role": "assistant", "content": "y" * 30_000}, last]
    steer = ("--config", config, "--header", "x-donut-tier: small")
    short = routed(*steer, body={"model": "auto", "messages": [last]})
    whole = routed(*steer, body={"model": "auto", "messages": long})
    assert (short["replica_id"], whole["replica_id"]) == ("here/a", "there/b")
    assert [reject["reason"] for reject in whole["rejected_candidates"]] == ["context_too_small"]
    assert whole["demand"]["input_tokens"] > 10_000 > short["demand"]["input_tokens"]


def test_nothing_is_sent_and_nothing_written(tmp_path: Path) -> None:
    async def story() -> int:
        async with ScriptedUpstream() as upstream:
            path = tmp_path / "donut.yaml"
            path.write_text(config_for(upstream.port, more=f"state: {{journal: 'sqlite:///{tmp_path}/j.db'}}"))
            result = await asyncio.to_thread(run, "--config", str(path), body={**CHAT, "model": "test-model"})
            assert result.exit_code == 0
            return len(upstream.requests)

    assert asyncio.run(story()) == 0
    assert not (tmp_path / "j.db").exists()


def test_a_refusal_is_an_answer_with_exit_code_1(config: str) -> None:
    result = run("--config", config, "--header", "x-donut-exclude: here,there")
    record = json.loads(result.stdout)
    assert (result.exit_code, record["kind"], record["reason"]) == (1, "refusal", "excluded")
    assert record["estimated_cost_usd"] is None


def test_for_people(config: str) -> None:
    text = run("--config", config, "--table", body={**CHAT, "model": "big"}).stdout
    for words in ("would go", "there/b (big)", "Candidates", "because", "the client named it"):
        assert words in text
    refused = run("--config", config, "--table", "--header", "x-donut-exclude: here,there").stdout
    assert "refused    excluded" in refused
    assert "Rejected" in refused


@pytest.mark.parametrize(
    ("body", "arguments", "words"),
    [
        ("{", (), "not valid JSON"),
        ("[]", (), "JSON object"),
        ({"messages": []}, (), "model"),
        ({**CHAT, "model": "bigg"}, (), "Did you mean big?"),
        (CHAT, ("--header", "x-donut-tier"), "x-donut-tier: small"),
        (CHAT, ("--header", "x-donut-tier: huge"), "frontier"),
        (CHAT, ("--dialect", "morse"), "chat"),
        ({"model": "auto"}, ("--dialect", "embeddings"), "input"),
    ],
)
def test_what_is_wrong_is_said(config: str, body: object, arguments: tuple[str, ...], words: str) -> None:
    result = run("--config", config, *arguments, body=body)
    assert result.exit_code == 2
    assert words in result.stderr


def test_the_simulated_fleet_without_any_config(tmp_path: Path) -> None:
    record = json.loads(run("--demo", HOME=str(tmp_path), DONUT_DATA=str(tmp_path)).stdout)
    assert record["replica_id"].startswith("sim")


def test_no_key_is_printed(config: str) -> None:
    for style in ("--json", "--table"):
        assert "canary" not in run("--config", config, style).output


def test_help_is_a_page_to_act_on() -> None:
    output = run("--help").output
    for word in ("Examples", "Exit codes", "--json", "/api/routing/select"):
        assert word in output
