"""A refresh against a far end on a real socket: first as it should be, then with every fault. The ledger never gets worse by it."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from config.catalog import load_catalog, shipped_book
from config.ledger.library import Given, Library, open_library
from config.ledger.names import name_index
from config.ledger.refreshing import Asking, Outcome, refresh
from config.ledger.schedule import Schedule
from config.ledger.snapshot import load_snapshot
from config.ledger.store import claimed, read_all
from config.ledger.subjects import KnownSubjects
from config.ledger_settings import SourceSettings
from providers.feeds import Feed, FeedError, arena, artificial_analysis, epoch, litellm, openrouter
from providers.feeds import _poll as poll
from providers.feeds._poll import Asked, Errand, ask
from routing.ledger.readings import PRIORITY
from tests.feed_server import FeedServer, Reply, Request

SNAPSHOT = load_snapshot()
SUBJECTS = KnownSubjects(SNAPSHOT.entries, name_index(SNAPSHOT.entries, load_catalog().aliases, load_catalog().models).match)
KEY = "sk-secret-of-a-feed-1"
ENTRIES = [entry for entry in SNAPSHOT.entries.values() if entry.provider == "openrouter" and shipped_book().price(entry.key)][:40]
DAY = 1_795_000_000.0  # 2026-11-18


def model_row(upstream: str, prompt: object, completion: object = "0.00001", **more: Any) -> dict[str, Any]:
    return {"id": upstream, "pricing": {"prompt": prompt, "completion": completion}, **more}


def honest() -> dict[str, Any]:
    """OpenRouter's list with the prices that everybody knows, ten percent dearer."""
    rows = []
    for entry in ENTRIES:
        price = shipped_book().price(entry.key)
        assert price is not None
        rows.append(model_row(entry.upstream, f"{(price.input or 0) * 1.1e-6:.12f}", f"{(price.output or 0) * 1.1e-6:.12f}"))
    return {"data": rows}


@pytest.fixture
async def far() -> AsyncIterator[FeedServer]:
    async with FeedServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "BACKOFF_S", 0.001)


class Desk:
    """One machine's ledger folder, and a far end."""

    def __init__(self, folder: Path, far: FeedServer) -> None:
        self.folder, self.far = folder, far

    async def refresh(self, feed: Feed, key: str | None = None, **settings: Any) -> Outcome:
        secret = SecretStr(key) if key else None
        said = {feed.name: SourceSettings(url=self.far.url, api_key=secret, **settings)}
        asking = Asking(said, self.folder, {}, SUBJECTS, {feed.name: feed}, wall=lambda: DAY)
        async with httpx.AsyncClient(trust_env=False) as client:
            return await refresh(asking, replace(feed, pause_s=0.0), client)

    def library(self) -> Library:
        library, problems = open_library({}, PRIORITY, self.folder)
        assert problems == []
        return library

    def price(self, upstream: str) -> float | None:
        return self.library().book.value(f"openrouter/{upstream}", "price_input")


@pytest.fixture
def desk(tmp_path: Path, far: FeedServer) -> Desk:
    return Desk(tmp_path / "ledger", far)


async def test_an_honest_answer_is_believed_before_what_was_shipped(desk: Desk) -> None:
    desk.far.say(openrouter.MODELS, honest())
    outcome = await desk.refresh(openrouter.FEED)
    assert (outcome.failed, outcome.figures, list(outcome.warnings)) == (False, 2 * len(ENTRIES), [])
    upstream = ENTRIES[0].upstream
    figure = desk.library().book.figure(f"openrouter/{upstream}", "price_input")
    shipped = shipped_book().value(f"openrouter/{upstream}", "price_input")
    assert shipped is not None
    assert figure.value == pytest.approx(1.1 * shipped)
    assert [(each.reading.source, each.won) for each in figure.candidates[:2]] == [("openrouter", True), ("shipped", False)]


