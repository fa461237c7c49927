"""The order on failure, line by line, and who is asked first: stories of models, tiers and policies."""

from __future__ import annotations

import pytest

from routing.facts import FailureKind
from routing.failover import WAITING_MOST
from routing.retry import WINDOW_S, RetryLimits
from routing.types import (
    Escalation,
    LocalPreference,
    LogicalModel,
    ModelReplica,
    ModelTier,
    Objective,
    Policy,
    Price,
    RejectReason,
    Target,
    TargetKind,
)
from tests.playbook import Asked, Began, Counted, Dispatched, Failed, Finished, Playbook, Refused, Waited, for_model, for_tier, replica

CONNECT, LIMITED, REFUSED = FailureKind.CONNECT, FailureKind.RATE_LIMITED, FailureKind.UNAUTHORIZED
MICRO, SMALL, MID, FRONTIER = ModelTier
UP, DOWN = Escalation.UP, Escalation.DOWN
ANOTHER = ("another replica of m1 comes before other models",)


def asked(tier: ModelTier = MID, *tried: str, **wants: object) -> Asked:
    return Asked(for_tier(tier), tried, dict(wants))


class TestOrderOnFailure:
    """Issue 3, item 7."""

    FLEET = (
        replica("p/m1", "m1", MID),
        replica("q/m1", "m1", MID, price=Price(90.0, 90.0)),
        replica("p/m2", "m2", MID, price=Price(0.1, 0.1)),
        replica("p/big", "big", FRONTIER),
        replica("p/little", "little", SMALL),
    )

    def test_next_replica_of_the_same_model_then_next_model_then_up_then_down_then_nobody(self) -> None:
        play = Playbook(*self.FLEET) >> asked(MID, "p/m1") << Dispatched("q/m1", notes=ANOTHER) >> Failed("q/m1", CONNECT)
        play = play >> asked(MID, "p/m1", "q/m1") << Dispatched("p/m2") >> Failed("p/m2", CONNECT)
        play = play >> asked(MID, "p/m1", "q/m1", "p/m2") << Dispatched("p/big", spilled_from=MID, escalation=UP)
        play = play >> Failed("p/big", CONNECT) >> asked(MID, "p/m1", "q/m1", "p/m2", "p/big")
        play = play << Dispatched("p/little", spilled_from=MID, escalation=DOWN) >> Failed("p/little", CONNECT)
        assert play >> asked(MID, *(each.id for each in self.FLEET)) << Refused(RejectReason.ALREADY_TRIED)

    def test_without_escalation_only_downward(self) -> None:
        play = Playbook(*self.FLEET, catalog={"escalate": False})
        assert play >> asked(MID, "p/m1", "q/m1", "p/m2") << Dispatched("p/little", spilled_from=MID, escalation=DOWN)

    def test_a_dearer_one_that_the_ceiling_refuses_is_a_downgrade(self) -> None:
        play = Playbook(replica("p/big", "big", FRONTIER, price=Price(50.0, 50.0)), replica("p/mid", "mid", MID, price=Price(1.0, 1.0)))
        wants = {"input_tokens_estimated": 100_000, "max_cost_usd": 0.5}
        play = play >> asked(FRONTIER, **wants) << Dispatched("p/mid", spilled_from=FRONTIER, escalation=DOWN)
        assert play >> asked(FRONTIER, **{**wants, "max_cost_usd": 0.05}) << Refused(RejectReason.OVER_COST)

    def test_a_price_that_nobody_knows_keeps_no_ceiling(self) -> None:
        assert Playbook("a") >> Asked(wants={"max_cost_usd": 1.0}) << Refused(RejectReason.OVER_COST)

    def test_the_least_bad_of_all_tiers_comes_after_all_tiers(self) -> None:
        play = Playbook(replica("p/mid", "mid", MID), replica("q/big", "big", FRONTIER))
        play = play >> asked() << Dispatched("p/mid") >> Failed("p/mid", REFUSED, 300)
        play = play >> asked() << Dispatched("q/big", spilled_from=MID, escalation=UP) >> Failed("q/big", REFUSED, 100)
        assert play >> asked() << Dispatched("q/big", panic=True, spilled_from=MID, escalation=UP)

    def test_a_refusal_says_when_the_first_of_all_tiers_opens(self) -> None:
        play = Playbook(replica("p/mid", "mid", MID), replica("q/big", "big", FRONTIER))
        play = play >> asked() << Dispatched("p/mid") >> Failed("p/mid", LIMITED, 300)
        play = play >> asked() << Dispatched("q/big", spilled_from=MID, escalation=UP) >> Failed("q/big", LIMITED, 100)
        assert (
            play
            >> asked()
            << Refused(RejectReason.RATE_LIMITED, 100)
            >> Waited(100)
            >> asked()
            << Dispatched("q/big", spilled_from=MID, escalation=UP)
        )

    def test_a_named_model_is_never_replaced(self) -> None:
        play = Playbook(*self.FLEET)
        assert play >> Asked(for_model("m2"), ("p/m2",)) << Refused(RejectReason.ALREADY_TRIED)
        assert play >> Asked(Target(TargetKind.REPLICA, "p/m1"), ("p/m1",)) << Refused(RejectReason.ALREADY_TRIED)


