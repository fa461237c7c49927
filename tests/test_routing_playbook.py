"""Stories of a fleet: who is asked, who is left alone for how long, and what is said when nobody is left."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from routing.facts import FAILURES, FailureKind
from routing.health import AT_ONCE, EJECTION_BASE_S, EJECTION_CAP_S, RATE_LIMIT_CAP_S
from routing.types import TIER_ORDER, Capability, Escalation, LocalPreference, ModelTier, RejectReason, Target
from tests.playbook import (
    Asked,
    Began,
    Dispatched,
    Failed,
    Finished,
    Playbook,
    Refused,
    Reloaded,
    Waited,
    for_model,
    for_replica,
    for_tier,
    repeated,
    replica,
)

CONNECT, LIMITED, GONE = FailureKind.CONNECT, FailureKind.RATE_LIMITED, FailureKind.CLIENT_GONE
ILL = [kind for kind, policy in FAILURES.items() if policy.blames_replica]
BLAMELESS = [kind for kind, policy in FAILURES.items() if not policy.blames_replica and kind is not LIMITED]
A = Asked(), Dispatched("a")
UP, DOWN = Escalation.UP, Escalation.DOWN


def ejected(*replicas: str, others: tuple[str, ...] = ()) -> Playbook:
    """A story in which each of `replicas` has just been ejected, one after the other and a second apart."""
    play = Playbook(*replicas, *others)
    for index, id_ in enumerate(replicas):
        asked = Asked(tried=(*replicas[:index], *replicas[index + 1 :], *others))
        play = repeated(3, [asked, Dispatched(id_), Failed(id_, CONNECT)], play) >> Waited(1)
    return play


def test_the_diff_is_readable() -> None:
    with pytest.raises(AssertionError) as caught:
        assert Playbook("a", "b") >> Asked() << Dispatched("b")
    assert "- << dispatched to b" in str(caught.value)
    assert "+ << dispatched to a" in str(caught.value)
    assert "  >> asked for m" in str(caught.value)


class TestFailover:
    def test_the_order_is_that_of_the_scores_and_then_of_the_names(self) -> None:
        assert (
            Playbook("c", "b", "a")
            >> Asked()
            << Dispatched("a")
            >> Failed("a", CONNECT)
            >> Asked(tried=("a",))
            << Dispatched("b")
            >> Failed("b", CONNECT)
            >> Asked(tried=("a", "b"))
            << Dispatched("c")
            >> Failed("c", CONNECT)
            >> Asked(tried=("a", "b", "c"))
            << Refused(RejectReason.ALREADY_TRIED)
        )

    def test_local_first(self) -> None:
        assert Playbook("a", replica("b", is_local=True)) >> Asked() << Dispatched("b")

    def test_the_faster_one_once_both_are_known(self) -> None:
        assert (
            Playbook("a", "b")
            >> Asked()
            << Dispatched("a")
            >> Began("a", 2.0)
            >> Asked(tried=("a",))
            << Dispatched("b")
            >> Began("b", 0.5)
            >> Finished("a")
            >> Finished("b")
            >> Asked()
            << Dispatched("b")
        )

    def test_equals_share_the_load(self) -> None:
        play = Playbook("a", "b", "c")
        for expected in "abcabc":
            play = play >> Asked() << Dispatched(expected)

    def test_one_exchange_never_tries_twice(self) -> None:
        assert Playbook("a") >> Asked(tried=("a",)) << Refused(RejectReason.ALREADY_TRIED)

    def test_an_unknown_model_is_refused_without_a_reason(self) -> None:
        assert Playbook("a") >> Asked(for_model("other")) << Refused(None) >> Asked(for_replica("x/y")) << Refused(None)


class TestEjection:
    @pytest.mark.parametrize("kind", [kind for kind in ILL if kind not in AT_ONCE])
    def test_after_three_failures_in_a_row(self, kind: FailureKind) -> None:
        play = repeated(3, [*A, Failed("a", kind)], Playbook("a"))
        assert play >> Asked() << Dispatched("a", panic=True)

    def test_a_success_between_them_starts_the_count_anew(self) -> None:
        play = repeated(2, [*A, Failed("a", CONNECT)], Playbook("a"))
        play = repeated(1, [*A, Finished("a")], play)
        play = repeated(2, [*A, Failed("a", CONNECT)], play)
        assert play >> Asked() << Dispatched("a")

    @pytest.mark.parametrize("kind", AT_ONCE)
    def test_at_once_where_trying_again_can_not_help(self, kind: FailureKind) -> None:
        play = repeated(1, [*A, Failed("a", kind)], Playbook("a", "b"))
        assert (
            play >> Waited(AT_ONCE[kind] - 0.1) >> Asked() << Dispatched("b") >> Finished("b") >> Waited(0.1) >> Asked() << Dispatched("a")
        )

    @pytest.mark.parametrize("kind", BLAMELESS)
    def test_never_for_what_is_not_the_replicas_fault(self, kind: FailureKind) -> None:
        assert repeated(10, [*A, Failed("a", kind)], Playbook("a", "b"))

    def test_doubles_up_to_a_cap_with_one_probe_each_time(self) -> None:
        play = ejected("a", others=("b",)) >> Waited(-1)
        for wait_s in (5, 10, 20, 40, 60, 60):
            assert wait_s <= EJECTION_CAP_S
            play = play >> Waited(wait_s - 0.1) >> Asked() << Dispatched("b") >> Finished("b")
            play = play >> Waited(0.1) >> Asked() << Dispatched("a") >> Failed("a", CONNECT)

    def test_ten_attempts_that_one_restart_cut_are_one_ejection(self) -> None:
        play = repeated(10, [Asked(tried=("b",)), Dispatched("a")], Playbook("a", "b"))
        play = repeated(10, [Failed("a", FailureKind.CUT)], play)
        assert play >> Waited(EJECTION_BASE_S) >> Asked() << Dispatched("a")

    def test_a_late_failure_does_not_take_the_probes_verdict_away(self) -> None:
        play = repeated(4, [Asked(tried=("b",)), Dispatched("a")], Playbook("a", "b"))
        play = repeated(3, [Failed("a", FailureKind.CUT)], play)
        assert (
            play
            >> Waited(EJECTION_BASE_S)
            >> Asked(tried=("b",))
            << Dispatched("a")
            >> Failed("a", FailureKind.STALLED, attempt=0)
            >> Finished("a")
            >> Asked(tried=("b",))
            << Dispatched("a")
        )

    def test_an_old_stream_that_ends_well_heals_nobody(self) -> None:
        play = Playbook("a", "b") >> Asked() << Dispatched("a")
        play = repeated(3, [Asked(tried=("b",)), Dispatched("a"), Failed("a", FailureKind.OVERLOADED, attempt=-1)], play)
        assert play >> Finished("a") >> Asked() << Dispatched("b")

    def test_the_later_deadline_wins(self) -> None:
        play = repeated(3, [Asked(tried=("b",)), Dispatched("a")], Playbook("a", "b"))
        play = play >> Failed("a", FailureKind.UNAUTHORIZED, 300) >> Failed("a", FailureKind.UNAUTHORIZED) >> Failed("a", CONNECT, 20)
        assert play >> Waited(299) >> Asked() << Dispatched("b") >> Finished("b") >> Waited(1) >> Asked() << Dispatched("a")

    def test_a_hint_from_an_attempt_that_was_under_way_counts(self) -> None:
        play = repeated(4, [Asked(tried=("b",)), Dispatched("a")], Playbook("a", "b"))
        play = repeated(3, [Failed("a", FailureKind.OVERLOADED)], play) >> Failed("a", FailureKind.OVERLOADED, 30)
        assert play >> Waited(29) >> Asked() << Dispatched("b") >> Finished("b") >> Waited(1) >> Asked() << Dispatched("a")

    def test_a_hint_is_believed_for_an_hour(self) -> None:
        play = repeated(1, [*A, Failed("a", FailureKind.UNAUTHORIZED, 18 * 86400)], Playbook("a", "b"))
        assert (
            play >> Waited(RATE_LIMIT_CAP_S - 1) >> Asked() << Dispatched("b") >> Finished("b") >> Waited(1) >> Asked() << Dispatched("a")
        )

    def test_survives_a_reload(self) -> None:
        play = ejected("a", others=("b",)) >> Reloaded((replica("a"), replica("b"), replica("c")))
        assert play >> Asked() << Dispatched("b")


class TestProbation:
    def probing(self) -> Playbook:
        return ejected("a", others=("b",)) >> Waited(EJECTION_BASE_S) >> Asked() << Dispatched("a")

    def test_exactly_one_probe(self) -> None:
        play = self.probing()
        for _ in range(5):
            play = play >> Asked() << Dispatched("b")

    def test_one_that_succeeds_heals(self) -> None:
        play = self.probing() >> Finished("a") >> Asked() << Dispatched("a") >> Asked() << Dispatched("b")
        play = repeated(2, [Failed("a", CONNECT), Asked(tried=("b",)), Dispatched("a")], play)
        assert play >> Finished("a")  # three in a row are needed again

    def test_one_that_fails_ejects_for_twice_as_long(self) -> None:
        play = self.probing() >> Failed("a", CONNECT)
        assert play >> Waited(9.9) >> Asked() << Dispatched("b") >> Finished("b") >> Waited(0.1) >> Asked() << Dispatched("a")

    def test_a_client_that_leaves_frees_it(self) -> None:
        assert self.probing() >> Failed("a", GONE) >> Asked() << Dispatched("a") >> Asked() << Dispatched("b")

    def test_a_bad_request_frees_it_and_proves_nothing(self) -> None:
        play = self.probing() >> Failed("a", FailureKind.BAD_REQUEST) >> Asked() << Dispatched("a")
        assert play >> Failed("a", CONNECT) >> Asked() << Dispatched("b")

    def test_after_a_success_the_back_off_starts_over(self) -> None:
        play = self.probing() >> Failed("a", CONNECT) >> Waited(10) >> Asked() << Dispatched("a") >> Finished("a")
        play = repeated(3, [Asked(tried=("b",)), Dispatched("a"), Failed("a", CONNECT)], play)
        assert play >> Waited(EJECTION_BASE_S) >> Asked() << Dispatched("a")


class TestRateLimit:
    def test_closes_until_the_reset_and_not_longer(self) -> None:
        play = repeated(1, [*A, Failed("a", LIMITED, 20)], Playbook("a", "b"))
        play = play >> Waited(19.9) >> Asked() << Dispatched("b") >> Finished("b") >> Waited(0.1)
        # One finds out whether the reset was true; with its first token, many may go at once.
        play = play >> Asked() << Dispatched("a") >> Asked() << Dispatched("b") >> Asked() << Dispatched("b")
        assert play >> Began("a", 0.5) >> Asked() << Dispatched("a")

    def test_is_no_failure(self) -> None:
        play = repeated(5, [*A, Failed("a", LIMITED, 1), Waited(1)], Playbook("a", "b"))
        assert play >> Asked() << Dispatched("a")

    def test_a_hint_is_believed_for_an_hour(self) -> None:
        play = repeated(1, [*A, Failed("a", LIMITED, 18 * 86400)], Playbook("a", "b"))
        assert (
            play >> Waited(RATE_LIMIT_CAP_S - 1) >> Asked() << Dispatched("b") >> Finished("b") >> Waited(1) >> Asked() << Dispatched("a")
        )

    def test_without_a_hint_it_backs_off(self) -> None:
        play = Playbook("a")
        for wait_s in (1, 2, 4, 8):
            play = play >> Asked() << Dispatched("a") >> Failed("a", LIMITED)
            play = play >> Asked() << Refused(RejectReason.RATE_LIMITED, wait_s) >> Waited(wait_s)

    def test_a_burst_without_a_hint_is_one_limit(self) -> None:
        play = repeated(10, list(A), Playbook("a"))
        play = repeated(10, [Failed("a", LIMITED)], play)
        assert play >> Asked() << Refused(RejectReason.RATE_LIMITED, 1)

    def test_an_old_stream_that_ends_well_does_not_lift_it(self) -> None:
        play = repeated(2, list(A), Playbook("a")) >> Failed("a", LIMITED, 20, attempt=-1) >> Waited(5) >> Finished("a")
        assert play >> Asked() << Refused(RejectReason.RATE_LIMITED, 15)

    def test_the_later_reset_wins(self) -> None:
        play = repeated(2, list(A), Playbook("a")) >> Failed("a", LIMITED, 30) >> Failed("a", LIMITED, 5)
        assert play >> Asked() << Refused(RejectReason.RATE_LIMITED, 30)

    def test_when_all_are_at_their_limit_the_first_reset_counts(self) -> None:
        play = repeated(1, [*A, Failed("a", LIMITED, 20), Asked(), Dispatched("b"), Failed("b", LIMITED, 7)], Playbook("a", "b"))
        assert play >> Asked() << Refused(RejectReason.RATE_LIMITED, 7) >> Waited(7) >> Asked() << Dispatched("b")

    def test_it_is_the_reason_given_beside_others(self) -> None:
        play = repeated(1, [*A, Failed("a", LIMITED, 20)], Playbook("a", replica("b", dialects=("embeddings",))))
        assert play >> Asked() << Refused(RejectReason.RATE_LIMITED, 20)

    def test_never_panic(self) -> None:
        play = repeated(1, [*A, Failed("a", FailureKind.UNAUTHORIZED)], Playbook("a"))
        play = play >> Asked() << Dispatched("a", panic=True) >> Failed("a", LIMITED, 20)
        assert play >> Asked() << Refused(RejectReason.RATE_LIMITED, 20)

    def test_its_words_are_its_own(self) -> None:
        play = repeated(1, [*A, Failed("a", CONNECT)], Playbook("a"))
        play = repeated(1, [*A, Failed("a", LIMITED, 20), Asked()], play)
        assert play.decision is not None
        assert [reject.detail for reject in play.decision.evidence.rejected] == ["rate_limited: as the script wants it"]


class TestPanic:
    def test_the_one_that_is_back_first_is_asked(self) -> None:
        assert ejected("a", "b") >> Asked() << Dispatched("a", panic=True)

    def test_what_it_finds_out_counts(self) -> None:
        play = ejected("a", "b") >> Asked() << Dispatched("a", panic=True) >> Finished("a")
        assert play >> Asked() << Dispatched("a") >> Asked() << Dispatched("a")

    def test_the_tried_ones_stay_out_of_it(self) -> None:
        play = ejected("a", "b") >> Asked(tried=("a",)) << Dispatched("b", panic=True)
        assert play >> Asked(tried=("a", "b")) << Refused(RejectReason.ALREADY_TRIED)

    def test_a_replica_whose_probe_is_out_is_asked_before_nobody(self) -> None:
        play = ejected("a") >> Waited(EJECTION_BASE_S) >> Asked() << Dispatched("a")
        assert play >> Asked() << Dispatched("a", panic=True)

    def test_it_takes_no_probes_place(self) -> None:
        """One probe at a time, however many are sent in panic meanwhile and however those end."""
        for end in (Failed("a", GONE, attempt=-1), Failed("a", CONNECT, attempt=-1)):
            play = ejected("a") >> Waited(EJECTION_BASE_S) >> Asked() << Dispatched("a")
            play = play >> Asked() << Dispatched("a", panic=True) >> end
            assert play >> Waited(EJECTION_CAP_S) >> Asked() << Dispatched("a", panic=True)
            assert play >> Failed("a", GONE) >> Asked() << Dispatched("a")

    def test_once_per_exchange(self) -> None:
        play = ejected("a", "b") >> Asked() << Dispatched("a", panic=True) >> Failed("a", CONNECT)
        assert play >> Asked(tried=("a",), panicked=True) << Refused(RejectReason.EJECTED, EJECTION_BASE_S - 1)
        assert play >> Waited(EJECTION_BASE_S - 1) >> Asked(tried=("a",), panicked=True) << Dispatched("b")

    def test_a_constraint_is_never_lifted(self) -> None:
        play = ejected("a", "b") >> Asked(wants={"excluded_providers": frozenset({"a"})}) << Dispatched("b", panic=True)
        assert play >> Asked(wants={"local_preference": LocalPreference.REQUIRED}) << Refused(RejectReason.NOT_LOCAL)


class TestWhatIsBelievedOfAModel:
    BLIND = replica("a", capability_bits=0, context_window=1000)
    SEES: ClassVar[dict[str, Any]] = {"capability_bits": int(Capability.VISION)}
    LONG: ClassVar[dict[str, Any]] = {"input_tokens_estimated": 5000}
    NO_VISION = "a missing capability (no vision), asked anyway: the client named it"
    SMALL = "a context too small (about 5000 tokens of prompt and 0 of answer, window 1000), asked anyway: the client named it"

    def test_chooses_among_replicas(self) -> None:
        assert Playbook(self.BLIND, "b") >> Asked(wants=self.SEES) << Dispatched("b") >> Asked(wants=self.LONG) << Dispatched("b")

    @pytest.mark.parametrize("target", [for_model(), for_replica("a")])
    def test_is_doubted_when_the_client_named_it(self, target: Target) -> None:
        play = Playbook(self.BLIND) >> Asked(target, wants=self.SEES) << Dispatched("a", notes=(self.NO_VISION,))
        assert play >> Asked(target, wants=self.LONG) << Dispatched("a", notes=(self.SMALL,))

    def test_is_not_doubted_for_a_tier(self) -> None:
        play = Playbook(self.BLIND) >> Asked(for_tier(ModelTier.MID), wants=self.SEES) << Refused(RejectReason.MISSING_CAPABILITY)
        assert play >> Asked(for_tier(ModelTier.MID), wants=self.LONG) << Refused(RejectReason.CONTEXT_TOO_SMALL)

    def test_what_binds_still_binds(self) -> None:
        wants = {**self.SEES, "excluded_providers": frozenset({"a"})}
        assert Playbook(self.BLIND) >> Asked(wants=wants) << Refused(RejectReason.EXCLUDED)

    def test_the_note_names_only_who_is_asked(self) -> None:
        other = replica("b", capability_bits=0)
        play = Playbook(self.BLIND, other) >> Asked(for_replica("b")) << Dispatched("b") >> Failed("b", LIMITED, 60)
        assert play >> Asked(wants=self.SEES) << Dispatched("a", notes=(self.NO_VISION,))

    def test_a_refusal_has_no_note(self) -> None:
        play = Playbook(self.BLIND) >> Asked() << Dispatched("a") >> Failed("a", LIMITED, 60) >> Asked(wants=self.SEES)
        assert play << Refused(RejectReason.RATE_LIMITED, 60)
        assert play.decision is not None
        assert play.decision.evidence.notes == ()


class TestTiers:
    @pytest.mark.parametrize(
        ("wanted", "served", "answers"),
        [
            ("micro", "micro small", "micro"),
            ("micro", "small frontier", "small"),
            ("small", "micro mid frontier", "mid"),
            ("mid", "micro small", "small"),
            ("frontier", "micro small", "small"),
            ("frontier", "micro", "micro"),
        ],
    )
    def test_upward_first_and_then_down(self, wanted: str, served: str, answers: str) -> None:
        play = Playbook(*(replica(tier, f"model-{tier}", ModelTier(tier)) for tier in served.split()))
        spilled = None if wanted == answers else ModelTier(wanted)
        way = None if spilled is None else UP if TIER_ORDER.index(ModelTier(answers)) > TIER_ORDER.index(spilled) else DOWN
        assert play >> Asked(for_tier(ModelTier(wanted))) << Dispatched(answers, spilled_from=spilled, escalation=way)

    def test_with_nobody_at_all(self) -> None:
        assert Playbook() >> Asked(for_tier(ModelTier.MID)) << Refused(None)

    def test_every_model_of_the_tier_may_answer(self) -> None:
        play = Playbook(replica("a", "one"), replica("b", "two"))
        assert play >> Asked(for_tier(ModelTier.MID)) << Dispatched("a") >> Asked(for_tier(ModelTier.MID)) << Dispatched("b")
