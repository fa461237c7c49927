"""The production router in any history: random fleets, demands, failures, clocks and reloads, against rules written down plainly."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from routing import explain, reasons, seen
from routing.candidates import STANDING, kind_of
from routing.facts import FAILURES, AttemptFailed, AttemptFinished, Fact, Failure, FailureKind, FirstToken, LimitsReported
from routing.fleet import QUEUE_MOST_S, TIMING_REST_S
from routing.gates.quality_floor import FLOORS
from routing.headroom.reports import UNSPOKEN_S
from routing.health import Health
from routing.plans import PLANS_KEPT, PlanBook
from routing.pricing import demand_cost_usd
from routing.router import Router
from routing.types import (
    TIER_ORDER,
    Capability,
    Decision,
    Demand,
    Dispatch,
    LocalPreference,
    LogicalModel,
    ModelReplica,
    ModelTier,
    Objective,
    Policy,
    Price,
    Refusal,
    RejectReason,
    Target,
    TargetKind,
    Usage,
    UseCase,
)
from tests.playbook import FACTORS, catalog_of, demand_for, for_model, replica, router_for, share_left

DIALECTS = ("chat", "completions", "embeddings")
EMBEDS = int(Capability.EMBEDDINGS)
PROVIDERS = ("p0", "p1", "p2")
MODELS = {"m0": ModelTier.MICRO, "m1": ModelTier.MID, "m2": ModelTier.MID, "m3": ModelTier.FRONTIER}
KNOWN = (
    LogicalModel("m0", MODELS["m0"], (UseCase.CHAT,), output_tokens_per_s=80.0),
    LogicalModel("m1", MODELS["m1"], quality=0.2),  # below the tier's floor
    LogicalModel("m2", MODELS["m2"], quality=0.8),
)
POLICY = Policy("p", stages=(Target(TargetKind.MODEL, "m2"), Target(TargetKind.TIER, "mid"), Target(TargetKind.REPLICA, "p0/a")))
BITS = st.sampled_from([0, int(Capability.TOOLS), int(Capability.TOOLS | Capability.VISION), 31, EMBEDS])
DEMANDED_BITS = st.sampled_from([0, 0, 0, int(Capability.TOOLS), int(Capability.VISION)])


@st.composite
def fleets(draw: st.DrawFn) -> list[ModelReplica]:
    ids = draw(st.lists(st.tuples(st.sampled_from(PROVIDERS), st.sampled_from("abcd")), min_size=2, max_size=8, unique=True))
    found = []
    for provider, name in ids:
        model = draw(st.sampled_from(sorted(MODELS)))
        found.append(
            replica(
                f"{provider}/{name}",
                model,
                MODELS[model],
                is_local=draw(st.booleans()),
                dialects=tuple(draw(st.sampled_from([DIALECTS, ("chat",), ("embeddings",)]))),
                capability_bits=draw(BITS),
                context_window=draw(st.sampled_from([None, None, 1000, 100_000])),
                price=draw(st.sampled_from([None, Price(1.0, 2.0), Price(0.0, 0.0), Price(50.0, None)])),
            )
        )
    return found


TARGETS = (
    st.sampled_from([*sorted(MODELS), "unserved"]).map(lambda id_: Target(TargetKind.MODEL, id_))
    | st.sampled_from(TIER_ORDER).map(lambda tier: Target(TargetKind.TIER, tier.value))
    | st.tuples(st.sampled_from(PROVIDERS), st.sampled_from("abcd")).map(lambda parts: Target(TargetKind.REPLICA, "/".join(parts)))
    | st.sampled_from([Target(TargetKind.POLICY, "p"), Target(TargetKind.POLICY, "unknown")])
)
DEMANDS = st.builds(
    demand_for,
    TARGETS,
    capability_bits=DEMANDED_BITS,
    input_tokens_estimated=st.sampled_from([1, 500, 5000, 10**6]),
    output_tokens_estimated=st.integers(0, 512),
    local_preference=st.sampled_from([LocalPreference.PREFERRED, LocalPreference.PREFERRED, *LocalPreference]),
    excluded_providers=st.sampled_from([frozenset(), frozenset(), frozenset({"p0"}), frozenset({"p0", "p1"})]),
    made_by=st.sampled_from([None, None, None, "p1"]),
    max_cost_usd=st.sampled_from([None, None, None, 0.0, 0.002]),
    objective=st.sampled_from(Objective),
    use_case=st.sampled_from([UseCase.CHAT, UseCase.CODE]),
    affinity_keys=st.sampled_from([(), ("k0",), ("k1", "k0")]),
) | st.builds(lambda target, dialect: demand_for(target)._replace(dialect=dialect), TARGETS, st.sampled_from(DIALECTS))
FAILED = st.builds(
    Failure,
    # The kinds that close a replica come often, so that whole targets are closed within one history.
    st.sampled_from([*FailureKind, *[FailureKind.RATE_LIMITED] * 6, *[FailureKind.UNAUTHORIZED] * 4, *[FailureKind.CONNECT] * 4]),
    st.just("why"),
    st.sampled_from([None, None, 0.0, 3.0, 45.0, 1e6]),
)
USAGES = st.builds(Usage, st.integers(0, 10**6), st.integers(0, 100), st.integers(0, 100), st.integers(0, 10**5), reported=st.booleans())


class Standing(NamedTuple):
    """What a plain reading of the rules says of one replica."""

    is_bound: bool
    """Tried, excluded, not local, another account's, wrong dialect, too dear, rate limited or used up: nothing lifts that."""
    is_doubted: bool
    """Cannot do it, is too small, too weak or not made for it, as far as donut knows."""
    is_ill: bool
    queue_s: float = 0.0
    """Its own queue where that is too long: asked all the same where the client names it, and where nobody else can answer."""

    @property
    def is_only_crowded(self) -> bool:
        return self.queue_s > 0.0 and not (self.is_bound or self.is_doubted or self.is_ill)