async def test_nothing_new_costs_one_conditional_request(desk: Desk) -> None:
    body = b"Model,Display name,eci\ngpt-6-astra,GPT-6 Astra,170.5\n"

    def answerer(request: Request) -> Reply:
        return Reply(status=304) if request.headers.get("if-none-match") == '"v1"' else Reply(body, headers={"etag": '"v1"'})

    desk.far.do(epoch.SCORES, answerer)
    assert (await desk.refresh(epoch.FEED)).words == "1 figures"
    again = await desk.refresh(epoch.FEED)
    assert (again.words, again.failed, len(desk.far.requests)) == ("nothing new", False, 2)
    assert desk.library().book.figure("gpt-6-astra", "epoch_capabilities_index").candidates[-1].reading.value == 170.5


async def test_the_pages_of_an_answer_are_followed_and_an_older_generation_is_asked_where_the_new_one_is_gone(desk: Desk) -> None:
    def page(number: int, slug: str, more: bool) -> dict[str, Any]:
        row = {"slug": slug, "evaluations": {"artificial_analysis_intelligence_index": 50 + number}}
        return {"intelligence_index_version": 4.3, "pagination": {"page": number, "has_more": more}, "data": [row]}

    base = artificial_analysis.FREE
    desk.far.say(f"{base}?page=1", page(1, "claude-opus-5", True))
    desk.far.say(f"{base}?page=2", page(2, "gpt-6-astra", False))
    assert (await desk.refresh(artificial_analysis.FEED, KEY)).figures == 2
    assert [request.headers["x-api-key"] for request in desk.far.requests] == [KEY, KEY]
    desk.far.table.clear()
    old = {"data": [{"slug": "gpt-5.4", "evaluations": {"gpqa": 0.8}}]}
    desk.far.say(artificial_analysis.OLD, old)
    assert (await desk.refresh(artificial_analysis.FEED, KEY)).figures == 1


async def test_with_a_key_openrouter_is_asked_for_more_and_a_host_list_that_fails_costs_nothing(desk: Desk) -> None:
    asked = openrouter.paths(SUBJECTS, True)
    assert len(asked) == 2 + openrouter.ENDPOINTS_ASKED
    desk.far.say(openrouter.MODELS, honest())
    desk.far.say(
        openrouter.BENCHMARKS, {"data": [{"model_permaslug": "openai/gpt-6-astra", "intelligence_index": 70}], "meta": {"version": "4.3"}}
    )
    host = {"status": 0, "throughput_last_30m": {"p50": 77.0}, "latency_last_30m": {"p50": 0.4}}
    upstream = asked[2].removeprefix(f"{openrouter.MODELS}/").removesuffix(openrouter.ENDPOINTS)
    desk.far.say(asked[2], {"data": {"id": upstream, "endpoints": [host]}})
    outcome = await desk.refresh(openrouter.FEED, KEY)
    assert not outcome.failed
    assert len(desk.far.requests) == len(asked)
    assert {request.headers["authorization"] for request in desk.far.requests} == {f"Bearer {KEY}"}
    book = desk.library().book
    assert book.value(f"openrouter/{upstream}", "speed_tps") == 77.0
    assert book.figure("gpt-6-astra", "intelligence_index").value == 70


async def test_a_feed_without_its_key_is_left_out(desk: Desk) -> None:
    outcome = await desk.refresh(artificial_analysis.FEED)
    assert (outcome.skipped, outcome.failed, desk.far.requests) == (True, False, [])
    assert "AA_API_KEY" in outcome.words


async def test_boards_are_followed_from_the_pointer(desk: Desk) -> None:
    desk.far.say(arena.LATEST, {"date": "2026-11-19", "leaderboards": ["text"]})
    board = {"meta": {"last_updated": "2026-11-19"}, "models": [{"model": "claude-opus-5-high", "score": 1500, "votes": 900}]}
    desk.far.say(arena.LATEST.replace("latest.json", "2026-11-19/text.json"), board)
    assert (await desk.refresh(arena.FEED)).figures == 1


# Faults. Each is sent after an honest answer, and nothing may have changed afterwards.

