"""What a whole donut does with the refusals that are neither the request's fault alone nor a passing trouble: the three kinds of
`test_errors_table.py` that no other test serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.serving import Donut, config_for
from tests.streams import CLEAN, RawClient, ask, playing
from tests.upstreams import ScriptedUpstream, answer, saying


def refusal(status: bytes, message: str, code: str | None = None) -> bytes:
    body = json.dumps({"error": {"message": message, "type": "x", "param": None, "code": code}}).encode()
    return answer(body, status=status, headers=b"content-type: application/json\r\n")


TOO_LARGE = refusal(b"429 Too Many", "Request too large for gpt-6 on tokens per min (TPM): Limit 30000", "rate_limit_exceeded")
SPENT = refusal(b"429 Too Many", "You exceeded your current quota", "insufficient_quota")
POLICY = refusal(b"403 Forbidden", "flagged", "content_policy_violation")


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_refused_for_its_content_is_not_shopped_around(stream: bool, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(POLICY)) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(stream=stream))
        assert (got.status, got.json()["error"]["message"]) == (403, "flagged"), "in the upstream's own words"
        assert two.requests == []
        (row,) = await donut.wait_for_rows(1)
        assert row["error_code"] == "content_policy_violation"


@pytest.mark.parametrize("said", [TOO_LARGE, SPENT], ids=["too large", "spent"])
async def test_another_account_answers(said: bytes, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(said)) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask())).body == CLEAN


async def test_too_large_for_everybody_is_no_429_because_a_client_would_send_it_again(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(TOO_LARGE)) as upstream,
        Donut(config_for(upstream.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask())
        assert (got.status, got.json()["error"]["code"]) == (413, "payload_too_large")
        assert "tokens per min" in got.json()["error"]["message"]
        assert "retry-after" not in got.headers


async def test_an_account_without_money_is_left_alone_from_the_first_refusal(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(SPENT)) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        for _ in range(3):
            assert (await client.ask(ask())).body == CLEAN
        assert len(one.requests) == 1