FINE = Standing(False, False, False)


def of(replicas: list[ModelReplica], **more: Any) -> Router:
    return router_for(catalog_of(*replicas, models=KNOWN, policies={"p": POLICY}), **more)


def with_new_rankings(router: Router) -> Router:
    """The same belief, and nothing kept. A new router over the same fleet would look at its limits again, and closer than steps."""
    found = copy.deepcopy(router)
    found._plans = PlanBook(found.catalog, found.fleet, found._judges, found._scoring)
    return found


class RouterMachine(RuleBasedStateMachine):
    """`router` is the one under test; `mirror` has the same replicas in the opposite order, its own fleet, and must say the same."""

    @initialize(replicas=fleets())
    def start(self, replicas: list[ModelReplica]) -> None:
        self.now_s = 100.0
        self.open: dict[int, tuple[str, Demand]] = {}
        self.asked_before: list[Demand] = []
        self.told: dict[str, tuple[float, float]] = {}
        """What was reported of a replica: the share that is left, and until when."""
        self.replicas = replicas
        self.router = of(replicas)
        self.mirror = of(replicas[::-1])

    # What happens

    @rule(demand=DEMANDS, data=st.data())
    def ask(self, demand: Demand, data: st.DataObject) -> None:
        served = [each.id for _, stage in self.stages(demand) for each in stage]
        tried = frozenset(data.draw(st.sets(st.sampled_from(served), max_size=2))) if served else frozenset[str]()
        self.asked(demand, tried)

    @precondition(lambda self: self.asked_before)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        """Rankings are kept per kind of demand: most requests are of a kind that was there before."""
        self.asked(data.draw(st.sampled_from(self.asked_before[-3:])), frozenset())

    @rule(demand=st.builds(demand_for, TARGETS), times=st.integers(2, 4))
    def eject_and_come_back(self, demand: Demand, times: int) -> None:
        """Everyone who answers is ejected at once; when that is over, several ask before the first probe has ended."""
        self.ask_and_fail(demand, Failure(FailureKind.UNAUTHORIZED, "why"), 8)
        self.now_s += 4000.0
        for _ in range(times):
            self.asked(demand, frozenset())

    def asked(self, demand: Demand, tried: frozenset[str]) -> None:
        """One decision, held against everything that must be true of it."""
        self.asked_before.append(demand)
        twin = copy.deepcopy(self.router)
        fresh = with_new_rankings(self.router)
        preview = recorded(self.router.preview(demand, self.now_s, tried))
        assert recorded(fresh.preview(demand, self.now_s, tried)) == preview, "a ranking that was kept is not what a new one is"
        stages = [{each.id: self.standing(each, demand, tried, tier, stage) for each in stage} for tier, stage in self.stages(demand)]
        decision = self.router.decide(demand, self.now_s, tried)
        assert recorded(decision) == preview, "a preview says something else"
        assert recorded(twin.decide(demand, self.now_s, tried)) == preview, "the same question has two answers"
        self.same(decision, self.mirror.decide(demand, self.now_s, tried))
        explained(decision)
        named = demand.target.kind in (TargetKind.REPLICA, TargetKind.MODEL)
        if isinstance(decision, Dispatch):
            self.open[decision.reservation] = (decision.replica.id, demand)
            self.right(decision, stages, named)
        else:
            self.complete(decision, stages)
            refused(decision, stages, named)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), ttft_s=st.floats(0, 60))
    def begin(self, data: st.DataObject, ttft_s: float) -> None:
        self.observe(FirstToken(data.draw(st.sampled_from(sorted(self.open))), ttft_s))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), usage=USAGES)
    def finish(self, data: st.DataObject, usage: Usage) -> None:
        self.settle(AttemptFinished(data.draw(st.sampled_from(sorted(self.open))), usage))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), failure=FAILED)
    def fail(self, data: st.DataObject, failure: Failure) -> None:
        self.settle(AttemptFailed(data.draw(st.sampled_from(sorted(self.open))), failure))

    @rule(demand=st.builds(demand_for, TARGETS), failure=FAILED, times=st.integers(1, 4))
    def ask_and_fail(self, demand: Demand, failure: Failure, times: int) -> None:
        """The same again and again: what closes one replica after the other."""
        for _ in range(times):
            decision = self.router.decide(demand, self.now_s)
            self.same(decision, self.mirror.decide(demand, self.now_s))
            if isinstance(decision, Dispatch):
                self.open[decision.reservation] = (decision.replica.id, demand)
                self.settle(AttemptFailed(decision.reservation, failure))

    @rule(
        id_=st.tuples(st.sampled_from(PROVIDERS), st.sampled_from("abcd")).map("/".join),
        headroom=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
        for_s=st.sampled_from([None, 2.0, 100.0]),
    )
    def count(self, id_: str, headroom: float, for_s: float | None) -> None:
        self.told[id_] = (headroom, self.now_s + (UNSPOKEN_S if for_s is None else for_s))
        self.observe(LimitsReported(id_, (share_left(headroom, for_s),)))

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 5.0, 5.0, 60.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(replicas=fleets())
    def reload(self, replicas: list[ModelReplica]) -> None:
        """What is believed stays, for replicas that stay, that go and that come back; attempts under way are settled as ever."""
        self.replicas = replicas
        self.router = of(replicas, fleet=self.router.fleet)
        self.mirror = of(replicas[::-1], fleet=self.mirror.fleet)

    # What holds

    @invariant()
    def what_is_reserved_is_what_is_open(self) -> None:
        if not hasattr(self, "router"):
            return
        fleet = self.router.fleet
        assert fleet.open_reservations == len(self.open)
        in_flight = Counter(id_ for id_, _ in self.open.values())
        tokens: Counter[str] = Counter()
        for id_, demand in self.open.values():
            tokens[id_] += demand.input_tokens_estimated + demand.output_tokens_estimated
        for provider in PROVIDERS:
            for name in "abcd":
                state = fleet.state(f"{provider}/{name}")
                assert state.in_flight == in_flight[f"{provider}/{name}"]
                assert 0 <= state.begun <= state.in_flight
                assert state.health.probe is None or state.health.probe in self.open
                is_settled = state.is_warm and state.error_rate == 0.0 and state.health.is_spotless
                assert is_settled or not state.is_at_its_best, "a good answer would be news"
        assert fleet.tokens_reserved() == tokens

    def stages(self, demand: Demand) -> list[tuple[ModelTier | None, list[ModelReplica]]]:
        """Where an answer is looked for, spelled out: the tier that is searched, if one is, and who is in it."""
        found: list[tuple[ModelTier | None, list[ModelReplica]]] = []
        seen: set[str] = set()
        steps = self.steps(demand.target)
        for step in steps:
            tier, members = self.members(step)
            fresh = [each for each in members if each.id not in seen]
            if any(demand.dialect in each.dialects for each in fresh):
                found.append((tier, fresh))
                seen |= {each.id for each in fresh}
        return found or [(tier, members) for tier, members in map(self.members, steps) if members][:1]

    def steps(self, target: Target) -> list[Target]:
        if target.kind is TargetKind.POLICY and target.id == "p":
            return list(POLICY.stages)
        if target.kind in (TargetKind.MODEL, TargetKind.REPLICA):
            return [target]
        wanted = TIER_ORDER.index(ModelTier(target.id) if target.kind is TargetKind.TIER else ModelTier.MID)
        return [Target(TargetKind.TIER, tier.value) for tier in (*TIER_ORDER[wanted:], *reversed(TIER_ORDER[:wanted]))]

    def members(self, step: Target) -> tuple[ModelTier | None, list[ModelReplica]]:
        if step.kind is TargetKind.REPLICA:
            return None, [each for each in self.replicas if each.id == step.id]
        if step.kind is TargetKind.MODEL:
            return None, [each for each in self.replicas if each.logical_model_id == step.id]
        return ModelTier(step.id), [each for each in self.replicas if each.tier.value == step.id]

    def standing(
        self, each: ModelReplica, demand: Demand, tried: frozenset[str], tier: ModelTier | None, stage: list[ModelReplica]
    ) -> Standing:
        state = self.router.fleet.state(each.id)
        health = state.health
        headroom, until_s = self.told.get(each.id, (1.0, 0.0))
        is_used_up = headroom == 0.0 and self.now_s < until_s
        cost = demand_cost_usd(demand, each.price)
        is_bound = (
            each.id in tried
            or self.is_barred(each, demand)
            or (demand.max_cost_usd is not None and (cost is None or cost > demand.max_cost_usd))
            or self.now_s < health.limited_until_s
            or is_used_up
        )
        tokens = demand.input_tokens_estimated + demand.output_tokens_estimated
        is_too_small = each.context_window is not None and tokens > each.context_window
        is_blind = bool(demand.capability_bits & ~each.capability_bits)
        is_weak = each.logical_model_id == "m1" and tier is not None and FLOORS[tier] > 0.2
        has_embedder = any(other.capability_bits == EMBEDS and not self.is_barred(other, demand) for other in stage)
        is_made_for_other = demand.dialect == "embeddings" and has_embedder and each.capability_bits != EMBEDS
        is_ejected = health.health is Health.EJECTED and self.now_s < health.ejected_until_s
        is_probed = (health.health is Health.PROBATION or health.limited_until_s > 0.0) and health.probe is not None
        is_doubted = is_too_small or is_blind or is_weak or is_made_for_other
        queue_s = state.queue_s if each.is_local and state.queue_s > QUEUE_MOST_S else 0.0
        return Standing(is_bound, is_doubted, is_ejected or is_probed, queue_s)

    def is_barred(self, each: ModelReplica, demand: Demand) -> bool:
        """By what the client asked for, whatever happens."""
        wrong_place = {
            LocalPreference.REQUIRED: not each.is_local,
            LocalPreference.DISABLED: each.is_local,
            LocalPreference.PREFERRED: False,
        }[demand.local_preference]
        return (
            wrong_place
            or each.provider_id in demand.excluded_providers
            or demand.made_by not in (None, each.provider_id)
            or demand.dialect not in each.dialects
        )

    def right(self, decision: Dispatch, stages: list[dict[str, Standing]], named: bool) -> None:
        """The one chosen may be chosen, and panic and doubt are set aside only where nothing better was there."""
        evidence, id_ = decision.evidence, decision.replica.id
        reached = next((i for i, stage in enumerate(stages) if FINE in stage.values()), len(stages) - 1)
        self.complete(decision, stages[: reached + 1])
        chosen = next(stage[id_] for stage in stages if id_ in stage)
        fine = {key for key, each in stages[reached].items() if each == FINE}
        doubted = {key for key, each in stages[0].items() if named and not each.is_bound and not each.is_ill}
        queues = [each.queue_s for stage in stages for each in stage.values() if each.is_only_crowded]
        assert not chosen.is_bound
        assert set(evidence.candidates) == (fine or doubted or {id_})
        assert id_ in evidence.candidates
        assert evidence.panic == chosen.is_ill == (not fine and not doubted and not queues)
        assert named or not chosen.is_doubted
        is_told = any("asked anyway" in note for note in evidence.notes)
        assert evidence.panic or is_told == (chosen.is_doubted or chosen.queue_s > 0.0)
        if chosen.is_only_crowded and not named:
            assert not fine
            assert chosen.queue_s == pytest.approx(min(queues)), "somebody else's turn comes sooner"
        assert (evidence.spilled_from is not None) == (evidence.escalation is not None)
        health = self.router.fleet.state(id_).health
        if health.health is Health.PROBATION and not evidence.panic:
            assert health.probe == decision.reservation  # and there was none before, or the replica would have counted as ill

    def complete(self, decision: Decision, visited: list[dict[str, Standing]]) -> None:
        """Everyone who was looked at is a candidate or rejected, once, with a value of every factor."""
        evidence = decision.evidence
        ids = [reject.replica_id for reject in evidence.rejected]
        assert len(set(ids)) == len(ids), "rejected twice"
        assert set(ids) | set(evidence.candidates) == {key for stage in visited for key in stage}
        assert set(ids) & set(evidence.candidates) == (set(evidence.candidates) if evidence.panic else set())
        count = len(evidence.candidates)
        assert evidence.size == len(evidence.scores) == len(evidence.logical_model_ids) == count
        factors = evidence.factors
        assert count == 0 or set(factors) == {factor.name for factor in FACTORS}
        assert all(len(column) == count and all(0.0 <= value <= 1.0 for value in column) for column in factors.values())
        for i, score in enumerate(evidence.scores):
            assert score == pytest.approx(sum(evidence.weights[name] * column[i] for name, column in factors.items()))

    def same(self, one: Decision, other: Decision) -> None:
        """Equal up to the order of the columns, which is the catalog's."""
        assert type(one) is type(other)
        if isinstance(one, Dispatch) and isinstance(other, Dispatch):
            assert (one.replica, one.reservation) == (other.replica, other.reservation)
        elif isinstance(one, Refusal) and isinstance(other, Refusal):
            assert (one.reason, one.retry_after_s) == (other.reason, other.retry_after_s)
        assert dict(zip(one.evidence.candidates, one.evidence.scores, strict=True)) == pytest.approx(
            dict(zip(other.evidence.candidates, other.evidence.scores, strict=True))
        )
        assert sorted(one.evidence.rejected, key=str) == sorted(other.evidence.rejected, key=str)
        assert sorted(one.evidence.notes) == sorted(other.evidence.notes)
        assert (one.evidence.panic, one.evidence.spilled_from) == (other.evidence.panic, other.evidence.spilled_from)
        assert one.evidence.escalation is other.evidence.escalation

    def observe(self, fact: Fact) -> None:
        self.router.observe(fact, self.now_s)
        self.mirror.observe(fact, self.now_s)

    def settle(self, fact: AttemptFinished | AttemptFailed) -> None:
        self.observe(fact)
        del self.open[fact.reservation]
        for router in (self.router, self.mirror):
            with pytest.raises(AssertionError):
                router.observe(fact, self.now_s)


