"""Limits of every shape over a virtual month (tests/simulation/month.py): kept, used up where there is demand, and lies do little harm."""

from __future__ import annotations

from functools import cache

import pytest

from tests.simulation.month import ACCOUNTS, LIMITS, Month


@cache
def lived(seed: int, days: float) -> Month:
    month = Month(seed, days)
    month.run()
    return month


every_month = pytest.mark.parametrize(("seed", "days"), [(1, 30.0), (2, 8.0), (3, 8.0)])


@every_month
def test_no_limit_is_exceeded_by_more_than_open_attempts_took_beyond_their_estimates(seed: int, days: float) -> None:
    month = lived(seed, days)
    for limit in LIMITS:
        assert month.tally.overshoot[limit.source] <= month.allowed[limit.source], limit.source


@every_month
def test_whoever_was_turned_away_was_turned_away_with_reason(seed: int, days: float) -> None:
    assert lived(seed, days).tally.unfounded == []


@every_month
def test_no_allowance_stays_unused_that_somebody_needed(seed: int, days: float) -> None:
    tally = lived(seed, days).tally
    assert tally.answered + tally.refused == tally.asked
    assert tally.refused <= 0.03 * tally.asked, "by night there is room for everybody, by day for nearly all"
    missed = {account: count for account, count in tally.missed.items() if account != "miser"}
    # What is left of a wall that a larger request ran into stays closed until the reset that the vendor named.
    assert max(missed.values(), default=0) <= 0.01 * tally.asked, missed


@every_month
def test_nobody_is_starved(seed: int, days: float) -> None:
    tally = lived(seed, days).tally
    assert len(tally.by_replica) == 2 * len(ACCOUNTS)
    # One that has spent its month by the twentieth has had its share; so has a plan that is used up every week.
    assert all(len(served) >= days / 2 for served in tally.days_served.values()), tally.days_served
    assert min(tally.by_replica.values()) >= 2 * days


@every_month
def test_walls_are_hit_seldom_and_a_lie_costs_an_hour_at_a_time(seed: int, days: float) -> None:
    tally = lived(seed, days).tally
    hits = {account: tally.walls_hit[account] / tally.attempts[account] for account in ("minutely", "plan", "daily")}
    assert max(hits.values()) <= 0.1, hits
    # The vendor that says "nothing left, for eighteen days" with every answer is tried again every hour, by each of its replicas.
    assert tally.attempts["miser"] >= days * 8
