"""The window of the retry budget in any order of events: counted as a plain list would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.retry import WINDOW_S, RetryLimits, RetryWindow

STEPS = st.lists(st.tuples(st.floats(0, 4), st.booleans()), max_size=60)


@given(STEPS, st.floats(0, 1), st.floats(0, 1))
def test_it_counts_what_happened_in_the_last_ten_seconds(steps: list[tuple[float, bool]], share: float, per_second: float) -> None:
    window, limits, now_s = RetryWindow(), RetryLimits(share, per_second), 50.0
    firsts: list[int] = []
    retries: list[int] = []
    for seconds, is_retry in steps:
        now_s += seconds
        if is_retry:
            window.count_retry(now_s)
            retries.append(int(now_s))
        else:
            window.count_first(now_s)
            firsts.append(int(now_s))
        oldest = int(now_s) - WINDOW_S + 1
        recent_firsts = sum(second >= oldest for second in firsts)
        recent = [second for second in retries if second >= oldest]
        assert window.allows(limits, now_s) == (len(recent) < per_second * WINDOW_S + share * recent_firsts)
        assert (window.firsts, window.retries) == (recent_firsts, len(recent))
        if recent:
            assert window.opens_at_s(now_s) == min(recent) + WINDOW_S > now_s


def test_a_clock_that_goes_back_breaks_nothing() -> None:
    window = RetryWindow()
    for now_s in (100.0, 99.0, 20.0, 100.5):
        window.count_first(now_s)
        window.count_retry(now_s)
    assert (window.firsts, window.retries) == (4, 4)
    window.count_first(300.0)
    assert (window.firsts, window.retries) == (1, 0)
