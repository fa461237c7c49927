"""A running CLIProxyAPI's management API, replayed at byte level (shapes: reference/cliproxyapi-behaviour.md)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.adapters import cliproxy
from providers.adapters._cliproxy_tally import CALLS_KEPT, Account, Call, Tally, read_accounts, read_usage
from providers.adapters.cliproxy import BANNED_S, Connection, Polled, PollError, poll, watch
from routing.ledger.sheet import sheets_of
from tests.test_adapter_files import ODD
from tests.upstreams import Handler, ReceivedRequest, ScriptedUpstream, answer, eventually, saying

NOW_S = 1795284000.0
SECRET = "management-secret"


DRIP: tuple[bytes | float, ...] = (b" ", 0.05) * 40


def item(**changes: Any) -> dict[str, Any]:
    """One queue item, every field set."""
    return {
        "timestamp": "2026-11-21T17:59:00.123456789Z",
        "latency_ms": 4000,
        "ttft_ms": 500,
        "source": "person@example.com",
        "auth_index": "3",
        "access_token_sha256": "ab" * 32,
        "client_ip": "10.0.0.9",
        "x_forwarded_for": "",
        "user_agent": "codex",
        "tokens": {
            "input_tokens": 1000,
            "output_tokens": 350,
            "reasoning_tokens": 100,
            "cached_tokens": 250,
            "cache_read_tokens": 250,
            "cache_read_tokens_present": True,
            "cache_creation_tokens": 0,
            "total_tokens": 1350,
        },
        "failed": False,
        "generate": True,
        "fail": {"status_code": 0, "body": "secret body"},
        "response_headers": {},
        "accounting_version": 2,
        "provider": "claude",
        "executor_type": "claude",
        "model": "claude-big-1-20260101",
        "alias": "claude-big-1",
        "endpoint": "/v1/messages",
        "auth_type": "oauth",
        "api_key": "sk-client-key",
        "request_id": "r1",
        "reasoning_effort": "",
        "service_tier": "",
    } | changes


def auth_file(**changes: Any) -> dict[str, Any]:
    return {
        "id": "claude-person@example.com.json",
        "auth_index": "3",
        "name": "claude-person@example.com.json",
        "type": "claude",
        "provider": "claude",
        "label": "person@example.com",
        "status": "active",
        "disabled": False,
        "unavailable": False,
        "email": "person@example.com",
        "next_retry_after": None,
    } | changes


def call(**changes: Any) -> Call:
    return Call("claude", "m", NOW_S - 60, True, 4.0, 0.5, 1000, 250, 350, "3")._replace(**changes)


def replay(usage: list[list[Any]], files: Any) -> Handler:
    """Answers `usage-queue` with one list after the other, then with empty ones."""
    waiting = list(usage)

    async def handle(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if request.header(b"authorization") != b"Bearer " + SECRET.encode():
            said = answer(b'{"error":"invalid management key"}', status=b"401 Unauthorized")
        elif b"/v0/management/usage-queue" in request.head:
            said = answer(orjson.dumps(waiting.pop(0) if waiting else []), headers=b"content-type: application/json\r\n")
        else:
            said = answer(orjson.dumps(files), headers=b"content-type: application/json\r\n")
        await saying(said)(request, writer)

    return handle


async def polled(handler: Handler, secret: str = SECRET) -> Polled:
    async with ScriptedUpstream(handler) as upstream, httpx.AsyncClient(timeout=5) as client:
        return await poll(client, Connection(f"http://127.0.0.1:{upstream.port}", secret))


def test_an_item_becomes_a_call_without_anything_personal() -> None:
    (found,), unreadable = read_usage([item()])
    assert found._replace(at_s=0) == Call("claude", "claude-big-1", 0, True, 4.0, 0.5, 1000, 250, 350, "3")
    assert found.at_s == pytest.approx(NOW_S - 59.876544, abs=1e-3)
    assert unreadable == 0
    assert not any(word in repr(found) for word in ("person", "10.0.0.9", "sk-client", "secret"))


@pytest.mark.parametrize(
    ("tokens", "prompt"),
    [
        ({"input_tokens": 1000, "cached_tokens": 250, "output_tokens": 50, "total_tokens": 1050}, 1000),
        ({"input_tokens": 100, "cache_read_tokens": 900, "cache_creation_tokens": 20, "output_tokens": 50, "total_tokens": 1070}, 1020),
        ({"input_tokens": 100, "cache_read_tokens": 900, "output_tokens": 50, "total_tokens": 150}, 0),
        ({"input_tokens": 100, "output_tokens": 50, "total_tokens": 0}, 0),
        ({}, 0),
    ],
)
def test_cached_tokens_are_among_the_input_or_beside_it_or_nobody_knows(tokens: dict[str, int], prompt: int) -> None:
    (found,), _ = read_usage([item(tokens=tokens)])
    assert found.prompt == prompt


def test_accounts_are_read_without_anything_personal() -> None:
    rows = [auth_file(), auth_file(auth_index="4", unavailable=True, next_retry_after="2026-11-21T19:00:00Z")]
    found = read_accounts({"files": rows})
    assert found == [Account("claude", "3", False, False, None), Account("claude", "4", False, True, NOW_S + 3600)]
    assert read_accounts(rows) == found
    assert "person" not in repr(found)
    assert read_accounts([auth_file(auth_index=7)])[0].credential == "7"


@given(st.lists(ODD | st.dictionaries(st.sampled_from(sorted(item())), ODD, max_size=6).map(lambda odd: item(**odd)), max_size=4))
def test_hostile_items_break_nothing(items: list[Any]) -> None:
    calls, unreadable = read_usage(items)
    assert len(calls) + unreadable == len(items)
    read_accounts(items)
    tally = Tally("cpa")
    tally.take(calls)
    sheets_of(tally.readings(NOW_S))


def test_what_was_heard_becomes_figures_of_the_entry() -> None:
    tally = Tally("cpa")
    tally.take([call(ttft_s=number / 100, is_ok=number != 30) for number in range(10, 40)])
    figures = {reading.metric: (reading.value, reading.samples, reading.refused) for reading in tally.readings(NOW_S)}
    assert {reading.subject for reading in tally.readings(NOW_S)} == {"cpa/m"}
    assert {metric: value for metric, (value, _, _) in figures.items()} == pytest.approx(
        {"success_rate": 29 / 30, "ttft_s": 0.24, "end_to_end_s": 4.0, "speed_tps": 350 / 3.76, "cache_hit_share": 0.25}
    )
    assert {samples for _, samples, _ in figures.values()} == {29, 30}
    assert {refused for _, _, refused in figures.values()} == {""}


def test_a_few_calls_are_shown_and_not_believed() -> None:
    tally = Tally("cpa")
    tally.take([call()] * 3)
    assert {reading.refused for reading in tally.readings(NOW_S)} == {"only 3 samples, 20 are needed"}


def test_what_is_older_than_a_day_is_forgotten() -> None:
    tally = Tally("cpa")
    tally.take([call(at_s=NOW_S - 25 * 3600)] * 30)
    assert tally.readings(NOW_S) == []


def test_memory_is_bounded() -> None:
    tally = Tally("cpa")
    tally.take([call()] * (CALLS_KEPT + 10))
    tally.take(call(model=f"m{number}", credential=str(number)) for number in range(2000))
    assert {reading.samples for reading in tally.readings(NOW_S) if reading.subject == "cpa/m"} == {CALLS_KEPT}
    assert len({reading.subject for reading in tally.readings(NOW_S)}) == 1024


def out(credential: str = "3", until_s: float | None = NOW_S + 600, **changes: Any) -> Account:
    return Account("claude", credential, False, True, until_s)._replace(**changes)


def test_a_model_whose_accounts_are_all_out_is_limited_until_the_first_is_back() -> None:
    tally = Tally("cpa")
    tally.take([call()])
    assert tally.limited([out(), out("4", NOW_S + 300)], NOW_S) == {"m": NOW_S + 300}
    assert tally.limited([out(until_s=None)], NOW_S) == {"m": None}
    assert tally.limited([out(), out("5", is_disabled=True, is_out=False)], NOW_S) == {"m": NOW_S + 600}


def test_only_what_is_certain_is_held_against_a_model() -> None:
    tally = Tally("cpa")
    tally.take([call()])
    assert tally.limited([out(), out("4", is_out=False)], NOW_S) == {}, "one account is left"
    assert tally.limited([out(until_s=NOW_S - 1)], NOW_S) == {}, "its time is over"
    assert tally.limited([], NOW_S) == {}, "no accounts are known"
    tally.take([call(credential="from-config")])
    assert tally.limited([out()], NOW_S) == {}, "a key in the config serves it, too"
    tally = Tally("cpa")
    tally.take([call(), call(provider="openrouter")])
    assert tally.limited([out()], NOW_S) == {}, "another provider serves it, too"


async def test_a_poll_empties_the_queue() -> None:
    full = [item()] * 500
    found = await polled(replay([full, [item(), None]], {"files": [auth_file()]}))
    assert (len(found.calls), found.unreadable, len(found.accounts)) == (501, 1, 1)


async def test_a_wrong_secret_is_found_out_before_anything_is_taken_and_not_repeated() -> None:
    handler = replay([[item()]], {"files": []})
    async with ScriptedUpstream(handler) as upstream, httpx.AsyncClient(timeout=5) as client:
        with pytest.raises(PollError, match="refuses the management secret") as caught:
            await poll(client, Connection(f"http://127.0.0.1:{upstream.port}", "wrong"))
        assert caught.value.wait_s == BANNED_S
        assert len(upstream.requests) == 1
        assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(b"404 page not found", status=b"404 Not Found"), "has no auth-files: is its management API switched on"),
        (answer(b"busy", status=b"503 Busy", headers=b"retry-after: 120\r\n"), "answers 503"),
        (answer(b"", status=b"302 Found", headers=b"location: http://169.254.169.254/\r\n"), "answers 302"),
        (answer(b"<html>"), "no JSON"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "RemoteProtocolError"),
        (b"nonsense\r\n\r\n", "RemoteProtocolError"),
    ],
)
async def test_answers_that_bring_nothing_are_said_in_words(said: bytes, words: str) -> None:
    with pytest.raises(PollError, match=words) as caught:
        await polled(saying(said, close=True))
    assert SECRET not in str(caught.value)


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cliproxy, "ASK_S", 0.2)
    drip: list[bytes | float] = [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n", *DRIP]
    with pytest.raises(PollError, match="TimeoutError"):
        await polled(saying(*drip))


async def test_a_huge_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cliproxy, "ANSWER_BYTES", 10_000)
    with pytest.raises(PollError, match="larger than"):
        await polled(saying(answer(b"[" + b" " * 100_000 + b"]")))


async def test_a_server_that_refuses_the_secret_is_left_alone() -> None:
    """Five refusals, and it bans the address for half an hour."""
    failed: list[PollError] = []

    async def take(polled: Polled) -> None:
        raise AssertionError(polled)

    async with ScriptedUpstream(replay([], {"files": []})) as upstream:
        connection = Connection(f"http://127.0.0.1:{upstream.port}", "wrong", interval_s=0.01)
        task = asyncio.create_task(watch(connection, take, failed.append, lambda: 0.5))
        await eventually(lambda: len(failed) == 1, within_s=5)
        await asyncio.sleep(0.2)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert (len(failed), len(upstream.requests)) == (1, 1)


async def test_it_is_asked_again_and_again_and_failures_are_told() -> None:
    taken: list[Polled] = []
    failed: list[PollError] = []

    async def every_other(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        said = answer(b"[]") if request.connection > 1 else answer(b"", status=b"500 Oops")
        await saying(said, close=True)(request, writer)

    async def take(polled: Polled) -> None:
        taken.append(polled)

    async with ScriptedUpstream(every_other) as upstream:
        connection = Connection(f"http://127.0.0.1:{upstream.port}", SECRET, interval_s=0.01)
        task = asyncio.create_task(watch(connection, take, failed.append, lambda: 0.5))
        await eventually(lambda: len(taken) >= 2, within_s=5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert [str(error) for error in failed] == [f"http://127.0.0.1:{upstream.port} answers 500"]
