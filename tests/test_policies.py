"""Which policy applies, and what it makes of a request: the order of precedence, and that `normal` changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.policies import NORMAL, PolicyBook, Rule, target_of
from routing.types import CallRole, Classification, ModelTier, Objective, Policy, Target, TargetKind, UseCase

NAMES = ("normal", "code", "ops", "deep")


def classified(
    role: CallRole = CallRole.MAIN,
    use_case: UseCase = UseCase.CHAT,
    tier: ModelTier = ModelTier.SMALL,
    chore: str | None = None,
) -> Classification:
    return Classification(role, tier, use_case, Objective.BALANCED, 0.4, 0.8, chore, ("short question", "no code", "no tools"))


def book(*rules: Rule, default: str = NORMAL, **by_client: str) -> PolicyBook:
    return PolicyBook({name: Policy(name) for name in NAMES}, rules, default, by_client)


def choice(
    of: PolicyBook,
    *,
    named: str | None = None,
    client: str | None = "ci",
    harness: str = "codex",
    model: str = "auto",
    classification: Classification | None = None,
) -> str:
    policy, why = of.select(
        named=named, client=client, harness=harness, requested_model=model, classification=classification or classified()
    )
    assert why
    return policy.name


ALL_WAYS = book(Rule("ops", harness="codex"), default="deep", ci="code")


def test_the_order_of_precedence() -> None:
    assert choice(ALL_WAYS, named="normal") == "normal"
    assert choice(ALL_WAYS) == "code"
    assert choice(ALL_WAYS, client="other") == "ops"
    assert choice(ALL_WAYS, client="other", harness="opencode") == "deep"
    assert choice(PolicyBook()) == NORMAL


def test_why_is_said() -> None:
    def why(named: str | None, client: str | None, harness: str) -> str:
        return ALL_WAYS.select(named=named, client=client, harness=harness, requested_model="auto", classification=None)[1]

    assert why("ops", "ci", "codex") == "the request named it"
    assert why(None, "ci", "codex") == "the key ci has it"
    assert why(None, None, "codex") == "rule 1 gives it: harness codex"
    assert why(None, None, "curl") == "the default"


def test_an_unknown_name_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        choice(ALL_WAYS, named="nobody")


def test_the_first_rule_that_matches_counts() -> None:
    rules = book(Rule("ops", role=CallRole.CHORE), Rule("code", use_case=UseCase.CODE), Rule("deep"))
    assert choice(rules, classification=classified(CallRole.CHORE, UseCase.CODE)) == "ops"
    assert choice(rules, classification=classified(use_case=UseCase.CODE)) == "code"
    assert choice(rules, classification=classified()) == "deep"


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (Rule("code"), True),
        (Rule("code", harness="codex", key="ci", use_case=UseCase.CODE, role=CallRole.MAIN, model="claude-*"), True),
        (Rule("code", harness="c*", key="?i", model="*"), True),
        (Rule("code", harness="claude-code"), False),
        (Rule("code", key="team-*"), False),
        (Rule("code", use_case=UseCase.CHAT), False),
        (Rule("code", role=CallRole.SUBAGENT), False),
        (Rule("code", model="gpt-*"), False),
        (Rule("code", model="Claude-*"), False),  # names of models have a case
        (Rule("code", harness="codex", key="team-*"), False),  # every given field must match
    ],
)
def test_a_rule_matches_when_all_its_fields_do(rule: Rule, matches: bool) -> None:
    found = choice(book(rule), model="claude-sonnet-5.5", classification=classified(use_case=UseCase.CODE))
    assert found == ("code" if matches else NORMAL)


def test_what_is_not_known_matches_no_condition() -> None:
    assert not Rule("code", key="*").matches(None, "codex", "auto", classified())
    assert not Rule("code", use_case=UseCase.CHAT).matches("ci", "codex", "auto", None)
    assert not Rule("code", role=CallRole.MAIN).matches("ci", "codex", "auto", None)
    assert Rule("code", harness="codex").matches(None, "codex", "auto", None)


def test_a_turn_keeps_its_policy_through_its_continuations() -> None:
    main, step = Rule("code", role=CallRole.MAIN), Rule("ops", role=CallRole.CONTINUATION)
    continuation = classified(CallRole.CONTINUATION)
    assert choice(book(main), classification=continuation) == "code"
    assert choice(book(step, main), classification=continuation) == "ops"
    assert choice(book(step), classification=classified(CallRole.MAIN)) == NORMAL
    assert choice(book(main), classification=classified(CallRole.SUBAGENT)) == NORMAL


def test_a_rule_in_words() -> None:
    assert Rule("code", harness="codex", use_case=UseCase.CODE).in_words() == "harness codex, use_case code"
    assert Rule("code").in_words() == "it matches everything"


@given(st.sampled_from(CallRole), st.sampled_from(UseCase), st.sampled_from(ModelTier), st.sampled_from([None, "title"]))
def test_normal_changes_nothing(role: CallRole, use_case: UseCase, tier: ModelTier, chore: str | None) -> None:
    target = target_of(Policy(NORMAL), classified(role, use_case, tier, chore))
    assert (target.kind, target.id) == (TargetKind.TIER, tier.value)
    assert "policy" not in target.because
    assert "short question, no code" in target.because


STAGES = (Target(TargetKind.MODEL, "gpt-6-astra"), Target(TargetKind.TIER, "mid"))
TIERS = {
    "title": ModelTier.MICRO,
    "chore": ModelTier.SMALL,
    "subagent": ModelTier.MID,
    "code": ModelTier.FRONTIER,
}


@pytest.mark.parametrize(
    ("classification", "tier"),
    [
        (classified(CallRole.CHORE, chore="title"), ModelTier.MICRO),
        (classified(CallRole.CHORE, chore="summary"), ModelTier.SMALL),
        (classified(CallRole.CHORE, UseCase.CODE), ModelTier.SMALL),
        (classified(CallRole.SUBAGENT, UseCase.CODE), ModelTier.MID),
        (classified(CallRole.MAIN, UseCase.CODE), ModelTier.FRONTIER),
        (classified(CallRole.CONTINUATION, UseCase.CODE), ModelTier.FRONTIER),
        (classified(CallRole.MAIN, UseCase.CHAT), None),
    ],
)
def test_the_type_of_a_task_decides_before_the_stages(classification: Classification, tier: ModelTier | None) -> None:
    with_stages = target_of(Policy("p", STAGES, TIERS), classification)
    without = target_of(Policy("p", (), TIERS), classification)
    if tier is None:
        assert with_stages[:2] == (TargetKind.POLICY, "p")
        assert without[:2] == (TargetKind.TIER, classification.tier.value)
    else:
        assert with_stages[:2] == without[:2] == (TargetKind.TIER, tier.value)
        assert "policy p sends" in without.because


def test_what_holds_for_a_turn_holds_for_its_continuations_unless_they_have_a_word_of_their_own() -> None:
    turn = {"main": ModelTier.FRONTIER, "code": ModelTier.MID}
    own = turn | {"continuation": ModelTier.SMALL}
    continuation = classified(CallRole.CONTINUATION, UseCase.CODE)
    assert target_of(Policy("p", tiers=turn), continuation).id == "frontier"
    assert target_of(Policy("p", tiers=own), continuation).id == "small"


def test_embeddings_take_no_stages() -> None:
    embedding = classified(use_case=UseCase.EMBED, tier=ModelTier.MICRO)
    assert target_of(Policy("p", STAGES), embedding)[:2] == (TargetKind.TIER, "micro")
    assert target_of(Policy("p", STAGES, {"embed": ModelTier.SMALL}), embedding)[:2] == (TargetKind.TIER, "small")