class TestPolicies:
    STEPS = (Target(TargetKind.MODEL, "m2"), Target(TargetKind.TIER, "frontier"), Target(TargetKind.REPLICA, "p/m1"))
    POLICY = Target(TargetKind.POLICY, "code")

    def play(self) -> Playbook:
        return Playbook(*TestOrderOnFailure.FLEET, catalog={"policies": {"code": Policy("code", self.STEPS)}})

    def test_one_step_after_the_other_and_nothing_else(self) -> None:
        play = self.play() >> Asked(self.POLICY) << Dispatched("p/m2") >> Asked(self.POLICY, ("p/m2",)) << Dispatched("p/big")
        play = play >> Asked(self.POLICY, ("p/m2", "p/big")) << Dispatched("p/m1")
        assert play >> Asked(self.POLICY, ("p/m2", "p/big", "p/m1")) << Refused(RejectReason.ALREADY_TRIED)

    def test_what_is_believed_of_a_model_binds_where_nobody_named_it(self) -> None:
        weak = replica("p/weak", "weak", MID, capability_bits=0)
        policy = Policy("code", (Target(TargetKind.MODEL, "weak"), Target(TargetKind.TIER, "small")))
        play = Playbook(weak, replica("p/little", "little", SMALL), catalog={"policies": {"code": policy}})
        assert play >> Asked(self.POLICY, wants={"capability_bits": 1}) << Dispatched("p/little")


class TestConstraints:
    def test_local_only_never_takes_a_cloud_model_behind_a_local_server(self) -> None:
        """Ollama offers `gpt-oss:120b-cloud` beside what it runs itself; config.fleet says that it is not local."""
        play = Playbook(
            replica("ollama/gpt-oss:120b-cloud", "gpt-oss-120b", MID), replica("ollama/qwen3:30b", "qwen3-30b", SMALL, is_local=True)
        )
        wants = {"local_preference": LocalPreference.REQUIRED}
        play = play >> asked(MID, **wants) << Dispatched("ollama/qwen3:30b", spilled_from=MID, escalation=DOWN)
        play = play >> asked(MID, "ollama/qwen3:30b", **wants) << Refused(RejectReason.NOT_LOCAL)
        assert play >> Asked(for_model("gpt-oss-120b"), wants=wants) << Refused(RejectReason.NOT_LOCAL)

    def test_what_only_one_account_can_read_goes_there_or_nowhere(self) -> None:
        """D6: ahead of every other rule."""
        wants = {"made_by": "q", "affinity_keys": ("k",)}
        play = (
            Playbook(replica("p/m", is_local=True), "q/m") >> Asked(wants={"affinity_keys": ("k",)}) << Dispatched("p/m") >> Finished("p/m")
        )
        play = play >> Asked(wants=wants) << Dispatched("q/m") >> Failed("q/m", LIMITED, 60)
        assert (
            play
            >> Asked(wants=wants)
            << Refused(RejectReason.RATE_LIMITED, 60)
            >> Asked(wants={"made_by": "gone"})
            << Refused(RejectReason.OTHER_ACCOUNT)
        )


