"""What providers say of their limits, lies included, and what donut makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.facts import AttemptFinished, LimitsReported
from routing.headroom.limits import Amounts
from routing.headroom.pacing import pace_of
from routing.headroom.reports import BELIEVED_S, SPENT_WITHOUT_RESET_S, Report, ReportKey
from routing.headroom.types import ReportedLimit, ReportedScope, Unit
from routing.types import Dispatch, Refusal, Usage
from tests.playbook import catalog_of, demand_for, replica, router_for

NOW_S = 1000.0
TOKENS = ReportedLimit("tokens", Unit.TOKENS, window_s=60.0, most=10_000, left=5000, resets_in_s=45.0)
"""A fixed window: half is left, and three quarters of the minute are to come."""
PLAN = ReportedLimit("5h", Unit.SHARE, window_s=18_000.0, left_share=0.5, resets_in_s=9000.0)


def taken(limit: ReportedLimit, now_s: float = NOW_S) -> Report:
    report = Report(ReportKey(limit.name, limit.unit, limit.scope))
    assert report.take(limit, now_s)
    return report


def test_what_is_sent_after_the_report_is_taken_off_it_and_what_was_open_then_is_not() -> None:
    report = taken(TOKENS)
    amounts = Amounts(1000, 900, 100, 1)
    version, held = report.version, report.hold(amounts)
    assert report.left(NOW_S) == 4000
    report.settle(version, held, Amounts(1300, 900, 400, 1))
    assert report.left(NOW_S) == 3700
    version, held = report.version, report.hold(amounts)
    assert report.take(TOKENS._replace(left=2500), NOW_S + 1)
    assert report.left(NOW_S + 1) == 2500
    report.settle(version, held, amounts)
    assert report.left(NOW_S + 1) == 2500, "the provider had counted it"


def test_a_token_bucket_refills_and_a_fixed_window_does_not() -> None:
    bucket = taken(TOKENS._replace(left=5000, resets_in_s=30.0))
    assert (bucket.left(NOW_S + 15), bucket.left(NOW_S + 600)) == (7500, 10_000)
    assert bucket.frees_at_s(8000, NOW_S) == pytest.approx(NOW_S + 18.0)
    assert taken(TOKENS).left(NOW_S + 30) == 5000


def test_a_reload_sees_of_a_token_bucket_what_is_in_it_and_not_what_was_in_it_at_the_beginning_of_time() -> None:
    catalog = catalog_of(replica("a"))
    before = router_for(catalog)
    before.observe(LimitsReported("a", (TOKENS._replace(resets_in_s=30.0),)), NOW_S)
    after = router_for(catalog, fleet=before.fleet)
    assert after.fleet.state("a").headroom == 0.5


def test_nothing_left_is_believed_until_the_reset_and_for_an_hour_at_most() -> None:
    week = taken(PLAN._replace(left_share=0.0, resets_in_s=5 * 86_400.0))
    assert week.ends_s == NOW_S + BELIEVED_S
    assert taken(PLAN._replace(left_share=0.0, resets_in_s=90.0)).ends_s == NOW_S + 90.0
    assert taken(ReportedLimit("x", Unit.REQUESTS, is_spent=True)).ends_s == NOW_S + SPENT_WITHOUT_RESET_S


def test_what_a_token_costs_of_a_plan_is_learned_from_one_report_to_the_next() -> None:
    report = taken(PLAN)
    version, held = report.version, report.hold(Amounts(10_000))
    assert held == 0, "nothing is known yet"
    report.settle(version, held, Amounts(10_000))
    report.take(PLAN._replace(left_share=0.49, resets_in_s=8990.0), NOW_S + 10)
    assert report.hold(Amounts(10_000)) == pytest.approx(10_000, rel=0.01)  # a hundredth, in millionths
    assert report.left(NOW_S + 10) == pytest.approx(480_000, rel=0.01)
    report.take(PLAN._replace(left_share=1.0, resets_in_s=18_000.0), NOW_S + 9000)
    assert report.per_token > 0, "another window teaches nothing, and forgets nothing"


def test_a_report_that_says_nothing_is_not_kept() -> None:
    one = router_for(catalog_of(replica("far/m")))
    one.observe(LimitsReported("far/m", (ReportedLimit("tokens", Unit.TOKENS, most=100.0),)), NOW_S)
    assert not one.fleet.headroom.place("far/m").has_reports


HOSTILE = st.builds(
    ReportedLimit,
    st.sampled_from(["a", "b"]),
    st.sampled_from(Unit),
    st.sampled_from(ReportedScope),
    window_s=st.none() | st.sampled_from([0.0, 60.0, 86_400.0]) | st.floats(0, 1e9),
    most=st.none() | st.floats(0, 1e12),
    left=st.none() | st.floats(0, 1e15),
    left_share=st.none() | st.floats(-5, 5),
    resets_in_s=st.none() | st.floats(-10, 1e9),
    is_spent=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(HOSTILE, st.floats(0, 5000), st.integers(0, 10**7)), max_size=20))
def test_no_report_does_worse_than_keep_a_replica_out_for_an_hour_after_it(steps: list[tuple[ReportedLimit, float, int]]) -> None:
    """An hour after the last report that left nothing, and in any case after its reset, the replica is asked again."""
    one, now_s = router_for(catalog_of(replica("far/m"))), NOW_S
    for limit, seconds, tokens in steps:
        now_s += seconds
        one.observe(LimitsReported("far/m", (limit,)), now_s)
        decision = one.decide(demand_for(input_tokens_estimated=tokens), now_s)
        if isinstance(decision, Dispatch):
            assert all(0.0 <= value <= 1.0 for column in decision.evidence.factors.values() for value in column)
            one.observe(AttemptFinished(decision.reservation, Usage(tokens, output=5)), now_s)
        else:
            assert decision.retry_after_s is not None
    now_s += 2e9
    assert isinstance(one.decide(demand_for(), now_s), Dispatch)


def test_too_much_for_what_is_left_is_refused_in_words() -> None:
    one = router_for(catalog_of(replica("far/m")))
    one.observe(LimitsReported("far/m", (TOKENS,)), NOW_S)
    decision = one.decide(demand_for(input_tokens_estimated=6000), NOW_S)
    assert isinstance(decision, Refusal)
    assert decision.evidence.rejected[0].detail == "tokens: 5,000 tokens of 10,000 tokens left by the provider's word, 6,000 tokens needed"
    assert decision.retry_after_s == 45.0


def test_what_resets_soonest_with_much_left_is_used_first() -> None:
    two = router_for(catalog_of(replica("a/m"), replica("b/m")))
    two.observe(LimitsReported("a/m", (PLAN._replace(left_share=0.7, resets_in_s=16_000.0),)), NOW_S)
    two.observe(LimitsReported("b/m", (PLAN._replace(left_share=0.7, resets_in_s=600.0),)), NOW_S)
    decision = two.decide(demand_for(), NOW_S)
    assert isinstance(decision, Dispatch)
    assert decision.replica.id == "b/m"


@given(st.floats(0, 1), st.floats(0, 1e6), st.floats(1, 1e6))
def test_a_pace_is_a_share_and_more_left_is_never_a_worse_one(left: float, resets_in_s: float, window_s: float) -> None:
    pace = pace_of(left, resets_in_s, window_s)
    assert 0.0 <= pace <= 1.0
    assert pace_of(min(1.0, left + 0.1), resets_in_s, window_s) >= pace
    assert pace_of(left, resets_in_s + 1.0, window_s) <= pace
