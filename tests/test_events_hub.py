"""The hub between exchanges and listeners: who gets which event, what is kept for whom, and who is sent away."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from proxy import events
from proxy.events import EventHub, Listener, TooManyListenersError
from proxy.journal.records import ExchangeRecord, Status
from tests.journal_samples import DECISION, attempt, exchange

RECORD = {
    "ids": ["box/up", "cloud/up"],
    "scores": [0.9, 0.4],
    "factors": {"local": [1.0, 0.0]},
    "weights": {"local": 2.0},
    "target": DECISION["target"],
    "rejected_candidates": DECISION["rejected_candidates"],
    "replica_id": "box/up",
    "logical_model_id": "qwen3-coder-30b",
}


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def begun(number: int = 1) -> ExchangeRecord:
    """An exchange whose first attempt is under way."""
    return exchange(number, decision=None, attempts=[attempt(total_s=0.0, usage=None, ttft_s=None)])


def ended(number: int = 1, **more: Any) -> ExchangeRecord:
    return exchange(number, decision=RECORD, **more)


async def frames(listener: Listener) -> list[dict[str, Any]]:
    """What waits for it, parsed; `{}` for a comment."""
    piece = await listener.next(0.01)
    return [_parsed(block) for block in (piece or b"").decode().split("\n\n") if block]


def _parsed(block: str) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
    return {**fields, "data": json.loads(fields["data"])} if fields else {}


def recording(hub: EventHub) -> bool:
    """A call, so that mypy does not take it for a constant."""
    return hub.is_recording


def names(found: list[dict[str, Any]]) -> list[str]:
    return [frame["event"] for frame in found]


async def test_an_attempt_is_announced_when_it_begins_and_told_once() -> None:
    hub = EventHub(Clock(), {"box/up": "m"}.get)
    listener = hub.listen()
    hub.attempt_began(begun())
    (early,) = await frames(listener)
    assert early["event"] == "PreModelCall"
    assert (early["data"]["id"], early["data"]["request_id"]) == ("d000001", "r000001")
    assert (early["data"]["logical_model_id"], early["data"]["replica_id"]) == ("m", "box/up")
    hub.finished([ended()])
    late = await frames(listener)
    assert names(late) == ["PostModelCall", "ModelSelectionDiagnostics"]
    assert late[1]["data"]["candidate_count"] == 3
    assert late[0]["id"].partition("-")[0] == early["id"].partition("-")[0]


async def test_a_failover_is_told_while_it_happens() -> None:
    hub = EventHub(Clock())
    listener = hub.listen()
    record = begun()
    hub.attempt_began(record)
    record.attempts[0] = replace(record.attempts[0], status=Status.UPSTREAM_ERROR, failure_kind="connect", failure_message="refused")
    record.attempts.append(attempt(2, replica_id="cloud/up", usage=None))
    hub.attempt_began(record)
    assert names(await frames(listener)) == ["PreModelCall", "ModelCallFailed", "ModelReplicaSwitched", "PreModelCall"]


async def test_who_comes_late_hears_what_comes_later() -> None:
    hub = EventHub(Clock())
    assert not recording(hub)
    hub.finished([ended(1)])
    listener = hub.listen()
    assert recording(hub)
    hub.finished([ended(2)])
    assert {frame["data"]["id"] for frame in await frames(listener)} == {"d000002"}


async def test_a_silence_is_a_comment() -> None:
    listener = EventHub(Clock()).listen()
    assert await listener.next(0.001) == b": still here\n\n"


async def test_last_event_id_brings_what_was_missed() -> None:
    hub = EventHub(Clock())
    first = hub.listen()
    hub.finished([ended(1)])
    seen = (await frames(first))[0]["id"]
    first.close()
    hub.finished([ended(2)])
    again = await frames(hub.listen(seen))
    assert names(again) == ["PostModelCall", "ModelSelectionDiagnostics", "PreModelCall", "PostModelCall", "ModelSelectionDiagnostics"]
    assert again[0]["data"]["id"] == "d000001"


@pytest.mark.parametrize("last", ["0000-5", "nonsense", "-", "\x00" * 200])
async def test_ids_of_another_process_are_a_gap_that_is_told(last: str) -> None:
    hub = EventHub(Clock())
    hub.listen()
    hub.finished([ended(1)])
    found = await frames(hub.listen(last))
    assert names(found) == ["EventsMissed", "PreModelCall", "PostModelCall", "ModelSelectionDiagnostics"]
    assert found[0]["data"]["because"] == "donut was restarted"
    assert "id" not in found[0]


async def test_what_is_no_longer_kept_is_a_gap_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEPT_EVENTS", 4)
    hub = EventHub(Clock())
    listener = hub.listen()
    hub.finished([ended(1), ended(2)])
    ids = [frame["id"] for frame in await frames(listener)]
    assert names(await frames(hub.listen(ids[0])))[0] == "EventsMissed"
    assert len(await frames(hub.listen(ids[1]))) == 4
    assert await frames(hub.listen(ids[5])) == [{}]


async def test_recording_ends_a_while_after_the_last_listener() -> None:
    clock = Clock()
    hub = EventHub(clock)
    first, second = hub.listen(), hub.listen()
    hub.finished([ended(1)])
    seen = (await frames(first))[0]["id"]
    first.close()
    clock.now_s += events.RESUME_S + 1
    hub.finished([ended(2)])
    assert recording(hub)
    second.close()
    second.close()
    hub.finished([ended(3)])
    assert recording(hub)
    clock.now_s += events.RESUME_S
    hub.finished([ended(4)])
    assert not recording(hub)
    assert names(await frames(hub.listen(seen))) == ["EventsMissed"]


async def test_who_reads_too_slowly_is_told_so_and_slows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "WAITING_EVENTS", 5)
    hub = EventHub(Clock())
    slow, quick = hub.listen(), hub.listen()
    for number in range(4):
        hub.finished([ended(number)])
        assert len(await frames(quick)) == 3
    found = await frames(slow)
    assert names(found)[-1] == "EventStreamEnded"
    assert len(found) == 6
    assert "too slowly" in found[-1]["data"]["because"]
    assert await slow.next(1) is None


async def test_the_end_of_the_server_is_the_last_event() -> None:
    hub = EventHub(Clock())
    listener = hub.listen()
    hub.finished([ended(1)])
    listener.end("donut is shutting down")
    listener.end("for another reason")
    assert names(await frames(listener))[-1] == "EventStreamEnded"
    assert await listener.next(1) is None


async def test_pieces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PIECE_BYTES", 500)
    hub = EventHub(Clock())
    listener = hub.listen()
    hub.finished([ended(number) for number in range(10)])
    found = [await frames(listener) for _ in range(30)]
    assert sum(map(len, found[:-1])) >= 30
    assert max(map(len, found)) <= 4


async def test_listeners_are_bounded() -> None:
    hub = EventHub(Clock())
    for _ in range(events.LISTENERS_MAX):
        last = hub.listen()
    with pytest.raises(TooManyListenersError):
        hub.listen()
    last.close()
    hub.listen()


def test_a_log_makes_it_record_without_a_listener() -> None:
    said: list[dict[str, Any]] = []
    hub = EventHub(Clock())
    hub.log_to(said.append)
    hub.finished([ended(1)])
    assert [line["event"] for line in said] == ["PreModelCall", "PostModelCall", "ModelSelectionDiagnostics"]
    assert recording(hub)