class TestQualityFloor:
    FLEET = (replica("p/weak", "weak", MID, price=Price(0.0, 0.0)), replica("p/good", "good", MID, price=Price(9.0, 9.0)))
    MODELS = (LogicalModel("weak", MID, quality=0.3), LogicalModel("good", MID, quality=0.7))

    @pytest.mark.parametrize("objective", Objective)
    def test_cost_never_undercuts_it(self, objective: Objective) -> None:
        play = Playbook(*self.FLEET, catalog={"models": self.MODELS})
        assert play >> asked(MID, objective=objective) << Dispatched("p/good") >> asked(MID, "p/good") << Refused(RejectReason.LOW_QUALITY)

    def test_who_names_the_model_gets_it(self) -> None:
        assert Playbook(*self.FLEET, catalog={"models": self.MODELS}) >> Asked(for_model("weak")) << Dispatched("p/weak")

    def test_config_sets_it(self) -> None:
        play = Playbook(*self.FLEET, catalog={"models": self.MODELS}, quality_floors={MID: 0.2})
        assert play >> asked(MID, objective=Objective.COST) << Dispatched("p/weak")

    def test_an_unknown_quality_is_no_bad_one(self) -> None:
        assert Playbook(self.FLEET[0]) >> asked() << Dispatched("p/weak")


class TestHeadroom:
    def test_nobody_is_asked_beyond_a_limit(self) -> None:
        play = Playbook("a", "b") >> Counted("a", 0.0, 30) >> Asked() << Dispatched("b") >> Counted("b", 0.0, 20)
        play = play >> Asked() << Refused(RejectReason.NO_HEADROOM, 20) >> Waited(20) >> Asked() << Dispatched("b") >> Finished("b")
        assert play >> Waited(20) >> Asked() << Dispatched("a")

    def test_what_is_left_is_spread_over(self) -> None:
        assert Playbook("a", "b") >> Counted("a", 0.2) >> Counted("b", 0.9) >> Asked() << Dispatched("b")

    def test_it_spills_to_the_next_model_and_tier(self) -> None:
        play = Playbook(replica("p/mid", "mid", MID), replica("q/big", "big", FRONTIER)) >> Counted("p/mid", 0.0, 60)
        assert play >> asked() << Dispatched("q/big", spilled_from=MID, escalation=UP)


class TestLocalFirst:
    @pytest.mark.parametrize("tier", [MICRO, SMALL])
    @pytest.mark.parametrize("objective", [Objective.BALANCED, Objective.COST_SPEED, Objective.COST])
    def test_in_small_tiers_even_where_it_is_worse_at_everything(self, tier: ModelTier, objective: Objective) -> None:
        models = (
            LogicalModel("near", tier, quality=0.1, output_tokens_per_s=5.0),
            LogicalModel("far", tier, quality=0.9, output_tokens_per_s=200.0),
        )
        fleet = (
            replica("box/near", "near", tier, is_local=True, price=Price(0.0, 0.0)),
            replica("far/far", "far", tier, price=Price(1.0, 4.0)),
        )
        play = Playbook(*fleet, catalog={"models": models}) >> asked(tier, "far/far") << Dispatched("box/near") >> Began("box/near", 4.5)
        play = (
            play >> Finished("box/near") >> asked(tier, "box/near") << Dispatched("far/far") >> Began("far/far", 0.3) >> Finished("far/far")
        )
        assert play >> asked(tier, objective=objective) << Dispatched("box/near")

    def test_unless_its_first_token_takes_ten_seconds(self) -> None:
        fleet = (replica("box/near", "near", MICRO, is_local=True), replica("far/far", "far", MICRO))
        play = Playbook(*fleet) >> asked(MICRO) << Dispatched("box/near") >> Began("box/near", 11.0) >> Finished("box/near")
        play = play >> asked(MICRO, "box/near") << Dispatched("far/far") >> Began("far/far", 0.3) >> Finished("far/far")
        play = play >> asked(MICRO) << Dispatched("far/far") >> Finished("far/far")
        # One cold start does not shun it for ever: after ten minutes without an answer its time is unknown again.
        assert play >> Waited(650) >> asked(MICRO) << Dispatched("box/near")

    def test_not_for_a_frontier_question(self) -> None:
        models = (LogicalModel("near", FRONTIER, quality=0.7), LogicalModel("far", FRONTIER, quality=0.9))
        fleet = (replica("box/near", "near", FRONTIER, is_local=True), replica("far/far", "far", FRONTIER))
        assert Playbook(*fleet, catalog={"models": models}) >> asked(FRONTIER) << Dispatched("far/far")

    def test_a_queue_counts_where_one_device_reads_one_prompt_after_the_other(self) -> None:
        fleet = (replica("box/near", "near", MICRO, is_local=True), replica("far/far", "far", MICRO))
        play = Playbook(*fleet) >> asked(MICRO) << Dispatched("box/near") >> Began("box/near", 3.0) >> Finished("box/near")
        for _ in range(3):  # three are waiting: the fourth would begin after twelve seconds
            play = play >> asked(MICRO, "far/far") << Dispatched("box/near")
        assert play >> asked(MICRO) << Dispatched("far/far")


