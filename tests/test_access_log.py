"""The line of an exchange: what it says of the decision, and in which clock's time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from proxy.access_log import fields, log_to
from tests.journal_samples import exchange, refused
from tests.serving import Donut, config_for
from tests.upstreams import ScriptedUpstream, answer, saying

CHAT: dict[str, Any] = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}]}


def test_a_line_says_what_the_request_was_taken_for() -> None:
    line = fields(exchange(decision={"demand": {"role": "continuation"}, "rejected_candidates": []}))
    assert (line["role"], line["tier"], line["use_case"]) == ("continuation", "mid", "code")


def test_what_is_unknown_is_left_out() -> None:
    line = fields(refused())
    assert {"role", "tier", "use_case", "replica", "usd"}.isdisjoint(line)


def test_refusals_of_gates_end_in_epoch_seconds() -> None:
    """The router's clock counts from the machine's start, and nobody who reads a journal knows when that was."""
    soon = {"id": "a", "reason": "ejected", "detail": "", "until": time.monotonic() + 30}
    never = {"id": "b", "reason": "not_local", "detail": "", "until": None}
    record = exchange(decision={"rejected_candidates": [soon, never]})
    log_to(lambda _: None)([record])
    assert record.decision is not None
    first, second = record.decision["rejected_candidates"]
    assert abs(first["until"] - time.time() - 30) < 5
    assert second["until"] is None


async def test_in_the_journal_too(tmp_path: Path) -> None:
    limited = answer(b'{"error":{"message":"slow down"}}', status=b"429 Too Many Requests", headers=b"retry-after: 30\r\n")
    async with ScriptedUpstream(saying(limited)) as upstream, Donut(config_for(upstream.port), tmp_path) as donut:
        for _ in range(2):
            got = await donut.client.post("/v1/chat/completions", json=CHAT)
        told = (await donut.client.get(f"/api/routing/decisions/{got.headers['x-donut-decision']}")).json()
        (reject,) = told["decision"]["rejected_candidates"]
        assert reject["reason"] == "rate_limited"
        assert 20 < reject["until"] - time.time() < 31
        assert donut.lines[-1]["status"] == "refused"
