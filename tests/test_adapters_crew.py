"""The crew: a worker that breaks takes nobody along, an edited section loses nothing, stopping is always safe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from config.adapter_settings import AdapterSettings
from config.adapting import Host, Learned, Worker, Workers
from config.adapting._alone import alone
from config.adapting._crew import Crew
from config.adapting._learning import Names, resolved
from providers.adapters.routellm import NoOpinionError, Question
from proxy.gateway import Gateway
from proxy.journal.port import JournalStore
from proxy.journal.records import ExchangeRecord
from routing.ledger.names import Match
from routing.ledger.readings import Reading
from tests.journal_samples import exchange
from tests.upstreams import eventually

SOME = AdapterSettings.model_validate({"thegent": {}})
OTHER = AdapterSettings.model_validate({"thegent": {"folder": "/elsewhere"}})


class Collects(Worker):
    """Keeps what it is given; hands over slowly when it is stopped."""

    made: list[Collects] = []  # noqa: RUF012 - emptied by each test

    def __init__(self) -> None:
        super().__init__("collects")
        self.got: list[str] = []
        self.is_done = False
        self.made.append(self)

    def finished(self, records: Sequence[ExchangeRecord]) -> None:
        self.got += [record.id for record in records]

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            self.is_done = True


class Breaks(Worker):
    async def run(self) -> None:
        raise KeyError("a bug")


def crew_of(folder: Path, *kinds: Workers) -> Crew:
    async def learn(learned: Learned) -> None:
        raise AssertionError(learned)

    Collects.made.clear()
    host = Host(cast(Gateway, None), cast(JournalStore, None), learn, folder)
    return Crew(SOME, host, lambda: kinds)


def one(worker: type[Worker], *arguments: Any) -> Workers:
    return Workers(lambda settings, host: [worker(*arguments)])


async def test_a_worker_that_breaks_is_shown_and_takes_nobody_along(tmp_path: Path) -> None:
    crew = crew_of(tmp_path, one(Breaks, "breaks"), one(Collects))
    crew.start()
    await eventually(lambda: crew.status()[0]["problem"] is not None)
    crew.finished([exchange(1)])
    assert [row["problem"] for row in crew.status()] == ["it stopped working: KeyError", None]
    assert Collects.made[0].got == ["d000001"]
    await crew.stop()
    await crew.stop()
    assert Collects.made[0].is_done


async def test_what_finishes_while_a_section_changes_is_the_new_workers(tmp_path: Path) -> None:
    crew = crew_of(tmp_path, one(Collects))
    crew.start()
    await asyncio.sleep(0)
    crew.finished([exchange(1)])
    await crew.take_over(SOME)
    assert len(Collects.made) == 1, "nothing has changed"
    change = asyncio.create_task(crew.take_over(OTHER))
    await asyncio.sleep(0.01)
    crew.finished([exchange(2)])
    await change
    old, new = Collects.made
    assert (old.got, new.got, old.is_done) == (["d000001"], ["d000002"], True)
    await crew.take_over(AdapterSettings())
    assert (crew.status(), new.is_done) == ([], True)


async def test_a_crew_that_never_started_stops_and_has_no_opinion(tmp_path: Path) -> None:
    crew = crew_of(tmp_path, one(Collects))
    await crew.take_over(OTHER)
    await crew.stop()
    assert not any(worker.is_done for worker in Collects.made)
    with pytest.raises(NoOpinionError, match=r"adapters\.routellm"):
        await crew.opinion(Question("auto"))


async def test_one_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    async def second() -> None:
        async with alone(tmp_path / "sub" / "a.lock"):
            order.append("second")

    async with alone(tmp_path / "sub" / "a.lock"):
        waits = asyncio.create_task(second())
        async with alone(tmp_path / "sub" / "b.lock"):
            await asyncio.sleep(0.05)
        order.append("first")
    await asyncio.wait_for(waits, 5)
    assert order == ["first", "second"]


def test_names_are_the_ledgers_and_a_harness_stays_in_front() -> None:
    matches = {"GPT-5.6 (high)": Match("gpt-5.6", 0.97, "spelling"), "gpt": Match(None, 0.3, "")}
    names = Names({"gpt-5.6"}, lambda name: matches.get(name, Match(None, 0.0, "")))
    written = ["gpt-5.6", "GPT-5.6 (high)", "codex|GPT-5.6 (high)", "gpt", "cpa/gpt-5.6"]
    found = resolved([Reading(name, "ttft_s", 1.0, "helios") for name in written], names)
    assert [reading.subject for reading in found] == ["gpt-5.6", "gpt-5.6", "codex|gpt-5.6", "gpt", "cpa/gpt-5.6"]