class TestObjectives:
    FLEET = (
        replica("p/cheap", "cheap", FRONTIER, price=Price(1.0, 1.0)),
        replica("p/quick", "quick", FRONTIER, price=Price(5.0, 5.0)),
        replica("p/good", "good", FRONTIER, price=Price(9.0, 9.0)),
    )
    MODELS = (
        LogicalModel("cheap", FRONTIER, quality=0.70, output_tokens_per_s=50.0),
        LogicalModel("quick", FRONTIER, quality=0.72, output_tokens_per_s=200.0),
        LogicalModel("good", FRONTIER, quality=0.95, output_tokens_per_s=60.0),
    )

    @pytest.mark.parametrize(
        ("objective", "chosen"),
        [(Objective.COST, "p/cheap"), (Objective.SPEED, "p/quick"), (Objective.COST_SPEED, "p/quick"), (Objective.QUALITY, "p/good")],
    )
    def test_each_has_its_winner(self, objective: Objective, chosen: str) -> None:
        assert Playbook(*self.FLEET, catalog={"models": self.MODELS}) >> asked(FRONTIER, objective=objective) << Dispatched(chosen)

    def test_a_profile_leans_the_balance(self) -> None:
        for profile, chosen in (("fast", "p/quick"), ("strong", "p/good")):
            play = Playbook(*self.FLEET, catalog={"models": self.MODELS}, profile=profile)
            assert play >> asked(FRONTIER, objective=Objective.BALANCED) << Dispatched(chosen)

    def test_pareto_prefers_whoever_is_beaten_by_nobody(self) -> None:
        beaten = replica("p/beaten", "beaten", FRONTIER, price=Price(6.0, 6.0))
        models = (*self.MODELS, LogicalModel("beaten", FRONTIER, quality=0.71, output_tokens_per_s=190.0))
        play = (
            Playbook(*self.FLEET, beaten, catalog={"models": models}) >> asked(FRONTIER, objective=Objective.PARETO) << Dispatched("p/good")
        )
        assert play.decision is not None
        evidence = play.decision.evidence
        merits = dict(zip(evidence.candidates, evidence.factors["merit"], strict=True))
        assert merits["p/beaten"] == min(merits.values())


