"""Deadlines in any order of failures: they only ever move outward, and only as far as each kind may move them."""

from __future__ import annotations

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.facts import FAILURES, Failure, FailureKind
from routing.health import AT_ONCE, EJECTION_CAP_S, RATE_LIMIT_CAP_S, Health, HealthState, advance, failed, succeeded

HINTS = st.none() | st.sampled_from([0.0, 1.0, 30.0, 1e7]) | st.floats(0, 1e9)
FAILED = st.builds(Failure, st.sampled_from(FailureKind), st.just("why"), HINTS)
STEPS = st.lists(st.tuples(st.floats(0, 100), st.booleans(), FAILED | st.none()), max_size=25)


@settings(max_examples=300)
@given(STEPS)
def test_any_history(steps: list[tuple[float, bool, Failure | None]]) -> None:
    state, now_s = HealthState(), 1000.0
    for seconds, was_probe, failure in steps:
        now_s += seconds
        advance(state, now_s)
        before = copy.copy(state)
        if failure is None:
            succeeded(state, now_s, was_probe=was_probe)
            assert state.health is (Health.HEALTHY if was_probe else before.health)
            assert state.limited_until_s == (before.limited_until_s if now_s < before.limited_until_s else state.limited_until_s)
            continue
        failed(state, failure, now_s, was_probe=was_probe)
        assert state.limited_until_s >= before.limited_until_s
        assert state.ejected_until_s >= before.ejected_until_s
        assert max(state.limited_until_s, state.ejected_until_s) <= now_s + RATE_LIMIT_CAP_S or state == before
        if failure.retry_after_s is None and state.ejected_until_s > before.ejected_until_s:
            assert state.ejected_until_s <= now_s + AT_ONCE.get(failure.kind, EJECTION_CAP_S)
        if failure.kind is FailureKind.RATE_LIMITED:
            assert state.health is before.health
            assert state.limited_until_s >= now_s
        elif not FAILURES[failure.kind].blames_replica:
            assert state == before
        elif failure.kind in AT_ONCE or (was_probe and before.health is Health.PROBATION):
            assert state.health is Health.EJECTED
        if state.health is Health.EJECTED and state != before:
            assert state.reason


@given(st.floats(0, 1000))
def test_an_ejection_ends_at_its_time(wait_s: float) -> None:
    state = HealthState()
    failed(state, Failure(FailureKind.UNAUTHORIZED, "x"), 0.0, was_probe=False)
    advance(state, wait_s)
    assert state.health is (Health.PROBATION if wait_s >= state.ejected_until_s else Health.EJECTED)