def refused(decision: Refusal, stages: list[dict[str, Standing]], named: bool) -> None:
    """Nobody could have answered, and the reason is one that stands; where waiting helps, it says how long."""
    standings = [each for stage in stages for each in stage.values()]
    assert all(each.is_bound or (each.is_doubted and not named) for each in standings)
    assert (decision.reason is None) == (not standings)
    rejected = decision.evidence.rejected
    assert decision.reason is None or decision.reason in {reject.reason for reject in rejected}
    assert not decision.evidence.panic
    assert decision.evidence.notes == ()
    assert (decision.retry_after_s is None) == all(reject.until_s is None for reject in rejected)
    if decision.reason is RejectReason.RATE_LIMITED:
        assert decision.retry_after_s is not None
        assert 0.0 < decision.retry_after_s <= 3600.0


def recorded(decision: Decision) -> str:
    """To the last bit."""
    return repr(explain.as_record(decision))


def explained(decision: Decision) -> None:
    """Every decision can be kept, told and said."""
    record, line = explain.described(decision)
    kept: dict[str, Any] = orjson.loads(orjson.dumps(record, seen.plain, orjson.OPT_PASSTHROUGH_DATACLASS))
    told = explain.told(kept)
    assert told == orjson.loads(orjson.dumps(explain.told(record))), "kept and not kept are told alike"
    orjson.dumps(told)
    scores = [candidate["score"] for candidate in told["candidates"]]
    assert scores == sorted(scores, reverse=True)
    assert {candidate["replica_id"] for candidate in told["candidates"]} == set(decision.evidence.candidates)
    assert {"kind", "selected_because", "rejected_candidates", "target"} <= told.keys()
    words = explain.in_words(decision)
    assert "\n" not in words
    if isinstance(decision, Dispatch):
        assert told["replica_id"] == decision.replica.id
        comes_first = any("comes before other models" in note for note in decision.evidence.notes)
        assert comes_first or told["candidates"][0]["replica_id"] == decision.replica.id
        assert told["logical_model_id"] == decision.replica.logical_model_id
        assert told["selected_because"] == explain.because(decision)
        assert words.startswith(decision.replica.id)
        assert line == reasons.line_of(kept)
    else:
        assert words.startswith("refused")
        assert told["selected_because"] == []