class TestAffinity:
    KEYS = ("strong", "weak")

    def bound(self) -> Playbook:
        """A conversation that "b" has answered, beside an equal "a" that the alphabet prefers."""
        wants = {"affinity_keys": self.KEYS}
        return Playbook("a", "b") >> Asked(tried=("a",), wants=wants) << Dispatched("b") >> Finished("b")

    def test_it_stays_where_it_was_answered(self) -> None:
        play = self.bound() >> Asked(wants={"affinity_keys": self.KEYS}) << Dispatched("b")
        assert play >> Asked(wants={"affinity_keys": ("other",)}) << Dispatched("a")

    def test_h3_only_a_success_binds(self) -> None:
        play = (
            Playbook("a", "b")
            >> Asked(tried=("a",), wants={"affinity_keys": self.KEYS})
            << Dispatched("b")
            >> Failed("b", FailureKind.CLIENT_GONE)
        )
        assert play >> Asked(wants={"affinity_keys": self.KEYS}) << Dispatched("a")

    def test_it_outweighs_load_and_small_differences(self) -> None:
        play = self.bound()
        for _ in range(5):
            play = play >> Asked(wants={"affinity_keys": self.KEYS}) << Dispatched("b")

    def test_it_gives_way_to_a_limit_and_to_illness(self) -> None:
        play = self.bound() >> Asked(wants={"affinity_keys": self.KEYS}) << Dispatched("b") >> Failed("b", LIMITED, 60)
        assert play >> Asked(wants={"affinity_keys": self.KEYS}) << Dispatched("a")

    def test_it_gives_way_to_the_local_replica_that_is_back(self) -> None:
        fleet = (replica("box/m", tier=MICRO, is_local=True), replica("far/m", tier=MICRO))
        wants = {"affinity_keys": self.KEYS}
        play = Playbook(*fleet) >> asked(MICRO, "box/m", **wants) << Dispatched("far/m") >> Finished("far/m")
        assert play >> asked(MICRO, **wants) << Dispatched("box/m")


class TestErrors:
    def test_who_fails_now_and_then_is_avoided_and_forgiven(self) -> None:
        play = Playbook("a", "b") >> Asked() << Dispatched("a") >> Failed("a", CONNECT) >> Asked() << Dispatched("b") >> Finished("b")
        assert play >> Waited(1200) >> Asked() << Dispatched("a")

    def test_d5_a_refused_key_is_the_accounts_and_another_account_answers_at_once(self) -> None:
        fleet = (replica("p/m"), replica("p/n", "n"), replica("q/m"))
        play = Playbook(*fleet) >> Asked(for_model("n")) << Dispatched("p/n") >> Finished("p/n")
        play = play >> Asked() << Dispatched("p/m") >> Failed("p/m", REFUSED, status=401) >> Asked(tried=("p/m",)) << Dispatched("q/m")
        assert play >> Asked(for_model("n")) << Dispatched("p/n", panic=True)

    def test_what_may_be_about_one_model_is_not_held_against_the_account(self) -> None:
        play = Playbook(replica("p/m"), replica("p/n", "n")) >> Asked(for_model("n")) << Dispatched("p/n") >> Finished("p/n")
        play = play >> Asked() << Dispatched("p/m") >> Failed("p/m", REFUSED, status=403)
        assert play >> Asked(for_model("n")) << Dispatched("p/n")


