"""A rolling minute of requests, with time as an argument."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.sim.quota import WINDOW_S, Quota


def test_a_request_falls_out_of_the_window_after_a_minute() -> None:
    quota = Quota(2)
    assert quota.take(0.0)
    assert quota.take(10.0)
    assert not quota.take(30.0)
    assert quota.seconds_until_free(30.0) == 30.0
    assert quota.take(60.0)
    assert quota.seconds_until_free(60.0) == 10.0


def test_headers_use_openais_names() -> None:
    quota = Quota(5)
    quota.take(100.0)
    assert quota.headers(101.5) == [
        (b"x-ratelimit-limit-requests", b"5"),
        (b"x-ratelimit-remaining-requests", b"4"),
        (b"x-ratelimit-reset-requests", b"58.500s"),
    ]


def test_a_quota_of_nothing_refuses_and_still_names_a_wait() -> None:
    quota = Quota(0)
    assert not quota.take(0.0)
    assert quota.seconds_until_free(0.0) == WINDOW_S


@given(st.integers(1, 5), st.lists(st.floats(0, 40), max_size=40))
def test_no_minute_ever_holds_more_than_the_limit(limit: int, gaps: list[float]) -> None:
    quota, now_s = Quota(limit), 0.0
    accepted: list[float] = []
    for gap in gaps:
        now_s += gap
        if quota.take(now_s):
            accepted.append(now_s)
        else:
            assert quota.remaining(now_s) == 0
            assert quota.take(now_s + quota.seconds_until_free(now_s) + 1e-6)
            return
    for moment in accepted:
        assert sum(1 for other in accepted if moment - WINDOW_S < other <= moment) <= limit
