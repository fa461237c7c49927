"""C1 to C5 and D1 to D4 of the reliability requirements, as the core keeps them. Named after them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from routing.facts import AttemptFailed, AttemptFinished, Failure, FailureKind, FirstToken, HealthReset, HealthTold, LimitsReported
from routing.fleet import Fleet
from routing.headroom.limits import ANY, NO_LIMITS, Limit, Limits, OnExceed, Scope
from routing.headroom.storing import Subject, Use, replay
from routing.headroom.types import ReportedLimit, ReportedScope, Unit, Window
from routing.headroom.views import tightest, views
from routing.health import RATE_LIMIT_CAP_S, Health
from routing.health_storing import health_snapshot, restore_health
from routing.router import Router
from routing.types import Decision, Demand, Dispatch, ModelReplica, ModelTier, Price, Refusal, RejectReason, Usage
from tests.playbook import catalog_of, demand_for, for_model, for_tier, replica, router_for

NOW_S = 1000.0
PRICE = Price(10.0, 30.0)


def router(replicas: Sequence[ModelReplica], *limits: Limit, fleet: Fleet | None = None) -> Router:
    return router_for(catalog_of(*replicas), fleet, limits=Limits(limits))


def budget(cost: float, on_exceed: OnExceed = OnExceed.REFUSE, **more: object) -> Limit:
    return Limit(Scope.ALL, ANY, Unit.COST, Window.DAY, cost, "budgets[0]", on_exceed, **more)  # type: ignore[arg-type]


def sized(tokens: int, output: int = 0, **more: object) -> Demand:
    return demand_for(for_model(), input_tokens_estimated=tokens, output_tokens_estimated=output, **more)


def sent(decision: Decision) -> Dispatch:
    assert isinstance(decision, Dispatch), decision
    return decision


def refused(decision: Decision) -> Refusal:
    assert isinstance(decision, Refusal), decision
    return decision


def held(router: Router) -> int:
    return sum(counter.held for counter in router.fleet.headroom.counters.values())


def used_of(router: Router) -> list[float]:
    """Of every limit, in its unit."""
    return [view.used for view in views(router.fleet.headroom, NOW_S) if view.used is not None]


# C1


@pytest.mark.parametrize("on_exceed", [OnExceed.REFUSE, OnExceed.DEGRADE])
def test_c1_of_200_concurrent_requests_a_budget_that_fits_37_admits_37(on_exceed: OnExceed) -> None:
    paid = router([replica("far/m", price=PRICE)], budget(0.37, on_exceed))
    decisions = [paid.decide(sized(1000), NOW_S) for _ in range(200)]  # a cent each
    assert sum(isinstance(each, Dispatch) for each in decisions) == 37
    refusal = refused(decisions[-1])
    assert refusal.reason is (RejectReason.OVER_BUDGET if on_exceed is OnExceed.REFUSE else RejectReason.TOO_DEAR)
    assert "budgets[0]: $0.37 per day for all, $0 left, $0.010 needed" in refusal.evidence.rejected[0].detail


def test_c1_what_is_overshot_is_what_the_open_attempts_took_beyond_their_estimates() -> None:
    paid = router([replica("far/m", price=PRICE)], budget(1.0))
    dispatches = []
    while isinstance(decision := paid.decide(sized(1000, 1000), NOW_S), Dispatch):  # 4 cents by the estimate
        dispatches.append(decision)
    assert len(dispatches) == 25
    for each in dispatches:
        paid.observe(AttemptFinished(each.reservation, Usage(1000, output=2000)), NOW_S)  # 7 cents
    (used,) = used_of(paid)
    assert used - 1.0 == pytest.approx(25 * 0.03)
    refused(paid.decide(sized(1, 1), NOW_S))


def test_c1_what_was_learned_of_a_models_answers_is_what_is_held() -> None:
    chatty = router([replica("far/m")], Limit(Scope.REPLICA, "far/m", Unit.OUTPUT_TOKENS, Window.DAY, 100_000, "limit"))
    for _ in range(50):
        number = sent(chatty.decide(sized(10, 512), NOW_S)).reservation
        chatty.observe(AttemptFinished(number, Usage(10, output=1500)), NOW_S)
    chatty.decide(sized(10, 512), NOW_S)
    assert 1500 <= held(chatty) <= 1600
    chatty.decide(sized(10, 512, output_tokens_max=16), NOW_S)
    assert held(chatty) <= 1616, "a request that allows 16 tokens holds no more"


# C2, C3


def test_c2_after_every_kind_of_end_nothing_is_held_and_the_counter_is_the_journal() -> None:
    paid = router([replica("far/m", price=PRICE)], budget(100.0), Limit(Scope.CLIENT, ANY, Unit.TOKENS, Window.HOUR, 1e6, "keys"))
    usage = Usage(1000, output=10)
    ends: list[Callable[[int], AttemptFinished | AttemptFailed]] = [
        lambda n: AttemptFinished(n, usage),
        lambda n: AttemptFailed(n, Failure(FailureKind.STALLED, "timeout")),
        lambda n: AttemptFailed(n, Failure(FailureKind.CLIENT_GONE, "left"), usage),
    ]
    for end in ends:
        number = sent(paid.decide(sized(1000, client="ann"), NOW_S)).reservation
        assert held(paid) > 0
        paid.observe(end(number), NOW_S)
        assert held(paid) == 0
    assert sorted(used_of(paid)) == [pytest.approx(2 * 0.0103), 2020]


def test_c3_a_thousand_cancels_in_any_order_leave_nothing_behind() -> None:
    chance = random.Random(7)
    slots = router([replica("far/m")], Limit(Scope.PROVIDER, "far", Unit.REQUESTS, Window.MINUTE, 30, "limit"))
    opened: list[int] = []
    now_s, admitted = NOW_S, 0
    while admitted < 1000:
        now_s += chance.uniform(0, 2)
        decision = slots.decide(sized(10), now_s)
        if isinstance(decision, Dispatch):
            opened.append(decision.reservation)
            admitted += 1
        while len(opened) > chance.randrange(20):
            number = opened.pop(chance.randrange(len(opened)))
            if chance.random() < 0.5:
                slots.observe(FirstToken(number, 0.1), now_s)
            slots.observe(AttemptFailed(number, Failure(FailureKind.CLIENT_GONE, "left")), now_s)
    for number in opened:
        slots.observe(AttemptFailed(number, Failure(FailureKind.CLIENT_GONE, "left")), now_s)
    assert (held(slots), slots.fleet.open_reservations, slots.fleet.state("far/m").in_flight) == (0, 0, 0)


# C4


def test_c4_a_request_that_one_limit_rejects_is_charged_to_none() -> None:
    both = router(
        [replica("far/m", price=PRICE)],
        Limit(Scope.CLIENT, "ann", Unit.REQUESTS, Window.MINUTE, 100, "roomy"),
        Limit(Scope.PROVIDER, "far", Unit.TOKENS, Window.MINUTE, 5000, "roomy too"),
        budget(0.005),
    )
    refused(both.decide(sized(1000, client="ann"), NOW_S))
    assert held(both) == 0
    sent(both.decide(sized(400, client="ann"), NOW_S))


# C5


def test_c5_without_a_budget_nobody_is_ever_refused_for_money() -> None:
    free = router_for(catalog_of(replica("far/m", price=Price(1e6, 1e6)), replica("far/n")), limits=NO_LIMITS)
    for _ in range(500):
        sent(free.decide(sized(10**6), NOW_S))


def test_c5_correcting_a_price_works_out_anew_what_was_spent() -> None:
    far = replica("far/m", price=Price(1000.0, 1000.0))  # a slip: a thousand times too dear
    wrong = router([far], budget(5.0))
    rows = []
    for _ in range(4):
        number = sent(wrong.decide(sized(1000), NOW_S)).reservation
        wrong.observe(AttemptFinished(number, Usage(1000)), NOW_S)
        rows.append(Use(Subject("far", "far/m", "m"), 0.0, Usage(1000), 0.001))
    number = sent(wrong.decide(sized(900), NOW_S)).reservation
    refused(wrong.decide(sized(1000), NOW_S))
    right = router([replica("far/m", price=Price(1.0, 1.0))], budget(5.0), fleet=wrong.fleet)
    replay(right.fleet.headroom, rows, NOW_S)
    assert used_of(right) == [pytest.approx(0.004)]
    sent(right.decide(sized(1000), NOW_S))
    right.observe(AttemptFinished(number, Usage(900)), NOW_S)


# What happens beyond a limit


def test_a_provider_at_its_limit_spills_over_to_another_one() -> None:
    two = router([replica("a/m"), replica("b/m")], Limit(Scope.PROVIDER, "a", Unit.TOKENS, Window.HOUR, 1000, "providers[0].headroom"))
    assert [sent(two.decide(sized(400), NOW_S, frozenset({"b/m"}))).replica.id for _ in range(2)] == ["a/m", "a/m"]
    decision = sent(two.decide(sized(400), NOW_S))
    assert decision.replica.id == "b/m"
    (reject,) = decision.evidence.rejected
    assert (reject.replica_id, reject.reason) == ("a/m", RejectReason.NO_HEADROOM)
    assert "1,000 tokens per hour for provider:a, 200 tokens left, 400 tokens needed" in reject.detail


def test_a_budget_that_degrades_goes_to_what_is_free_and_one_that_refuses_does_not() -> None:
    fleet = [replica("far/m", price=PRICE), replica("box/s", "s", ModelTier.SMALL, is_local=True, price=Price(0.0, 0.0))]
    demand = demand_for(for_tier(ModelTier.MID), input_tokens_estimated=1000)
    kind, strict = router(fleet, budget(0.005, OnExceed.DEGRADE)), router(fleet, budget(0.005))
    assert sent(kind.decide(demand, NOW_S)).replica.id == "box/s"
    assert refused(strict.decide(demand, NOW_S)).reason is RejectReason.OVER_BUDGET


def test_a_refusal_says_when_asking_again_will_help() -> None:
    slow = router([replica("far/m")], Limit(Scope.PROVIDER, "far", Unit.REQUESTS, Window.MINUTE, 2, "limit"))
    for after_s in (0.0, 20.0):
        number = sent(slow.decide(sized(1), NOW_S + after_s)).reservation
        slow.observe(AttemptFinished(number, Usage(1)), NOW_S + after_s)
    assert refused(slow.decide(sized(1), NOW_S + 25.0)).retry_after_s == pytest.approx(35.0)
    sent(slow.decide(sized(1), NOW_S + 60.0))


def test_a_limit_that_only_tells_tells_each_threshold_once() -> None:
    told = router([replica("far/m", price=PRICE)], budget(1.0, OnExceed.ALERT, alert_at=(0.5, 0.8, 1.0)))
    thresholds = []
    for _ in range(150):
        number = sent(told.decide(sized(1000), NOW_S)).reservation
        told.observe(AttemptFinished(number, Usage(1000)), NOW_S)
        thresholds += [alert.threshold for alert in told.fleet.headroom.alerts.take()]
    assert thresholds == [0.5, 0.8, 1.0]


def test_an_unknown_price_is_counted_as_nothing_unless_the_limit_says_that_it_may_not_be() -> None:
    sent(router([replica("far/m")], budget(0.001)).decide(sized(10**6), NOW_S))
    strict = refused(router([replica("far/m")], budget(0.001, allows_unpriced=False)).decide(sized(1), NOW_S))
    assert "price is not known" in strict.evidence.rejected[0].detail


def test_a_limit_of_each_request_by_itself_counts_nothing() -> None:
    small = Limit(Scope.PROVIDER, "far", Unit.TOKENS, Window.REQUEST, 1000, "limit")
    one = router([replica("far/m")], small, Limit(Scope.ALL, ANY, Unit.COST, Window.REQUEST, 1.0, "budgets[0]"))
    for _ in range(20):
        sent(one.decide(sized(1000), NOW_S))
    refusal = refused(one.decide(sized(1001), NOW_S))
    assert refusal.retry_after_s is None, "to wait helps nobody"
    paid = router([replica("far/m", price=PRICE)], budget(0.01), Limit(Scope.ALL, ANY, Unit.COST, Window.REQUEST, 0.005, "each"))
    assert "each: $0.005" in refused(paid.decide(sized(600), NOW_S)).evidence.rejected[0].detail
    assert held(paid) == 0


def test_limits_that_go_and_come_back_with_a_reload_hold_what_is_open_and_nothing_else() -> None:
    limit = Limit(Scope.PROVIDER, "far", Unit.TOKENS, Window.HOUR, 1000, "limit")
    one = router([replica("far/m")], limit)
    number = sent(one.decide(sized(900), NOW_S)).reservation
    without = router([replica("far/m")], fleet=one.fleet)
    sent(without.decide(sized(900), NOW_S))
    without.observe(AttemptFinished(number, Usage(700)), NOW_S)
    again = router([replica("far/m")], limit, fleet=one.fleet)
    assert held(again) == 0
    refused(again.decide(sized(900), NOW_S))


def test_what_an_owner_keeps_is_left_to_them() -> None:
    limit = Limit(Scope.PROVIDER, "far", Unit.TOKENS, Window.HOUR, 1000, "limit", spare=0.2)
    shared = router([replica("far/m")], limit)
    sent(shared.decide(sized(800), NOW_S))
    refused(shared.decide(sized(1), NOW_S))
    reported = router_for(catalog_of(replica("far/m")), limits=Limits(spare={"far": 0.2}))
    reported.observe(
        LimitsReported("far/m", (ReportedLimit("5h", Unit.SHARE, left_share=0.19, window_s=18_000.0, resets_in_s=60.0),)), NOW_S
    )
    refusal = refused(reported.decide(sized(1), NOW_S))
    assert "20 % kept for its owner" in refusal.evidence.rejected[0].detail
    assert refusal.retry_after_s == 60.0


def test_a_pace_keeps_a_weeks_allowance_from_being_gone_on_monday() -> None:
    limit = Limit(Scope.PROVIDER, "a", Unit.TOKENS, Window.WEEK, 7000, "weekly", pace=2.0)
    paced = router([replica("a/m"), replica("b/m")], limit)
    to_a = sum(sent(paced.decide(sized(100), NOW_S)).replica.id == "a/m" for _ in range(100))
    assert to_a <= 20, "two days' worth in one"
    alone = router([replica("a/m")], limit)
    assert all(isinstance(alone.decide(sized(100), NOW_S), Dispatch) for _ in range(70)), "pacing refuses nobody"
    refused(alone.decide(sized(100), NOW_S))


# D1 to D4


def failed(router: Router, number: int, kind: FailureKind, now_s: float, retry_after_s: float | None = None) -> None:
    router.observe(AttemptFailed(number, Failure(kind, "why", retry_after_s)), now_s)


def test_d1_the_later_deadline_wins_and_hints_are_capped() -> None:
    one = router([replica("far/m")])
    numbers = [sent(one.decide(sized(1), NOW_S)).reservation for _ in range(3)]
    health = one.fleet.state("far/m").health
    failed(one, numbers[0], FailureKind.RATE_LIMITED, NOW_S, 100.0)
    failed(one, numbers[1], FailureKind.RATE_LIMITED, NOW_S, 5.0)
    assert health.limited_until_s == NOW_S + 100.0
    failed(one, numbers[2], FailureKind.RATE_LIMITED, NOW_S, 18 * 86_400.0)
    assert health.limited_until_s == NOW_S + RATE_LIMIT_CAP_S


def test_d1_of_reported_limits_too() -> None:
    one = router([replica("far/m")])
    spent = ReportedLimit("5h", Unit.SHARE, is_spent=True, resets_in_s=600.0)
    one.observe(LimitsReported("far/m", (spent,)), NOW_S)
    one.observe(LimitsReported("far/m", (spent._replace(resets_in_s=30.0),)), NOW_S)
    one.observe(LimitsReported("far/m", (ReportedLimit("5h", Unit.SHARE, left_share=0.5, resets_in_s=30.0),)), NOW_S)
    assert refused(one.decide(sized(1), NOW_S)).retry_after_s == 600.0


def test_d2_after_three_failures_nothing_regular_goes_there_until_a_probe() -> None:
    one = router([replica("a/m"), replica("b/m")])
    for _ in range(3):
        decision = sent(one.decide(sized(1), NOW_S, frozenset({"b/m"})))
        failed(one, decision.reservation, FailureKind.OVERLOADED, NOW_S)
    assert {sent(one.decide(sized(1), NOW_S + 0.04 * i)).replica.id for i in range(100)} == {"b/m"}


@pytest.mark.parametrize("kind", [FailureKind.OVERLOADED, FailureKind.CONNECT, FailureKind.RATE_LIMITED])
def test_d3_when_it_is_over_exactly_one_finds_out(kind: FailureKind) -> None:
    one = router([replica("a/m"), replica("b/m")])
    for number in [sent(one.decide(sized(1), NOW_S, frozenset({"b/m"}))).reservation for _ in range(3)]:
        failed(one, number, kind, NOW_S, 5.0)
    later_s = NOW_S + 10.0
    decisions = [sent(one.decide(sized(1), later_s)) for _ in range(20)]
    (probe,) = [each for each in decisions if each.replica.id == "a/m"]
    one.observe(FirstToken(probe.reservation, 0.1), later_s)
    one.observe(AttemptFinished(probe.reservation, Usage(1)), later_s)
    assert "a/m" in {sent(one.decide(sized(1), later_s)).replica.id for _ in range(20)}


def test_d3_with_everybody_ejected_the_least_bad_is_asked_and_it_is_said() -> None:
    one = router([replica("a/m"), replica("b/m")])
    for id_ in ("a/m", "b/m"):
        for _ in range(3):
            number = sent(one.decide(sized(1), NOW_S, frozenset({"a/m", "b/m"} - {id_}))).reservation
            failed(one, number, FailureKind.CONNECT, NOW_S)
    assert sent(one.decide(sized(1), NOW_S)).evidence.panic


def test_d4_state_reason_and_until_are_known_and_can_be_reset() -> None:
    one = router([replica("far/m")])
    failed(one, sent(one.decide(sized(1), NOW_S)).reservation, FailureKind.UNAUTHORIZED, NOW_S)
    failed(one, sent(one.decide(sized(1), NOW_S)).reservation, FailureKind.RATE_LIMITED, NOW_S, 50.0)
    state = one.fleet.state("far/m").health
    assert (state.health, state.reason, state.limited_until_s) == (Health.EJECTED, "unauthorized: why", NOW_S + 50.0)
    refused(one.decide(sized(1), NOW_S))
    one.observe(HealthReset("far/m"), NOW_S)
    assert not sent(one.decide(sized(1), NOW_S)).evidence.panic


def test_d4_health_outlives_the_process() -> None:
    one = router([replica("a/m"), replica("b/m")])
    failed(one, sent(one.decide(sized(1), NOW_S, frozenset({"b/m"}))).reservation, FailureKind.UNAUTHORIZED, NOW_S)
    failed(one, sent(one.decide(sized(1), NOW_S, frozenset({"a/m"}))).reservation, FailureKind.RATE_LIMITED, NOW_S, 500.0)
    next_one = router([replica("a/m"), replica("b/m")])
    restore_health(next_one.fleet, health_snapshot(one.fleet, NOW_S), 77.0, away_s=20.0)
    states = [next_one.fleet.state(id_).health for id_ in ("a/m", "b/m")]
    assert (states[0].health, states[0].ejected_until_s) == (Health.EJECTED, 77.0 + 60.0 - 20.0)
    assert states[1].limited_until_s == 77.0 + 480.0
    assert sent(next_one.decide(sized(1), 77.0 + 41.0)).replica.id == "a/m"


def test_d2_what_another_process_ejected_is_ejected_here_and_the_later_deadline_wins() -> None:
    two = router([replica("a/m"), replica("b/m")])
    two.observe(HealthTold("a/m", NOW_S + 20.0, 0.0, "overloaded: elsewhere"), NOW_S)
    two.observe(HealthTold("a/m", NOW_S + 5.0, NOW_S - 1.0, "older"), NOW_S)
    reject = next(each for each in two.decide(sized(1), NOW_S + 6.0).evidence.rejected)
    assert reject == ("a/m", RejectReason.EJECTED, "overloaded: elsewhere", NOW_S + 20.0)
    decisions = [sent(two.decide(sized(1), NOW_S + 21.0)).replica.id for _ in range(5)]
    assert decisions.count("a/m") == 1, "one probe"


def test_two_replicas_of_one_account_share_its_limit_and_one_model_has_its_own() -> None:
    two = router([replica("far/m"), replica("far/n")])
    account = ReportedLimit("requests", Unit.REQUESTS, window_s=60.0, most=10, left=1, resets_in_s=30.0)
    two.observe(LimitsReported("far/m", (account,)), NOW_S)
    sent(two.decide(sized(1), NOW_S))
    refused(two.decide(sized(1), NOW_S))
    own = router([replica("far/m"), replica("far/n")])
    own.observe(LimitsReported("far/m", (account._replace(scope=ReportedScope.MODEL, left=0),)), NOW_S)
    assert {sent(own.decide(sized(1), NOW_S)).replica.id for _ in range(5)} == {"far/n"}
    view = tightest(own.fleet.headroom, "far/m", NOW_S)
    assert view is not None
    assert (view.left, view.confidence.value, view.key) == (0, "header", "replica:far/m")