class TestRetryBudget:
    LIMITS = RetryLimits(share=0.5, min_per_second=0.2)  # two in ten seconds, and half of the first attempts
    AGAIN = Asked(tried=("p/a",))

    def spent(self, *others: str) -> Playbook:
        """Two retries at the account that has failed: that is all there may be."""
        play = Playbook("p/a", "p/b", *others, retry=self.LIMITS)
        for _ in range(2):
            play = play >> Asked(tried=("p/a", *others)) << Dispatched("p/b") >> Failed("p/b", FailureKind.CLIENT_GONE)
        return play

    def test_a_flood_of_retries_is_stopped_and_told_when_to_come_back(self) -> None:
        play = self.spent() >> Waited(3) >> self.AGAIN << Refused(RejectReason.RETRY_BUDGET, WINDOW_S - 3)
        # First attempts are never held back, and make room for more retries.
        for _ in range(2):
            play = play >> Asked() << Dispatched("p/a") >> Failed("p/a", FailureKind.CLIENT_GONE)
        assert play >> self.AGAIN << Dispatched("p/b") >> self.AGAIN << Refused(RejectReason.RETRY_BUDGET, WINDOW_S - 3)

    def test_it_is_forgotten_after_ten_seconds(self) -> None:
        assert self.spent() >> Waited(WINDOW_S) >> self.AGAIN << Dispatched("p/b")

    def test_one_person_never_meets_it(self) -> None:
        play = Playbook("p/a", "p/b")
        for _ in range(99):
            play = play >> self.AGAIN << Dispatched("p/b")

    def test_another_provider_that_is_well_is_no_retry(self) -> None:
        """It is asked with the budget used up, and does not use any of it."""
        play = self.spent("q/c")
        for _ in range(5):
            play = play >> self.AGAIN << Dispatched("q/c") >> Finished("q/c")
        assert play >> Asked(tried=("p/a", "q/c")) << Refused(RejectReason.RETRY_BUDGET, WINDOW_S)
        assert play >> Waited(WINDOW_S) >> Asked(tried=("p/a", "q/c")) << Dispatched("p/b")

    def test_another_provider_that_fails_too_is_one(self) -> None:
        play = self.spent("q/c") >> self.AGAIN << Dispatched("q/c") >> Failed("q/c", FailureKind.CONNECT)
        assert play >> self.AGAIN << Refused(RejectReason.RETRY_BUDGET, WINDOW_S)

    def test_one_that_is_back_from_an_ejection_is_one_for_ten_seconds(self) -> None:
        play = Playbook("p/a", "q/c", retry=self.LIMITS) >> Asked(tried=("p/a",)) << Dispatched("q/c")
        play = play >> Failed("q/c", FailureKind.NOT_FOUND) >> Waited(60) >> Asked(tried=("p/a",)) << Dispatched("q/c") >> Finished("q/c")
        play = play >> self.AGAIN << Dispatched("q/c") >> self.AGAIN << Refused(RejectReason.RETRY_BUDGET, WINDOW_S)
        assert (
            play
            >> Waited(WINDOW_S)
            >> self.AGAIN
            << Dispatched("q/c")
            >> self.AGAIN
            << Dispatched("q/c")
            >> self.AGAIN
            << Dispatched("q/c")
        )

    def test_a_load_that_nobody_knows_how_it_is_borne_is_one(self) -> None:
        play = Playbook("p/a", "q/c", retry=self.LIMITS)
        for _ in range(WAITING_MOST + 2):
            play = play >> self.AGAIN << Dispatched("q/c")
        assert play >> self.AGAIN << Refused(RejectReason.RETRY_BUDGET, WINDOW_S)


class TestQueue:
    """A box that reads one prompt after the other, ten seconds each, and somebody dearer."""

    BOX = replica("box/near", "near", MID, is_local=True)

    def queued(self, *others: ModelReplica, waiting: int) -> Playbook:
        play = Playbook(self.BOX, *others)
        named = Asked(for_model("near"))
        play = play >> named << Dispatched("box/near") >> named << Dispatched("box/near") >> Waited(10) >> Began("box/near", 10.0)
        play = play >> Waited(10) >> Finished("box/near") >> Finished("box/near")
        for _ in range(waiting):
            play = play >> named << Dispatched("box/near")
        return play

    def test_a_long_one_spills_to_the_next_tier_and_back(self) -> None:
        cloud = replica("q/big", "big", FRONTIER)
        play = self.queued(cloud, waiting=6) >> asked() << Dispatched("box/near")
        play = play >> asked() << Dispatched("q/big", spilled_from=MID, escalation=UP)
        assert play >> Failed("box/near", FailureKind.CLIENT_GONE) >> asked() << Dispatched("box/near")

    def test_who_names_the_model_waits(self) -> None:
        note = "box/near no headroom (about 70 s of others before it), asked anyway: the client named it"
        play = self.queued(replica("q/big", "big", FRONTIER), waiting=7)
        assert play >> Asked(for_model("near")) << Dispatched("box/near", notes=(note,))

    def test_whom_nobody_else_can_answer_waits_too(self) -> None:
        note = "box/near no headroom (about 70 s of others before it), asked anyway: nobody else can answer"
        assert self.queued(waiting=7) >> asked() << Dispatched("box/near", notes=(note,))

    def test_a_vendors_is_not_ours_to_count(self) -> None:
        play = Playbook(replica("q/far", "far", MID), replica("q/big", "big", FRONTIER))
        play = play >> asked() << Dispatched("q/far") >> asked() << Dispatched("q/far") >> Waited(60) >> Began("q/far", 60.0)
        play = play >> Waited(60) >> Finished("q/far") >> Finished("q/far")
        for _ in range(5):
            play = play >> asked() << Dispatched("q/far")
