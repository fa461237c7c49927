"""The simulation's own machinery: time, quotas, memory, prompt caches, upstreams. A wrong world would prove nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.facts import Failure, FailureKind
from routing.types import Usage
from tests.simulation.events import Events
from tests.simulation.machine import KEEP_LOADED_S, Memory
from tests.simulation.places import BOX, PLACES, Machine, Place
from tests.simulation.prefixes import CLOUD_TTL_S, Prefixes
from tests.simulation.quota import Allowance, Window
from tests.simulation.trace import Trace
from tests.simulation.upstream import Door, Job, Upstream, Weather


def place(id_: str) -> Place:
    return next(each for each in PLACES if each.id == id_)


# Time


def test_events_happen_in_order_and_ties_as_arranged() -> None:
    events, seen = Events(100.0), list[str]()
    for name, delay_s in (("c", 2.0), ("a", 1.0), ("b", 1.0)):
        events.after(delay_s, lambda name=name: seen.append(f"{name} at {events.now_s:g}"))  # type: ignore[misc]
    events.after(1.5, lambda: seen.append("never")).cancel()
    events.run(lambda: None)
    assert seen == ["a at 101", "b at 101", "c at 102"]
    assert events.handled == 3


def test_what_is_checked_after_each_event_sees_each_event() -> None:
    events, times = Events(0.0), list[float]()
    events.after(1.0, lambda: None)
    events.after(3.0, lambda: None)
    events.run(lambda: times.append(events.now_s))
    assert times == [1.0, 3.0]


def test_a_trace_depends_on_time_words_and_order() -> None:
    digests = set()
    for notes in ([(1.0, "a"), (2.0, "b")], [(2.0, "b"), (1.0, "a")], [(1.0, "a"), (2.5, "b")], [(1.0, "a")]):
        trace = Trace()
        for time_s, words in notes:
            trace.note(time_s, words)
        digests.add(trace.digest)
    assert len(digests) == 4


# Quotas


@given(
    # Quarter seconds are exact in binary: a wait must not come out one rounding short.
    st.lists(st.tuples(st.integers(0, 120).map(lambda quarters: quarters / 4), st.integers(1, 60)), max_size=60),
    st.integers(1, 6),
    st.integers(60, 200),
)
def test_no_window_ever_holds_more_than_its_limit_and_the_wait_is_true(asked: list[tuple[float, int]], requests: int, tokens: int) -> None:
    allowance = Allowance((Window(60.0, requests, tokens),))
    taken: list[tuple[float, int]] = []
    now_s = 0.0
    for gap_s, size in asked:
        now_s += gap_s
        wait_s = allowance.take(size, now_s)
        if wait_s > 0.0:
            assert wait_s <= 60.0
            now_s += wait_s
            assert allowance.take(size, now_s) == 0.0, "the wait that was named was too short"
        taken.append((now_s, size))
        window = [each for time_s, each in taken if time_s > now_s - 60.0]
        assert len(window) <= requests
        assert sum(window) <= tokens


def test_a_request_that_one_window_refuses_takes_nothing_from_the_other() -> None:
    allowance = Allowance((Window(60.0, requests=1), Window(3600.0, requests=2)))
    assert allowance.take(1, 0.0) == 0.0
    assert allowance.take(1, 1.0) == 59.0
    assert allowance.take(1, 60.0) == 0.0
    assert allowance.take(1, 120.0) == 3480.0


# Machines


def test_a_machine_sleeps_and_the_first_knock_wakes_it() -> None:
    memory = Memory(Machine("m", 10.0, sleeps_after_s=600.0, wakes_in_s=9.0), 0.0)
    assert memory.knock(600.0) == 0.0
    assert memory.knock(1201.0) == 9.0
    assert memory.knock(1205.0) == 5.0
    assert memory.knock(1211.0) == 0.0


def test_models_make_room_for_each_other_and_leave_when_idle() -> None:
    small, medium, large = place("box/gemma4-e2b"), place("box/qwen3-8b"), place("box/qwen3-coder-30b")
    assert small.size_gb + large.size_gb <= BOX.memory_gb < small.size_gb + medium.size_gb + large.size_gb
    memory = Memory(BOX, 0.0)
    assert memory.load(small, 0.0) == small.load_s
    assert memory.load(small, 10.0) == 0.0
    assert memory.load(medium, 20.0) == medium.load_s
    assert memory.load(large, 30.0) == large.load_s
    assert memory.load(small, 60.0) == small.load_s, "it had made room for the large one"
    assert memory.load(large, 70.0) == 0.0, "the medium one, not used for longest, made room for the small one"
    assert memory.load(large, 70.0 + KEEP_LOADED_S) == 0.0
    assert memory.load(large, 71.0 + 2 * KEEP_LOADED_S) == large.load_s


def test_a_cloud_forgets_prefixes_by_time_and_a_server_by_number() -> None:
    cloud, server = Prefixes(None), Prefixes(2)
    for prefixes in (cloud, server):
        assert prefixes.read("a", 5000, 0.0) == 0
        prefixes.write("a", 5000, 0.0)
        assert prefixes.read("a", 8000, 10.0) == 5000
        assert prefixes.read("a", 2000, 10.0) == 2000
    assert cloud.read("a", 8000, CLOUD_TTL_S + 1.0) == 0
    assert server.read("a", 8000, CLOUD_TTL_S + 1.0) == 5000
    server.write("b", 5000, 1.0)
    server.write("c", 5000, 2.0)
    assert server.read("a", 8000, 3.0) == 0


# Upstreams


class Sent:
    """One job and what became of it."""

    def __init__(self, events: Events, upstream: Upstream, input_tokens: int = 1000) -> None:
        self.began_s: float | None = None
        self.ended_s: float | None = None
        self.result: Usage | Failure | None = None
        self._events = events
        self.job = Job("c", input_tokens, 100, self._began, self._ended)
        upstream.send(self.job)

    @property
    def kind(self) -> FailureKind | None:
        return self.result.kind if isinstance(self.result, Failure) else None

    def _began(self) -> None:
        self.began_s = self._events.now_s

    def _ended(self, result: Usage | Failure) -> None:
        assert self.result is None, "ended twice"
        self.ended_s, self.result = self._events.now_s, result


def upstream_at(id_: str, windows: tuple[Window, ...] = ()) -> tuple[Events, Upstream]:
    events = Events(0.0)
    return events, Upstream(place(id_), Allowance(windows), None, events, Random(1))


def test_an_answer_begins_ends_and_reports_its_tokens() -> None:
    events, upstream = upstream_at("anthropic/haiku")
    sent = Sent(events, upstream)
    events.run(lambda: None)
    assert sent.result == Usage(1200, 0, 0, 120)
    assert sent.began_s is not None
    assert sent.ended_s is not None
    assert 0.0 < sent.began_s < sent.ended_s


def test_what_does_not_fit_into_the_slots_waits_in_line() -> None:
    events, upstream = upstream_at("box/qwen3-coder-30b")
    first, second, third = (Sent(events, upstream) for _ in range(3))
    events.run(lambda: None)
    assert first.ended_s is not None
    assert second.ended_s is not None
    assert third.began_s is not None
    assert third.began_s >= min(first.ended_s, second.ended_s)


def test_who_leaves_makes_room_and_hears_no_more() -> None:
    events, upstream = upstream_at("box/qwen3-coder-30b")
    jobs = [Sent(events, upstream) for _ in range(3)]
    events.after(0.05, lambda: upstream.leave(jobs[0].job))
    events.run(lambda: None)
    assert jobs[0].result is None
    assert isinstance(jobs[2].result, Usage)


@pytest.mark.parametrize(
    ("weather", "kind", "after_s"),
    [
        (Weather(Door.REFUSING), FailureKind.CONNECT, 0.002),
        (Weather(Door.SILENT), FailureKind.CONNECT, 5.0),
        (Weather(error_share=1.0), FailureKind.OVERLOADED, 0.23),
        (Weather(stall_share=1.0), FailureKind.STALLED, 600.03),
        (Weather(refuses_key=True), FailureKind.UNAUTHORIZED, 0.03),
    ],
)
def test_weather(weather: Weather, kind: FailureKind, after_s: float) -> None:
    events, upstream = upstream_at("openai-a/gpt-terra")
    upstream.change(weather)
    sent = Sent(events, upstream)
    events.run(lambda: None)
    assert (sent.kind, sent.began_s) == (kind, None)
    assert sent.ended_s == pytest.approx(after_s)


def test_a_cut_comes_after_the_beginning() -> None:
    events, upstream = upstream_at("openai-a/gpt-terra")
    upstream.change(Weather(cut_share=1.0))
    sent = Sent(events, upstream)
    events.run(lambda: None)
    assert sent.kind is FailureKind.CUT
    assert sent.began_s is not None


def test_a_door_that_shuts_cuts_what_is_under_way_and_in_line() -> None:
    events, upstream = upstream_at("box/qwen3-coder-30b")
    jobs = [Sent(events, upstream) for _ in range(4)]
    events.after(0.1, lambda: upstream.change(Weather(Door.REFUSING)))
    events.run(lambda: None)
    assert [(job.kind, job.ended_s) for job in jobs] == [(FailureKind.CUT, 0.1)] * 4


def test_a_limit_says_when_it_is_over_in_whole_seconds() -> None:
    events, upstream = upstream_at("openai-a/gpt-terra", (Window(60.0, requests=1),))
    jobs = [Sent(events, upstream) for _ in range(2)]
    events.run(lambda: None)
    assert jobs[1].kind is FailureKind.RATE_LIMITED
    assert isinstance(jobs[1].result, Failure)
    assert jobs[1].result.retry_after_s == 60.0


def test_a_prompt_that_is_too_long_is_refused_by_the_models_own_count() -> None:
    events, upstream = upstream_at("nas/gemma4-e2b")
    fits, exceeds = Sent(events, upstream, 14_000), Sent(events, upstream, 14_500)
    events.run(lambda: None)
    assert isinstance(fits.result, Usage)
    assert exceeds.kind is FailureKind.CONTEXT_TOO_LONG
