"""An external router's opinion: both shapes of its answer, and never longer than the limit."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given

from providers.adapters.routellm import NoOpinionError, Opinion, Question, ask, is_healthy, read_opinion
from tests.test_adapter_files import ODD
from tests.upstreams import Handler, ScriptedUpstream, answer, saying

V2: dict[str, Any] = {
    "model": "gpt-5.6",
    "selected_model": "gpt-5.6",
    "strategy": "intelligent_quality",
    "provider": "codex",
    "objective": "quality",
    "reason": "difficulty 80",
    "estimated_prompt_cost_usd": 0.004,
    "router_version": "local-intelligent-v2",
}
DRIP: tuple[bytes | float, ...] = (b" ", 0.02) * 100
SHIM = {"model": "gpt-5.6-mini", "source": "deterministic_fallback", "complexity": 12, "routellm_available": False}


async def asked(handler: Handler, question: Question, limit_s: float = 2.0) -> tuple[Opinion, dict[str, Any]]:
    """The opinion, and what was asked."""
    async with ScriptedUpstream(handler) as upstream, httpx.AsyncClient() as client:
        opinion = await ask(client, f"http://127.0.0.1:{upstream.port}/route", question, limit_s)
        return opinion, orjson.loads(upstream.requests[0].body)


async def test_both_generations_are_understood() -> None:
    opinion, _ = await asked(saying(answer(orjson.dumps(V2))), Question("auto"))
    assert opinion == Opinion("gpt-5.6", "difficulty 80", "intelligent_quality", "quality", 0.004, "local-intelligent-v2")
    opinion, _ = await asked(saying(answer(orjson.dumps(SHIM))), Question("auto"))
    assert opinion == Opinion("gpt-5.6-mini", strategy="deterministic_fallback")


async def test_it_is_asked_by_difficulty_and_size_and_without_a_prompt() -> None:
    _, told = await asked(saying(answer(orjson.dumps(SHIM))), Question("auto", 0.805, 1200, "quality", "codex"))
    assert told == {
        "requested_model": "auto",
        "objective": "quality",
        "optimization_target": "quality",
        "prompt_difficulty_score": 80.5,
        "prompt_tokens_est": 1200,
        "provider": "codex",
    }
    _, told = await asked(saying(answer(orjson.dumps(SHIM))), Question("auto", prompt="hi"))
    assert (told["prompt"], told["description"]) == ("hi", "hi")


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (saying(answer(b"{}")), "names no model"),
        (saying(answer(b"[1]")), "names no model"),
        (saying(answer(b'{"model": "a\\nb"}')), "names no model"),
        (saying(answer(b"<html>")), "no JSON"),
        (saying(answer(b"", status=b"500 Oops")), "answers 500"),
        (saying(answer(b"", status=b"307 Away", headers=b"location: http://169.254.169.254/\r\n")), "answers 307"),
        (saying(answer(b" " * 300_000)), "too long"),
        (saying(b"HTTP/1.1 200 OK\r\n\r\n", *DRIP), "TimeoutError"),
        (saying(1.0), "Timeout"),
    ],
)
async def test_no_opinion_is_said_in_words_and_in_time(handler: Handler, words: str) -> None:
    with pytest.raises(NoOpinionError, match=words):
        await asked(handler, Question("auto"), limit_s=0.3)


async def test_nobody_there_is_no_opinion() -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(NoOpinionError, match="ConnectError"):
            await ask(client, "http://127.0.0.1:1/route", Question("auto"))


@given(ODD)
def test_any_answer_is_read_without_an_error(document: Any) -> None:
    opinion = read_opinion(document)
    assert opinion is None or opinion.model
    is_healthy(document)


def test_health_in_both_generations() -> None:
    assert is_healthy({"ok": True, "profile": "fast"})
    assert is_healthy({"status": "ok"})
    assert not is_healthy({"ok": "yes", "status": "degraded"})