TestRouter = RouterMachine.TestCase
TestRouter.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


class TestReservations:
    def router(self) -> Router:
        return router_for(catalog_of(replica("a"), replica("b")))

    def decide(self, router: Router, **more: Any) -> Dispatch:
        decision = router.decide(demand_for(for_model(), **more), 0.0)
        assert isinstance(decision, Dispatch)
        return decision

    def test_hold_the_tokens_until_they_are_settled(self) -> None:
        router = self.router()
        decision = self.decide(router, input_tokens_estimated=100, output_tokens_estimated=20)
        state = router.fleet.state("a")
        assert (state.in_flight, router.fleet.tokens_reserved()) == (1, {"a": 120})
        router.observe(AttemptFinished(decision.reservation, Usage(90, output=30)), 1.0)
        assert (state.in_flight, router.fleet.tokens_reserved(), state.finished) == (0, {}, 1)

    def test_are_settled_once(self) -> None:
        router = self.router()
        fact = AttemptFinished(self.decide(router).reservation, Usage())
        router.observe(fact, 1.0)
        with pytest.raises(AssertionError, match="settled before"):
            router.observe(fact, 1.0)
        with pytest.raises(KeyError):
            router.observe(FirstToken(fact.reservation, 1.0), 1.0)

    def test_reported_usage_teaches_and_an_estimate_does_not(self) -> None:
        router = self.router()
        for usage in (Usage(200, reported=True), Usage(900, reported=False)):
            decision = self.decide(router, input_tokens_estimated=100)
            router.observe(AttemptFinished(decision.reservation, usage), 1.0)
        calibration = router.fleet.calibration("m")
        assert calibration.samples == 1
        assert calibration.input_ratio == pytest.approx(1.2)

    @pytest.mark.parametrize("kind", FailureKind)
    def test_only_what_blames_the_replica_counts_as_its_failure(self, kind: FailureKind) -> None:
        router = self.router()
        router.observe(AttemptFailed(self.decide(router).reservation, Failure(kind, "x")), 0.0)
        assert router.fleet.state("a").failed == FAILURES[kind].blames_replica
        assert router.fleet.open_reservations == 0