HUGE = 17 * 1024 * 1024
WHOLE = orjson.dumps(honest())
FAULTS: dict[str, Reply | Callable[[Request], Reply]] = {
    "nothing at all": Reply(raw=b""),
    "garbage": Reply(raw=b"\x00\x01\x02 not http\r\n\r\n"),
    "server error": Reply(b"{}", 500),
    "forbidden": Reply(b'{"error":"no"}', 403),
    "gone": Reply(b"{}", 404),
    "too many requests, for an hour": Reply(b"{}", 429, {"retry-after": "3600"}),
    "too many requests": Reply(b"{}", 429, {"retry-after": "0"}),
    "moved elsewhere": Reply(b"", 302, {"location": "http://169.254.169.254/latest/meta-data"}),
    "empty": Reply(b""),
    "truncated JSON": Reply(WHOLE[: len(WHOLE) // 2]),
    "truncated stream": Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n" + WHOLE[:500]),
    "an error in 200": Reply(b'{"error":{"message":"quota"}}'),
    "a login page": Reply(b"<html><form>log in</form></html>"),
    "a list": Reply(b"[1,2,3]"),
    "wrong types": Reply(
        orjson.dumps({"data": [{"id": 7, "pricing": []}, 3, None, {"id": ENTRIES[0].upstream, "pricing": {"prompt": {"a": 1}}}]})
    ),
    "no rows": Reply(b'{"data":[]}'),
    "a tenth of the rows": Reply(orjson.dumps({"data": honest()["data"][:4]})),
    "huge": Reply(b'{"data":[' + b" " * HUGE + b"]}"),
    "a bomb": Reply(gzip.compress(b" " * (200 * 1024 * 1024)), headers={"content-encoding": "gzip"}),
    "not gzip": Reply(b"{}", headers={"content-encoding": "gzip"}),
    "deep": Reply(b"[" * 100_000),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_leaves_everything_as_it_was(desk: Desk, fault: str) -> None:
    desk.far.say(openrouter.MODELS, honest())
    await desk.refresh(openrouter.FEED)
    before = (desk.folder / "openrouter.json").read_bytes()
    desk.far.do(openrouter.MODELS, FAULTS[fault])
    outcome = await desk.refresh(openrouter.FEED)
    assert outcome.failed
    assert "kept what it said on 2026-11-18" in outcome.words
    assert (desk.folder / "openrouter.json").read_bytes() == before
    assert [path.name for path in desk.folder.iterdir()] == ["openrouter.json"]


@pytest.mark.parametrize("fault", ["server error", "truncated JSON", "no rows"])
async def test_a_fault_at_the_first_time_leaves_what_was_shipped(desk: Desk, fault: str) -> None:
    desk.far.do(openrouter.MODELS, FAULTS[fault])
    assert (await desk.refresh(openrouter.FEED)).failed
    upstream = ENTRIES[0].upstream
    assert desk.price(upstream) == shipped_book().value(f"openrouter/{upstream}", "price_input")


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("-5", "outside"),
        ("NaN", "outside"),
        ("1e400", "outside"),
        ("9", "outside"),
        ("THOUSAND", "times the"),
        ("THOUSANDTH", "1/1,000 of"),
        ("0", "free"),
    ],
)
async def test_an_absurd_price_is_quarantined_and_the_last_good_one_stays(desk: Desk, prompt: str, why: str) -> None:
    desk.far.say(openrouter.MODELS, honest())
    await desk.refresh(openrouter.FEED)
    upstream = ENTRIES[0].upstream
    good = desk.price(upstream)
    assert good is not None
    wrong = {"THOUSAND": f"{good * 1e-3:.12f}", "THOUSANDTH": f"{good * 1e-9:.15f}"}.get(prompt, prompt)
    rows = honest()["data"]
    rows[0]["pricing"]["prompt"] = wrong
    desk.far.say(openrouter.MODELS, {"data": rows})
    outcome = await desk.refresh(openrouter.FEED)
    assert not outcome.failed
    assert any(upstream in line and "price_input" in line and why in line for line in outcome.warnings), outcome.warnings
    assert desk.price(upstream) == good
    candidates = desk.library().book.figure(f"openrouter/{upstream}", "price_input").candidates
    assert any(each.why.startswith("quarantined") and not each.won for each in candidates)
    # It stays quarantined however often it is said: what was put aside is no measure for the next one.
    await desk.refresh(openrouter.FEED)
    assert desk.price(upstream) == good


async def test_a_new_offer_is_an_entry_and_its_price_is_held_against_those_of_its_model(desk: Desk) -> None:
    rows = honest()["data"]
    rows += [model_row("anthropic/claude-opus-5-turbo-2026-12-01", "0.000006"), model_row("new-vendor/new-model-1", "0.000001")]
    rows += [model_row("anthropic/claude-opus-5:nitro", "0.006"), model_row("evil|name", "0.000001"), model_row("x" * 300, "0.000001")]
    desk.far.say(openrouter.MODELS, {"data": rows})
    outcome = await desk.refresh(openrouter.FEED)
    assert any("claude-opus-5:nitro" in line and "times" in line for line in outcome.warnings), outcome.warnings
    library = desk.library()
    new = library.entries["openrouter/new-vendor/new-model-1"]
    assert (new.model, new.is_primary, new.billing) == ("new-model-1", True, "metered")
    cost = library.resolver.get_cost("new-model-1")
    assert cost is not None
    assert cost.price.input == 1.0
    assert library.resolver.resolve_for_backend("openrouter", "New Model 1").entry == new
    assert len(library.entries) == len(SNAPSHOT.entries) + 3
    assert library.catalog.price("openrouter", "new-vendor/new-model-1") is not None


async def test_absurd_conditions_of_a_price_are_left_out(desk: Desk) -> None:
    rows = honest()["data"]
    rows[0]["pricing"]["overrides"] = [{"min_prompt_tokens": 2, "prompt": "0.005"}]
    desk.far.say(openrouter.MODELS, {"data": rows})
    outcome = await desk.refresh(openrouter.FEED)
    assert any("conditional prices" in line for line in outcome.warnings)
    price = desk.library().book.price(f"openrouter/{ENTRIES[0].upstream}")
    assert price is not None
    assert price.terms.overrides == ()


async def test_a_fault_that_passes_is_waited_for(desk: Desk) -> None:
    replies = iter([Reply(b"{}", 503), Reply(raw=b""), Reply(orjson.dumps(honest()))])
    desk.far.do(openrouter.MODELS, lambda _: next(replies))
    assert not (await desk.refresh(openrouter.FEED)).failed
    assert len(desk.far.requests) == 3


async def test_retry_after_is_kept_up_to_a_limit(far: FeedServer) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    feed = replace(epoch.FEED, base_url=far.url)
    errand = Errand(feed, SUBJECTS, "2026-11-21", sleep=sleep, chance=random.Random(1))
    far.do(epoch.SCORES, Reply(b"", 429, {"retry-after": "7"}))
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(FeedError, match="too many requests"):
            await ask(errand, client)
        assert (slept, len(far.requests)) == ([7.0, 7.0], 3)
        far.do(epoch.SCORES, Reply(b"", 429, {"retry-after": "999"}))
        with pytest.raises(FeedError):
            await ask(errand, client)
    assert (len(slept), len(far.requests)) == (2, 4)


async def test_a_feed_that_turns_in_circles_is_left(desk: Desk) -> None:
    answer = {"pagination": {"page": 0, "has_more": True}, "data": []}
    desk.far.say(f"{artificial_analysis.FREE}?page=1", answer)
    outcome = await desk.refresh(artificial_analysis.FEED, KEY)
    assert outcome.failed
    assert "turns in circles" in outcome.words
    assert len(desk.far.requests) == artificial_analysis.FEED.max_requests


async def test_a_far_end_that_hangs_is_given_up(far: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "ANSWER_S", 0.05)
    far.do(epoch.SCORES, Reply(hang=True))
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(FeedError, match="no whole answer"):
            await ask(Errand(replace(epoch.FEED, base_url=far.url), SUBJECTS, "2026-11-21"), client)


async def test_no_key_is_in_anything_that_is_said_or_kept(desk: Desk) -> None:
    for reply in (Reply(b"{}", 401), Reply(raw=b"\x00"), Reply(b'{"error":"' + KEY.encode() + b'"}')):
        desk.far.do(f"{artificial_analysis.FREE}?page=1", reply)
        outcome = await desk.refresh(artificial_analysis.FEED, KEY)
        assert outcome.failed
        assert KEY not in str(outcome.told())
    assert KEY not in repr(Errand(epoch.FEED, SUBJECTS, "", KEY, before=Asked()))
    assert not desk.folder.exists() or all(KEY not in path.read_text() for path in desk.folder.iterdir())


async def test_a_file_that_is_damaged_stops_nothing(desk: Desk) -> None:
    desk.folder.mkdir()
    for name, text in (("openrouter", "{"), ("epoch", '{"sheets":[7]}'), ("other", '{"sheets":{}}')):
        (desk.folder / f"{name}.json").write_text(text)
    kept, problems = read_all(desk.folder)
    assert (kept, len(problems)) == ([], 3)
    desk.far.say(openrouter.MODELS, honest())
    assert not (await desk.refresh(openrouter.FEED)).failed
    assert [each.feed for each in read_all(desk.folder)[0]] == ["openrouter"]


async def test_the_schedule_asks_what_config_lists_and_says_when_something_is_new(tmp_path: Path, far: FeedServer) -> None:
    far.say(openrouter.MODELS, honest())
    far.say(litellm.PATH, {})
    said = {"openrouter": SourceSettings(url=far.url), "litellm": SourceSettings(url=far.url, enabled=False)}
    asking = Asking(said, tmp_path, {}, SUBJECTS, {feed.name: feed for feed in (openrouter.FEED, litellm.FEED, epoch.FEED)})
    changed = asyncio.Event()
    schedule = Schedule(asking, changed.set, random.Random(1))
    assert [feed.name for feed in schedule.due()] == ["openrouter"]
    task = asyncio.create_task(Schedule(replace(asking, wall=lambda: DAY), changed.set, _Soon()).run())
    await asyncio.wait_for(changed.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert {request.path for request in far.requests} == {openrouter.MODELS}
    assert (tmp_path / "openrouter.json").exists()


async def test_of_several_processes_one_asks(tmp_path: Path, far: FeedServer) -> None:
    """Each worker of a server has a schedule; the folder is theirs together."""
    far.say(openrouter.MODELS, honest())
    said = {"openrouter": SourceSettings(url=far.url)}
    asking = Asking(said, tmp_path, {}, SUBJECTS, {"openrouter": openrouter.FEED}, wall=lambda: DAY)
    changed = asyncio.Event()
    tasks = [asyncio.create_task(Schedule(asking, changed.set, _Soon()).run()) for _ in range(4)]
    await asyncio.wait_for(changed.wait(), 10)
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(far.requests) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["openrouter.json"]


async def test_a_claim_that_somebody_left_behind_does_not_last(tmp_path: Path) -> None:
    with claimed(tmp_path, "x") as first, claimed(tmp_path, "x") as second:
        assert (first, second) == (True, False)
    stale = tmp_path / ".x.asking"
    stale.touch()
    os.utime(stale, (1, 1))
    with claimed(tmp_path, "x") as mine:
        assert mine
    assert not stale.exists()


class _Soon(random.Random):
    """Chance that takes the whole wait away: -4 stands for a tenth that is ten tenths."""

    def random(self) -> float:
        return -4.5


def test_a_library_without_anything_is_the_package() -> None:
    library = Library(Given({}))
    assert library.catalog.models.keys() == load_catalog().models.keys()
    assert all(library.catalog.models[name].quality == model.quality for name, model in load_catalog().models.items())
