"""Signs of life through a whole donut: between events only, never a byte of the answer lost, and in time for those who would give up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy import keepalive
from proxy.keepalive import COMMENT, patience_of
from tests.serving import Donut, config_for
from tests.streams import CLEAN, DONE, HELLO, ROLE, STOP, Framing, RawClient, ask, events, payloads, playing
from tests.upstreams import ScriptedUpstream, answer, saying

OFTEN = "routing: {keepalive: {seconds: 0.05}}"
QWEN = {"user-agent": "QwenCode/0.19.1 (linux; x64)"}
SIGN = keepalive._EVENTS["chat"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A sweep every 10 ms, and no harness waits longer than a second for the head of an answer."""
    monkeypatch.setattr(keepalive, "SWEEP_S", 0.01)
    monkeypatch.setattr(keepalive, "MARGIN_S", 1e6)
    patience_of.cache_clear()
    yield
    patience_of.cache_clear()


def paced(*pieces: bytes | float) -> tuple[bytes | float, ...]:
    framed = [piece if isinstance(piece, float) else Framing.CHUNKED.piece(piece) for piece in pieces]
    return (Framing.CHUNKED.head(0), *framed, Framing.CHUNKED.ending)


async def test_a_quiet_stream_has_signs_between_its_events_and_every_byte_of_the_answer(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(*paced(ROLE + HELLO, 0.3, HELLO, 0.3, STOP + DONE))) as upstream,
        Donut(config_for(upstream.port, more=OFTEN), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = (await client.ask(ask())).body
    assert got.count(COMMENT) >= 4
    assert got.replace(COMMENT, b"") == ROLE + HELLO + HELLO + STOP + DONE
    assert got.endswith(STOP + DONE)


@pytest.mark.parametrize("cut", [1, 9, len(HELLO) - 1])
async def test_nothing_goes_into_the_middle_of_an_event(cut: int, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(*paced(ROLE + HELLO + HELLO[:cut], 0.3, HELLO[cut:] + STOP + DONE))) as upstream,
        Donut(config_for(upstream.port, more=OFTEN), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = (await client.ask(ask())).body
    assert [event for event in events(got) if event != COMMENT] == [ROLE, HELLO, HELLO, STOP, DONE]


async def test_switched_off_nothing_is_added(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(*paced(ROLE + HELLO, 0.3, STOP + DONE))) as upstream,
        Donut(config_for(upstream.port, more="routing: {keepalive: {seconds: 0}}"), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        assert (await client.ask(ask())).body == ROLE + HELLO + STOP + DONE


# Before anybody has answered


async def test_a_harness_with_little_patience_gets_a_head_in_time_and_then_the_answer(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(1.6, *paced(CLEAN))) as upstream,
        Donut(config_for(upstream.port, more=OFTEN), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(), headers=QWEN)
        assert got.status == 200
        assert got.body.startswith(SIGN * 2)
        assert got.body.replace(SIGN, b"") == CLEAN
        row = (await donut.wait_for_rows(1))[0]
        assert (row["status"], row["http_status"]) == ("ok", 200)


async def test_behind_that_head_another_replica_may_still_answer(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(1.4, answer(b"{}", status=b"500 Oops"))) as one,
        ScriptedUpstream(playing(CLEAN)) as two,
        Donut(config_for(one.port, two.port, more=OFTEN), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(), headers=QWEN)
        assert got.body.replace(SIGN, b"") == CLEAN
        assert (await donut.wait_for_rows(1))[0]["replica_id"] == "p1/up-model"


@pytest.mark.parametrize(
    "said",
    [
        answer(b'{"error": {"message": "no"}}', status=b"500 Oops"),
        answer(b'{"error": {"message": "bad"}}', status=b"400 Bad"),
        answer(b"{}"),
    ],
    ids=["failure", "the request's fault", "one piece"],
)
async def test_a_failure_behind_that_head_is_one_event(said: bytes, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(1.4, said)) as upstream,
        Donut(config_for(upstream.port, more=OFTEN), tmp_path) as donut,
        RawClient(donut.port) as client,
    ):
        got = await client.ask(ask(), headers=QWEN)
        assert got.status == 200
        error, done = payloads(got.body.replace(SIGN, b""))
        assert error["error"]["message"]
        assert done == "[DONE]"
        assert (await donut.wait_for_rows(1))[0]["status"] == "upstream_error"
        assert (donut.in_flight, donut.open_reservations) == (0, 0)


async def test_one_that_leaves_then_leaves_nothing_behind(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(saying(30.0)) as upstream,
        Donut(config_for(upstream.port, more=OFTEN), tmp_path) as donut,
    ):
        async with RawClient(donut.port) as client:
            client.send(ask(), headers=QWEN)
            assert (await client.read_head()).status == 200
        assert (await donut.wait_for_rows(1))[0]["status"] == "client_gone"
        assert (donut.in_flight, donut.open_reservations) == (0, 0)
