"""What was used lately, held against a plain list of everything that ever was."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.headroom.calendar import Epoch, ends_at, started_at
from routing.headroom.meters import GRAINS, Meter, Periodic, Rolling, meter_for
from routing.headroom.types import WINDOW_S, Window

UTC = dt.UTC
ROLLING = [window for window in Window if window is not Window.REQUEST]
USES = st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 10**9)), max_size=60)
"""(gap in shares of the window, amount)."""


def history(window: Window, uses: list[tuple[float, int]]) -> list[tuple[float, int]]:
    now_s, found = 1000.0, []
    for gap, amount in uses:
        now_s += gap * WINDOW_S[window]
        found.append((now_s, amount))
    return found


@settings(max_examples=300)
@given(window=st.sampled_from(ROLLING), uses=USES, wait=st.floats(0, 1.2))
def test_never_less_than_the_plain_sum_and_never_more_than_that_of_one_grain_longer(
    window: Window, uses: list[tuple[float, int]], wait: float
) -> None:
    meter, length_s = Rolling(WINDOW_S[window]), WINDOW_S[window]
    known = history(window, uses)
    for time_s, amount in known:
        meter.add(amount, time_s)
    now_s = (known[-1][0] if known else 1000.0) + wait * length_s
    naive = sum(amount for time_s, amount in known if time_s > now_s - length_s)
    longer = sum(amount for time_s, amount in known if time_s > now_s - length_s - length_s / GRAINS)
    assert naive <= meter.used(now_s) <= longer
    assert len(meter.pieces(now_s)) <= GRAINS + 2


@given(gaps=st.lists(st.floats(1.01 / GRAINS, 0.4), min_size=1, max_size=40), wait=st.floats(0, 1.5))
def test_use_that_is_a_grain_apart_is_counted_to_the_instant(gaps: list[float], wait: float) -> None:
    meter, length_s = Rolling(3600.0), 3600.0
    now_s, known = 0.0, []
    for gap in gaps:
        now_s += gap * length_s
        meter.add(7, now_s)
        known.append(now_s)
    now_s += wait * length_s
    assert meter.used(now_s) == 7 * sum(1 for time_s in known if time_s > now_s - length_s)


def test_the_edge_itself() -> None:
    meter = Rolling(60.0)
    meter.add(5, 100.0)
    assert (meter.used(159.999), meter.used(160.0)) == (5, 0)


@given(uses=USES, needed=st.integers(1, 10**9))
def test_when_it_says_that_so_much_is_free_it_is_and_no_sooner(uses: list[tuple[float, int]], needed: int) -> None:
    meter = Rolling(3600.0)
    known = history(Window.HOUR, uses)
    for time_s, amount in known:
        meter.add(amount, time_s)
    now_s = known[-1][0] if known else 1000.0
    used = meter.used(now_s)
    frees_s = meter.frees_at_s(needed, now_s)
    if frees_s is None:
        assert used < needed
        return
    assert frees_s > now_s
    copy = Rolling(3600.0)
    copy.restore(meter.pieces(now_s), now_s)
    assert copy.used(frees_s - 1e-3) > used - needed
    assert copy.used(frees_s + 1e-3) <= used - needed


@pytest.mark.parametrize("calendar", [False, True])
@given(uses=USES, away=st.floats(0, 1))
def test_what_is_stored_and_restored_is_what_would_have_been(calendar: bool, uses: list[tuple[float, int]], away: float) -> None:
    epoch = Epoch(1_795_000_000.0)
    meter: Meter = meter_for(Window.DAY, calendar=calendar, epoch=epoch)
    other: Meter = meter_for(Window.DAY, calendar=calendar, epoch=epoch)
    known = history(Window.DAY, uses)
    for time_s, amount in known:
        meter.add(amount, time_s)
    now_s = known[-1][0] if known else 1000.0
    stored = meter.pieces(now_s)
    later_s = now_s + away * WINDOW_S[Window.DAY]
    other.restore([piece._replace(age_s=piece.age_s + later_s - now_s) for piece in stored], later_s)
    # A moment later, so that rounding an age can not move anything over the edge.
    assert other.used(later_s + 1e-3) == meter.used(later_s + 1e-3)


def instants() -> st.SearchStrategy[dt.datetime]:
    return st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(UTC))


@given(instants())
def test_days_weeks_and_months_begin_when_the_calendar_says(now: dt.datetime) -> None:
    wall_s = now.timestamp()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = midnight.replace(day=1)
    following = (month + dt.timedelta(days=32)).replace(day=1)
    monday = midnight - dt.timedelta(days=midnight.weekday())
    assert started_at(Window.DAY, wall_s) == midnight.timestamp()
    assert (started_at(Window.MONTH, wall_s), ends_at(Window.MONTH, wall_s)) == (month.timestamp(), following.timestamp())
    if monday.year >= 1970:
        assert (started_at(Window.WEEK, wall_s), ends_at(Window.WEEK, wall_s)) == (monday.timestamp(), monday.timestamp() + 7 * 86_400)


def test_a_month_by_the_calendar_ends_with_it() -> None:
    last_day = dt.datetime(2026, 11, 30, 23, 59, tzinfo=UTC).timestamp()
    meter = Periodic(Window.MONTH, Epoch(last_day))  # now_s 0.0 is that minute
    meter.add(10, 0.0)
    assert (meter.used(59.0), meter.frees_at_s(10, 0.0), meter.used(60.0)) == (10, 60.0, 0)
    meter.add(3, 61.0)
    assert meter.used(30 * 86_400.0) == 3
    assert meter.used(31 * 86_400.0 + 60.0) == 0
