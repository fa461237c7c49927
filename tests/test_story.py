"""An exchange told whole: what the journal gives back, what it used, what happened."""

from __future__ import annotations

from pathlib import Path

from proxy.journal.sqlite import SqliteStore
from proxy.story import as_journaled, whole
from routing.types import Usage
from tests.journal_samples import attempt, exchange, in_rows, refused


async def test_a_record_has_the_shape_that_the_journal_gives_back(tmp_path: Path) -> None:
    records = [exchange(1), exchange(2, attempts=[attempt(usage=Usage(3, output=4, reported=False)), attempt(2)]), refused(3)]
    store = SqliteStore(tmp_path / "j.db")
    await store.open()
    try:
        await store.write(in_rows(records))
        for record in records:
            assert await store.exchange(record.id) == as_journaled(record)
    finally:
        await store.close()


def test_reported_and_estimated_tokens_are_summed_apart() -> None:
    guessed = attempt(usage=Usage(input_uncached=7, output=3, reported=False), cost_usd=None)
    usage = whole(as_journaled(exchange(attempts=[guessed, attempt(2), attempt(3)])))["usage"]
    assert usage["reported"] == {"input_uncached": 140, "cache_read": 40, "cache_write": 20, "output": 80, "reasoning": 10}
    assert usage["estimated"]["input_uncached"] == 7
    assert (usage["cost_usd"], usage["unpriced_attempts"]) == (0.0246, 1)


def test_what_is_unknown_is_not_zero() -> None:
    told = whole(as_journaled(exchange(attempts=[attempt(usage=None, cost_usd=None)])))
    assert told["usage"] == {"reported": None, "estimated": None, "cost_usd": None, "unpriced_attempts": 0}
    assert whole(as_journaled(refused()))["usage"]["cost_usd"] is None


def test_the_events_are_in_it() -> None:
    told = whole(as_journaled(exchange(1)))
    assert [event["event"] for event in told["events"]] == ["PreModelCall", "PostModelCall", "ModelSelectionDiagnostics"]
    assert whole(as_journaled(refused()))["events"] == []