class TestWeights:
    def test_config_overrides_a_factors_own(self) -> None:
        catalog = catalog_of(replica("a"), replica("b", is_local=True))
        plain = router_for(catalog)
        weighted = router_for(catalog, weights={"local": 0.0})
        for router, expected in ((plain, "b"), (weighted, "a")):
            decision = router.decide(demand_for(), 0.0)
            assert isinstance(decision, Dispatch)
            assert decision.replica.id == expected
            assert "local" in decision.evidence.factors  # shown, with or without a vote


def test_very_many_kinds_of_demand_are_not_remembered_for_ever() -> None:
    router = router_for(catalog_of(replica("a")))
    for number in range(3 * PLANS_KEPT):
        decision = router.decide(demand_for(excluded_providers=frozenset({f"x{number}"})), 0.0)
        assert isinstance(decision, Dispatch)
        router.observe(AttemptFinished(decision.reservation, Usage()), 0.0)
    assert len(router._plans) == PLANS_KEPT


def test_auto_is_no_target_for_a_router() -> None:
    with pytest.raises(ValueError, match="auto must have become a tier"):
        router_for(catalog_of(replica("a"))).decide(demand_for(Target(TargetKind.AUTO, "auto")), 0.0)


@given(demand=DEMANDS, other=DEMANDS, tokens=st.integers(0, 10**6))
def test_demands_that_are_alike_in_their_standing_part_are_of_one_kind(demand: Demand, other: Demand, tokens: int) -> None:
    alike = Demand._make((*demand[:STANDING], *other[STANDING:]))._replace(input_tokens_estimated=tokens)
    demand = demand._replace(input_tokens_estimated=tokens)
    assert kind_of(alike) == kind_of(demand)


@pytest.mark.parametrize(("gap_s", "is_local", "learned"), [(0.0, False, 1.0), (TIMING_REST_S, False, 1.2), (0.0, True, 1.2)])
def test_first_tokens_are_timed_one_by_one_while_they_are_few(gap_s: float, is_local: bool, learned: float) -> None:
    router = router_for(catalog_of(replica("a", is_local=is_local)))
    for number, ttft_s in enumerate((1.0, 2.0)):
        decision = router.decide(demand_for(), 10.0)
        assert isinstance(decision, Dispatch)
        router.observe(FirstToken(decision.reservation, ttft_s), 10.0 + number * gap_s)
    state = router.fleet.state("a")
    assert state.timing.ttft_s_ewma == pytest.approx(learned)
    assert (state.begun, state.waiting, state.answered_s) == (2, 0, 10.0 + gap_s)
